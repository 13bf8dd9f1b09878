package io.sluice.amqp091.consume;

import io.netty.buffer.ByteBuf;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.Protocol;
import io.sluice.amqp091.convert.OutboundMessage;
import io.sluice.amqp091.session.Session;
import io.sluice.message.RecordView;
import java.util.function.Consumer;

/** Writes messages to the client of one channel and counts their delivery tags. Confined to the loop. */
final class DeliveryWriter {
    private final Session connection;
    private final int channel;
    private final OutboundMessage message = new OutboundMessage();
    private final Consumer<ByteBuf> properties = message::writeProperties;
    private long lastTag;

    DeliveryWriter(Session connection, int channel) {
        this.connection = connection;
        this.channel = channel;
    }

    /** The newest delivery tag, 0 before the first. */
    long lastTag() {
        return lastTag;
    }

    /** Writes {@code basic.deliver}; answers its delivery tag. */
    long deliver(byte[] consumerTag, boolean redelivered, RecordView record, int failedDeliveries) {
        message.read(record, failedDeliveries);
        return write(consumerTag, redelivered, record);
    }

    /** As {@link #deliver}, of a message of a stream. */
    long deliverFromStream(byte[] consumerTag, RecordView record) {
        message.readFromStream(record);
        return write(consumerTag, false, record);
    }

    /** Writes {@code basic.get-ok}; answers its delivery tag. */
    long got(boolean redelivered, RecordView record, int failedDeliveries, int messagesLeft) {
        message.read(record, failedDeliveries);
        ByteBuf out = connection.output().buffer();
        int start = FrameWriter.begin(out, Protocol.FRAME_METHOD, channel);
        out.writeInt(Protocol.BASIC_GET_OK);
        envelope(out, redelivered);
        out.writeInt(messagesLeft);
        FrameWriter.end(out, start);
        content(out, record);
        return lastTag;
    }

    private long write(byte[] consumerTag, boolean redelivered, RecordView record) {
        ByteBuf out = connection.output().buffer();
        int start = FrameWriter.begin(out, Protocol.FRAME_METHOD, channel);
        out.writeInt(Protocol.BASIC_DELIVER);
        out.writeByte(consumerTag.length);
        out.writeBytes(consumerTag);
        envelope(out, redelivered);
        FrameWriter.end(out, start);
        content(out, record);
        return lastTag;
    }

    private void envelope(ByteBuf out, boolean redelivered) {
        out.writeLong(++lastTag);
        out.writeBoolean(redelivered);
        message.writeExchange(out);
        message.writeRoutingKey(out);
    }

    private void content(ByteBuf out, RecordView record) {
        FrameWriter.content(
                out,
                channel,
                properties,
                record.buffer(),
                record.valueStart(),
                Math.max(0, record.valueLength()),
                connection.frameMax());
    }
}
