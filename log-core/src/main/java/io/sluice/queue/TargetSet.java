package io.sluice.queue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.log.LogException;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * Where a routed message is stored for: queues and streams. Immutable, built once per route and shared by all its messages;
 * carries the encoded routing header so that no message encodes it again.
 *
 * <p>Routing header value, numbers big-endian unless noted:
 *
 * <pre>
 * version (1) = 2
 * order (4)      low 32 bits of a count of all messages over all home partitions: after a restart a queue fed from several
 *                partitions gets back the order in which it was fed
 * arrival (6)    when the message was taken up, epoch ms
 * priority (1)   as the publisher asked
 * expiry (6)     epoch ms, 0 = none
 * count varint, (queue id varlong, delta coded, ascending)*
 * </pre>
 *
 * All but version and queues is filled in per message, by {@link #stamp}.
 */
public final class TargetSet {
    private static final int ORDER = 1;
    private static final int ARRIVAL = ORDER + Integer.BYTES;
    private static final int TIME_BYTES = 6;
    private static final int PRIORITY = ARRIVAL + TIME_BYTES;
    private static final int EXPIRY = PRIORITY + 1;
    private static final int QUEUES = EXPIRY + TIME_BYTES;

    private static final byte VERSION = 2;

    /** Nothing. */
    public static final TargetSet EMPTY = new TargetSet(List.of(), List.of());

    private final QueueRef[] queues;
    private final StreamTarget[] streams;
    private final byte[] routingHeader;
    private final int valueIndex;
    private final boolean durable;
    private final boolean refusing;

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
        this.valueIndex = routingHeader.length - value.writerIndex();
        boolean anyDurable = this.streams.length > 0;
        for (QueueRef queue : this.queues) {
            anyDurable |= queue.spec().durable();
        }
        this.durable = anyDurable;
        boolean anyRefusing = false;
        for (QueueRef queue : this.queues) {
            anyRefusing |= queue.spec().policy().refusesPublishes();
        }
        this.refusing = anyRefusing;
    }

    /** The longest that one of the queues asks its publishers to wait, ms; see {@link QueueRef#publishPauseMillis}. */
    public int publishPauseMillis() {
        int longest = 0;
        for (QueueRef queue : queues) {
            longest = Math.max(longest, queue.publishPauseMillis());
        }
        return longest;
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

    /** True if a queue may refuse the message because it is full. */
    public boolean mayRefuse() {
        return refusing;
    }

    /** The whole encoded header {@code ~r} (name and value with their lengths) to append to a home record. Not to be changed. */
    public byte[] routingHeader() {
        return routingHeader;
    }

    /**
     * Fills a copy of {@link #routingHeader} in for one message.
     *
     * @param at where the copy begins
     * @param arrival epoch ms
     * @param expiry epoch ms, {@link Reference#NEVER} = none
     */
    public void stamp(ByteBuf header, int at, int order, long arrival, int priority, long expiry) {
        int value = at + valueIndex;
        header.setInt(value + ORDER, order);
        setTime(header, value + ARRIVAL, arrival);
        header.setByte(value + PRIORITY, priority);
        setTime(header, value + EXPIRY, expiry);
    }

    /** What {@link #stamp} left in a home record. */
    public record Stamp(int order, long arrival, int priority, long expiry) {
        static final Stamp NONE = new Stamp(0, 0, 0, Reference.NEVER);
    }

    /** Reads the stamp of a home record's routing header. Moves the header cursor. */
    public static Stamp stampOf(RecordView record) {
        if (!record.findHeader(MessageHeaders.ROUTING)) {
            return Stamp.NONE;
        }
        ByteBuf in = record.buffer();
        int value = record.headerValueStart();
        checkVersion(in.getByte(value));
        return new Stamp(
                in.getInt(value + ORDER),
                time(in, value + ARRIVAL),
                in.getUnsignedByte(value + PRIORITY),
                time(in, value + EXPIRY));
    }

    /** Reads the queue ids of a home record's routing header; none if it has none. Moves the header cursor. */
    public static void forEachQueue(RecordView record, LongConsumer queueId) {
        if (!record.findHeader(MessageHeaders.ROUTING)) {
            return;
        }
        ByteBuf in = record.buffer();
        int at = record.headerValueStart();
        int end = at + record.headerValueLength();
        checkVersion(in.getByte(at));
        at += QUEUES;
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
        value.writeByte(VERSION).writeZero(QUEUES - ORDER);
        RecordFields.writeVarint(value, queues.length);
        long previous = 0;
        for (QueueRef queue : queues) {
            RecordFields.writeVarlong(value, queue.id().value() - previous);
            previous = queue.id().value();
        }
        return value;
    }

    private static void checkVersion(int version) {
        if (version != VERSION) {
            throw new LogException(
                    LogException.Reason.UNSUPPORTED_FORMAT,
                    "routing header of version " + version + "; this build reads version " + VERSION);
        }
    }

    private static void setTime(ByteBuf out, int at, long millis) {
        out.setShort(at, (int) (millis >>> Integer.SIZE));
        out.setInt(at + Short.BYTES, (int) millis);
    }

    private static long time(ByteBuf in, int at) {
        return (long) in.getUnsignedShort(at) << Integer.SIZE | in.getUnsignedInt(at + Short.BYTES);
    }
}
