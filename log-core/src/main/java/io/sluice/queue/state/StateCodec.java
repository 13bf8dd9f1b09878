package io.sluice.queue.state;

import io.netty.buffer.ByteBuf;
import io.sluice.log.LogException;

/**
 * Records of the queue journal. All numbers are unsigned varlongs (7 bits per byte, low first) unless noted.
 *
 * <pre>
 * every record   version (1 byte, 3; 2 is read), type (1 byte)
 * 1 created      queue
 * 2 deleted      queue
 * 3 delta        queue,
 *                n, n × (partition, priority or 256 for all, delivered below this offset),
 *                n, n × (position, delivery count),
 *                n, n × (gap to the end of the range before, length - 1)       settled positions,
 *                n, n × (partition, purged below this offset), and if n > 0: m, m × position that was not purged,
 *                n, n × position of a message rejected by a transaction: it waits for its dead letter to be stored,
 *                n, n × (position, not to be delivered again before this time, epoch ms)
 * 4 begin        order (4 bytes), n, n × offset below which the indexes of this checkpoint hold everything
 * 5 waiting      queue, n, n references by ReferenceCodec                      never delivered, in queue order
 * 6 end          a checkpoint counts only with its end; it replaces all before its begin
 * 7 delivered    queue, n, n × (sequence, position, state, expiry, 8 bytes each)   unsettled references delivered before;
 *                they stand before those that wait, by sequence
 * 8 arrived      queue, n, n × (position, state, expiry, arrival, 8 bytes each)    behind those that wait; the expiry is the
 *                message's own, as nobody opened the queue since the message was read back from the log
 * 9 postponed    queue, n, n × (position, not to be delivered again before this time, epoch ms)
 * </pre>
 *
 * A checkpoint is written while the queues work: several records of 5, 7 and 8 per queue, other records between. It leaves out
 * references from the offsets of its begin on, which are replayed; a reference may be in two kinds, since it was delivered in
 * between, and then the one delivered counts. Records 1, 2 and 3 between begin and end apply to what was before and to the
 * checkpoint. The order is the one of {@code TargetSet} at the begin: later ones compare to it in 32 bits.
 */
public final class StateCodec {
    static final int VERSION = 3;
    /** Its deltas end before the rejected ones. */
    static final int OLDEST_VERSION = 2;

    static final int CREATED = 1;
    static final int DELETED = 2;
    static final int DELTA = 3;
    static final int BEGIN = 4;
    static final int WAITING = 5;
    static final int END = 6;
    static final int DELIVERED = 7;
    static final int ARRIVED = 8;
    static final int POSTPONED = 9;

    private StateCodec() {}

    /** A queue whose messages outlive a restart exists from here on. */
    public static void writeCreated(ByteBuf out, long queueId) {
        begin(out, CREATED, queueId);
    }

    /** The queue and all it refers to is gone. */
    public static void writeDeleted(ByteBuf out, long queueId) {
        begin(out, DELETED, queueId);
    }

    static void begin(ByteBuf out, int type, long queueId) {
        out.writeByte(VERSION).writeByte(type);
        writeLong(out, queueId);
    }

    static void writeLong(ByteBuf out, long value) {
        long left = value;
        while ((left & ~0x7FL) != 0) {
            out.writeByte((int) (left & 0x7F) | 0x80);
            left >>>= 7;
        }
        out.writeByte((int) left);
    }

    static long readLong(ByteBuf in) {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            byte b = in.readByte();
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw corrupt("a number is longer than 10 bytes");
    }

    static LogException corrupt(String what) {
        return new LogException(LogException.Reason.CORRUPT_BATCH, "queue journal: " + what);
    }
}
