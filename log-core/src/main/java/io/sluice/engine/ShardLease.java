package io.sluice.engine;

import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import org.jspecify.annotations.Nullable;

/**
 * Exclusive right to write the partitions of a shard. Used by one thread.
 *
 * <p>Appends are staged on partitions and become one <em>pass</em> with {@link #commit}: all GROUP appends of a pass, over any
 * number of partitions, are one atomic entry of the write-ahead log. Passes complete in order.
 *
 * <p>The batches that the broker built ({@link LogPartition#appendBuilt}) in one pass are a group: after any crash the log has all
 * of them or none, confirmed or not, whatever their durability. What clients produced stands for itself.
 */
public interface ShardLease {
    /** The partition for writing; every partition is written by at most one lease at a time. */
    @Nullable
    LogPartition writable(PartitionId id);

    /** True if anything was appended since the last {@link #commit}. */
    boolean hasStaged();

    /** True while a pass with GROUP appends is on its way to disk: the time to gather a larger next pass. */
    boolean syncInFlight();

    /**
     * True while a pass waits for disk space: it completes when space returns, and appends are refused with DISK_FULL until then.
     */
    default boolean waitsForSpace() {
        return false;
    }

    /**
     * Ends the pass. If it holds no GROUP append and none is in flight, it completes before this returns. Otherwise {@code
     * wakeUp} is run on the sync thread when passes became durable; the writer then calls {@link #poll}.
     *
     * @return number of the pass, rising by one
     */
    long commit(Runnable wakeUp);

    /**
     * Takes up what the disk has finished: advances high watermarks and runs advance listeners. Writer thread.
     *
     * @return number of the newest completed pass
     * @throws io.sluice.log.LogException FENCED if the sync failed: nothing staged will ever be confirmed
     */
    long poll();

    /** Gives the right back after completing what is in flight. */
    void release();
}
