package io.sluice.bench;

import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.engine.ShardId;
import io.sluice.engine.ShardLease;
import io.sluice.log.Durability;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.record.BatchBuilder;
import java.util.UUID;
import java.util.concurrent.locks.LockSupport;

/** A partition of an engine on real files, with the right to write it. Confined to the thread that made it. */
final class LogWriter implements AutoCloseable {
    /** Appended bytes after which the log is emptied, so that a run takes little space. */
    private static final long KEEP_BYTES = 64L << 20;

    private final DataDirectory data = new DataDirectory();
    private final BatchBuilder builder = new BatchBuilder(PooledByteBufAllocator.DEFAULT);
    private final Thread writer = Thread.currentThread();
    private final Runnable wakeUp = this::wakeUp;
    private final ShardLease lease;
    private final LogPartition partition;
    private long appended;

    LogWriter() {
        StreamId id = new StreamId(new UUID(0, 1));
        data.engine()
                .createStream(id, "bench", 1, StreamConfig.HOME)
                .toCompletableFuture()
                .join();
        lease = data.engine().acquire(ShardId.CORE);
        LogPartition writable = lease.writable(new PartitionId(id, 0));
        if (writable == null) {
            throw new IllegalStateException("no partition");
        }
        partition = writable;
    }

    LogPartition partition() {
        return partition;
    }

    /** Builds a batch, appends it and waits until it is as durable as asked for. Answers its last offset. */
    long append(Records source, int records, Durability durability) {
        LogPartition.Appended offsets = partition.appendBuilt(source.build(builder, records), durability);
        long pass = lease.commit(wakeUp);
        while (lease.poll() < pass) {
            LockSupport.park(this);
        }
        return offsets.lastOffset();
    }

    /** Empties the log now and then. */
    void bound(long bytes) {
        appended += bytes;
        if (appended > KEEP_BYTES) {
            appended = 0;
            partition.truncatePrefix(partition.highWatermark());
        }
    }

    private void wakeUp() {
        LockSupport.unpark(writer);
    }

    @Override
    public void close() {
        lease.release();
        data.close();
    }
}
