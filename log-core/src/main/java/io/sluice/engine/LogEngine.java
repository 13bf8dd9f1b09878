package io.sluice.engine;

import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import java.util.Collection;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Stores partitioned logs. Stages complete on an engine thread or the caller's; callers hop. All methods are thread-safe
 * unless they say otherwise.
 */
public interface LogEngine extends AutoCloseable {
    /** Identity of the cluster, made at the first start and kept. */
    String clusterId();

    /** Identity of this node. */
    int nodeId();

    /** True if this start follows an unclean stop. */
    boolean recovered();

    /**
     * Creates a stream; if one with this id exists, answers that one. The directory entries are synced before it completes.
     */
    CompletionStage<StreamInfo> createStream(StreamId id, String name, int partitions, StreamConfig config);

    /** Removes a stream and its data; readers in flight finish. Completes normally if it is unknown. */
    CompletionStage<Void> deleteStream(StreamId id);

    CompletionStage<StreamInfo> alterStream(StreamId id, StreamConfig config);

    /** Raises the number of partitions. */
    CompletionStage<StreamInfo> addPartitions(StreamId id, int partitions);

    @Nullable
    StreamInfo stream(StreamId id);

    Collection<StreamInfo> streams();

    /** The partition for reading, null if unknown. Appending needs the lease of its shard. */
    @Nullable
    LogPartition partition(PartitionId id);

    /** Becomes the only writer of a shard; fences every earlier lease. */
    ShardLease acquire(ShardId shard);

    /** Pool for blocking reads; bounded. */
    Executor readerPool();

    /** Room for derived data beside the log. */
    ScratchSpace scratch();

    /** Disk pressure now; see {@link DiskState}. */
    DiskState diskState();

    /** Told on an engine thread whenever {@link #diskState} changes. */
    void onDiskState(DiskListener listener);

    /** Told about changes of disk state. */
    @FunctionalInterface
    interface DiskListener {
        void changed(DiskState state);
    }

    /** How full or broken the data directory is. */
    enum DiskState {
        OK,
        /** Above the warning watermark: logged, nothing refused. */
        WARN,
        /** Above the limit: publishers are refused or paused, consumers and deletes go on. */
        FULL,
        /** A sync failed: writers are fenced until a restart. */
        FAILED
    }

    /** Flushes, checkpoints, writes the clean-stop marker and releases the directory. */
    @Override
    void close();
}
