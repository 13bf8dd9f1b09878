package io.sluice.queue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * Where a routed message is stored for: queues and streams. Immutable, built once per route and shared by all its messages;
 * carries the encoded routing header so that no message encodes it again.
 *
 * <p>Routing header value: {@code version(1)=1, order (4), count varint, (queue id varlong, delta coded, ascending)*}. The
 * order is the low 32 bits of a count of all messages over all home partitions, filled in per message: after a restart a queue
 * fed from several partitions gets back the order in which it was fed.
 */
public final class TargetSet {
    private static final byte VERSION = 1;

    /** Nothing. */
    public static final TargetSet EMPTY = new TargetSet(List.of(), List.of());

    private final QueueRef[] queues;
    private final StreamTarget[] streams;
    private final byte[] routingHeader;
    private final int orderIndex;
    private final boolean durable;

    /** Queues must be distinct; they are stored in ascending id order. */
    public TargetSet(List<QueueRef> queues, List<StreamTarget> streams) {
        this.queues = queues.toArray(QueueRef[]::new);
        java.util.Arrays.sort(this.queues, (a, b) -> Long.compare(a.id().value(), b.id().value()));
        this.streams = streams.toArray(StreamTarget[]::new);
        ByteBuf value = encode(this.queues);
        ByteBuf header = Unpooled.buffer();
        RecordFields.writeHeader(header, MessageHeaders.ROUTING, value);
        this.routingHeader = new byte[header.readableBytes()];
        header.readBytes(routingHeader);
        this.orderIndex = routingHeader.length - value.writerIndex() + 1;
        boolean anyDurable = this.streams.length > 0;
        for (QueueRef queue : this.queues) {
            anyDurable |= queue.spec().durable();
        }
        this.durable = anyDurable;
    }

    public int queueCount() {
        return queues.length;
    }

    public QueueRef queue(int i) {
        return queues[i];
    }

    public int streamCount() {
        return streams.length;
    }

    public StreamTarget stream(int i) {
        return streams[i];
    }

    public boolean isEmpty() {
        return queues.length == 0 && streams.length == 0;
    }

    /** True if a target outlives a restart. */
    public boolean hasDurable() {
        return durable;
    }

    /** The whole encoded header {@code ~r} (name and value with their lengths) to append to a home record. Not to be changed. */
    public byte[] routingHeader() {
        return routingHeader;
    }

    /** Where in {@link #routingHeader} the four bytes of the order are. */
    public int orderIndex() {
        return orderIndex;
    }

    /** Reads the order of a home record's routing header; 0 if it has none. Moves the header cursor. */
    public static int order(RecordView record) {
        return record.findHeader(MessageHeaders.ROUTING) ? record.buffer().getInt(record.headerValueStart() + 1) : 0;
    }

    /** Reads the queue ids of a home record's routing header; none if it has none. Moves the header cursor. */
    public static void forEachQueue(RecordView record, LongConsumer queueId) {
        if (!record.findHeader(MessageHeaders.ROUTING)) {
            return;
        }
        ByteBuf in = record.buffer();
        int at = record.headerValueStart();
        int end = at + record.headerValueLength();
        if (in.getByte(at++) != VERSION) {
            throw new IllegalStateException("unknown routing record version " + in.getByte(at - 1));
        }
        at += Integer.BYTES;
        long id = 0;
        boolean count = true;
        while (at < end) {
            long v = 0;
            int shift = 0;
            byte b;
            do {
                b = in.getByte(at++);
                v |= (long) (b & 0x7F) << shift;
                shift += 7;
            } while (b < 0);
            v = (v >>> 1) ^ -(v & 1);
            if (count) {
                count = false;
            } else {
                id += v;
                queueId.accept(id);
            }
        }
    }

    private static ByteBuf encode(QueueRef[] queues) {
        ByteBuf value = Unpooled.buffer();
        value.writeByte(VERSION).writeInt(0);
        RecordFields.writeVarint(value, queues.length);
        long previous = 0;
        for (QueueRef queue : queues) {
            RecordFields.writeVarlong(value, queue.id().value() - previous);
            previous = queue.id().value();
        }
        return value;
    }
}
