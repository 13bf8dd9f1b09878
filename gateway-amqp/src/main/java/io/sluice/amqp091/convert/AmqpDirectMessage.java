package io.sluice.amqp091.convert;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.routing.DirectMessage;

/** A message on its way to online MQTT subscribers, with its own copy of the canonical record. Immutable. */
public final class AmqpDirectMessage extends AbstractReferenceCounted implements DirectMessage {
    private final String topic;
    private final int qos;
    private final ByteBuf record;
    private final long timestamp;

    /** Takes over {@code record}. */
    public AmqpDirectMessage(String topic, int qos, ByteBuf record, long timestamp) {
        this.topic = topic;
        this.qos = qos;
        this.record = record;
        this.timestamp = timestamp;
    }

    /** Copies key, value and headers, which end at the writer index, and puts the header count between. */
    public static ByteBuf encode(ByteBuf fields, int start, int headersAt, int headers, ByteBufAllocator allocator) {
        ByteBuf copy = allocator.buffer(fields.writerIndex() - start + 5);
        copy.writeBytes(fields, start, headersAt - start);
        RecordFields.writeVarint(copy, headers);
        copy.writeBytes(fields, headersAt, fields.writerIndex() - headersAt);
        return copy;
    }

    public int sizeInBytes() {
        return record.readableBytes();
    }

    @Override
    public String topic() {
        return topic;
    }

    @Override
    public int qos() {
        return qos;
    }

    @Override
    public String publisherId() {
        return "";
    }

    @Override
    public void record(RecordView into) {
        into.wrap(record, 0, -1, timestamp);
    }

    @Override
    protected void deallocate() {
        record.release();
    }

    @Override
    public ReferenceCounted touch(Object hint) {
        return this;
    }
}
