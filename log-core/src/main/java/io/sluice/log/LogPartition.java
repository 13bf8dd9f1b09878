package io.sluice.log;

import io.netty.buffer.ByteBuf;
import io.sluice.log.record.BatchView;
import io.sluice.log.record.BuiltBatch;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * One totally ordered log of Kafka v2 record batches. One writer thread (the shard that holds the lease); any number of
 * readers on any thread. Methods say which.
 */
public interface LogPartition {
    PartitionId id();

    StreamInfo stream();

    /** Epoch stamped into appended batches; raised by one at every unclean start. Any thread. */
    int leaderEpoch();

    /** First offset still readable. Any thread. */
    long logStartOffset();

    /** Offset below which records are committed at the durability they asked for; never retreats within an epoch. Any thread. */
    long highWatermark();

    /** Offset below which no transaction is open; equals the high watermark while none is. Any thread. */
    long lastStableOffset();

    /** Offset the next record gets. Writer thread, approximate elsewhere. */
    long logEndOffset();

    /** Bytes on disk. Any thread. */
    long sizeInBytes();

    /**
     * Stages encoded v2 batches that a client produced; base offset, leader epoch (and, for log append time, the timestamp)
     * are patched in place; the rest stays byte for byte. Takes over one reference of {@code batches}. Sequence numbers of
     * idempotent producers are checked. The batches become durable and visible with the pass ({@link
     * io.sluice.engine.ShardLease#commit}). Writer thread.
     *
     * @param batches one or more whole batches, CRC and structure already checked (see {@code log.record.BatchValidator})
     * @return what was assigned; a duplicate of a sequence still in the window returns the first append's offsets
     * @throws LogException BATCH_TOO_LARGE, OUT_OF_ORDER_SEQUENCE, INVALID_PRODUCER_EPOCH, DISK_FULL, FENCED, CLOSED
     */
    Appended append(ByteBuf batches, Durability durability);

    /**
     * Stages one batch that the broker built itself with {@link io.sluice.log.record.BatchBuilder}. Takes over one reference.
     * The batch stays in the tail cache so that queues deliver from memory. Writer thread.
     */
    Appended appendBuilt(BuiltBatch batch, Durability durability);

    /**
     * What an append was given.
     *
     * @param baseOffset offset of the first record
     * @param lastOffset offset of the last record
     * @param appendTime broker time for log-append-time streams, else -1
     * @param duplicate true if nothing was written because the sequence was already there
     */
    record Appended(long baseOffset, long lastOffset, long appendTime, boolean duplicate) {}

    /**
     * Whole batches from the one holding {@code offset}, up to the bound. An empty slice if {@code offset} is the bound.
     * Never blocks on more than an index lookup. Any thread.
     *
     * @param maxBytes stop before exceeding this, but the first batch always comes whole
     * @throws LogException OFFSET_OUT_OF_RANGE below the start or above the bound, CLOSED
     */
    LogSlice read(long offset, int maxBytes, Isolation isolation);

    /**
     * The batch holding {@code offset} if it is in memory (tail or decoded cache), retained for the caller, else null: then
     * use {@link #loadBatch}. Writer thread.
     */
    @Nullable
    BatchView cachedBatch(long offset);

    /**
     * Loads (and decompresses) the batch holding {@code offset} through the reader pool; completes on {@code executor} with a
     * view retained for the caller; null if no batch holds it (a gap or below the start).
     */
    CompletionStage<@Nullable BatchView> loadBatch(long offset, Executor executor);

    /** First record with a timestamp at or after {@code timestamp}, null if none. Runs on the reader pool. */
    CompletionStage<@Nullable OffsetAndTimestamp> offsetForTimestamp(long timestamp);

    /** The record with the greatest timestamp, null if the partition is empty (Kafka's -3). Runs on the reader pool. */
    CompletionStage<@Nullable OffsetAndTimestamp> maxTimestamp();

    /** An offset, its timestamp in ms, and the leader epoch of its batch. */
    record OffsetAndTimestamp(long offset, long timestamp, int leaderEpoch) {}

    /**
     * Where an epoch ended: the largest epoch at or below {@code leaderEpoch} and the first offset after it, as Kafka's
     * OffsetForLeaderEpoch answers; (-1, -1) if unknown. Any thread.
     */
    EpochEnd endOffsetFor(int leaderEpoch);

    /** An epoch and its end offset. */
    record EpochEnd(int leaderEpoch, long endOffset) {}

    /** Deletes the records below {@code newStart}; segments wholly below it go. Returns the new start. Writer thread. */
    long truncatePrefix(long newStart);

    /**
     * Asks for the space of batches none of whose records is live any more. All others keep their offsets and bytes; a batch of
     * several records stays whole while one of them lives. Only batches in segments that take no more appends go, and only where
     * so little is live (by bytes, under a quarter) and so much can be won (a segment's worth) that writing the rest anew pays. What
     * goes leaves a gap: {@link #read} passes over it, {@link #loadBatch} may answer null, or a batch that is still in memory.
     * Readers in flight keep what they have. Runs on an engine thread, one partition after the other; without space for a new file
     * it does what it can and leaves the rest. Any thread.
     *
     * @param live what is dead in it stays dead for good
     * @return bytes won; 0 if nothing was worth it, the engine is closed, or the disk failed
     */
    CompletionStage<Long> dropDead(LiveOffsets live);

    /** Registers for every later move of the high watermark until removed. Any thread. */
    void addAdvanceListener(AdvanceListener listener);

    void removeAdvanceListener(AdvanceListener listener);
}
