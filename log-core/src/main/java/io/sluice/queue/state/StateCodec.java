package io.sluice.queue.state;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.log.LogException;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.Reference;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Records of the queue journal. All numbers are unsigned varlongs (7 bits per byte, low first) unless noted.
 *
 * <pre>
 * every record   version (1 byte, 1), type (1 byte)
 * 1 created      queue
 * 2 deleted      queue
 * 3 delta        queue, n, n × (partition, delivered below this offset), n, n × (position, delivery count),
 *                n, n × (gap to the end of the range before, length - 1)       settled positions
 * 4 begin        n, n × offset below which the indexes of this checkpoint hold everything
 * 5 snapshot     queue, n, n × (position 8 bytes, state 8 bytes)               unsettled references; several per queue
 * 6 end          a checkpoint counts only with its end; it replaces all before it
 * </pre>
 */
public final class StateCodec {
    static final int VERSION = 1;
    static final int CREATED = 1;
    static final int DELETED = 2;
    static final int DELTA = 3;
    static final int BEGIN = 4;
    static final int SNAPSHOT = 5;
    static final int END = 6;

    private static final int REFERENCES_PER_RECORD = 32 * 1024;

    private StateCodec() {}

    /** A queue whose messages outlive a restart exists from here on. */
    public static void writeCreated(ByteBuf out, long queueId) {
        begin(out, CREATED, queueId);
    }

    /** The queue and all it refers to is gone. */
    public static void writeDeleted(ByteBuf out, long queueId) {
        begin(out, DELETED, queueId);
    }

    /**
     * Writes a checkpoint as a series of records, each handed to {@code writer}, which must not keep the buffer.
     *
     * @param fed per home partition, the offset below which the indexes hold everything
     * @param unopened queues that were recovered and not opened yet
     * @param queues the others
     * @return bytes written
     */
    public static long checkpoint(
            long[] fed, RecoveredState unopened, Map<Long, DeliveryMachine> queues, Consumer<ByteBuf> writer) {
        ByteBuf out = PooledByteBufAllocator.DEFAULT.buffer();
        SnapshotWriter snapshots = new SnapshotWriter(out, writer);
        try {
            out.writeByte(VERSION).writeByte(BEGIN);
            writeLong(out, fed.length);
            for (long offset : fed) {
                writeLong(out, offset);
            }
            writer.accept(out);
            unopened.forEach((id, references) -> {
                snapshots.begin(id);
                references.accept(snapshots);
                snapshots.end();
            });
            queues.forEach((id, machine) -> {
                snapshots.begin(id);
                machine.forEach(snapshots);
                snapshots.end();
            });
            out.clear();
            out.writeByte(VERSION).writeByte(END);
            writer.accept(out);
            return snapshots.bytes;
        } finally {
            snapshots.references.release();
            out.release();
        }
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

    private static final class SnapshotWriter implements DeliveryMachine.ReferenceVisitor {
        private final ByteBuf references = PooledByteBufAllocator.DEFAULT.buffer();
        private final ByteBuf out;
        private final Consumer<ByteBuf> writer;
        private long queueId;
        private int count;
        private boolean any;
        private long bytes;

        SnapshotWriter(ByteBuf out, Consumer<ByteBuf> writer) {
            this.out = out;
            this.writer = writer;
        }

        void begin(long id) {
            queueId = id;
            any = false;
        }

        @Override
        public void visit(long position, long state) {
            if (Reference.partition(position) == Reference.MEMORY_PARTITION) {
                return;
            }
            references.writeLong(position).writeLong(state);
            if (++count == REFERENCES_PER_RECORD) {
                write();
            }
        }

        /** Writes the rest; a queue without references has one empty record, since that says it exists. */
        void end() {
            if (count > 0 || !any) {
                write();
            }
        }

        private void write() {
            out.clear();
            StateCodec.begin(out, SNAPSHOT, queueId);
            writeLong(out, count);
            out.writeBytes(references);
            references.clear();
            count = 0;
            any = true;
            bytes += out.readableBytes();
            writer.accept(out);
        }
    }
}
