package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.queue.state.CheckpointWriter;
import io.sluice.queue.state.QueueDelta;
import io.sluice.queue.state.StateCodec;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The journal of what queues did, and the checkpoints that keep it short. A checkpoint is written in slices, one on its way to
 * the disk at a time, so that publishes and deliveries go on in between. Shard thread.
 */
final class QueueJournal {
    private static final Logger LOG = LoggerFactory.getLogger(QueueJournal.class);
    private final LogPartition state;
    private final PublishPipeline pipeline;
    private final Clock clock;
    private final long checkpointBytes;
    private final int slice;
    private final ArrayList<DeliveryQueue> unjournaled = new ArrayList<>();
    private final ArrayList<Runnable> deletions = new ArrayList<>(0);
    private boolean refused;
    private long bytes;

    private @Nullable CheckpointWriter checkpoint;
    private boolean sliceOnItsWay;
    private boolean written;
    private long checkpointStart;
    private long bytesAtStart;
    private long homeBytesAtStart;
    private long bytesAtCheckpoint;
    private long homeBytesAtCheckpoint;
    private long lastCheckpointBytes;

    QueueJournal(LogPartition state, PublishPipeline pipeline, Clock clock, CoreSettings settings) {
        this.state = state;
        this.pipeline = pipeline;
        this.clock = clock;
        checkpointBytes = settings.checkpointBytes();
        slice = settings.checkpointSlice();
    }

    /** The queue has something to be written down. */
    void add(DeliveryQueue queue) {
        if (!queue.unjournaled) {
            queue.unjournaled = true;
            unjournaled.add(queue);
        }
    }

    /**
     * A queue is gone from here on; {@code written} is told when that is durable. It is gone already: a deletion that the journal
     * has no space for waits for it.
     */
    void deleted(long queueId, Pass.JournalEntry written) {
        pipeline.notCreated(queueId);
        ByteBuf value = PooledByteBufAllocator.DEFAULT.buffer();
        StateCodec.writeDeleted(value, queueId);
        pipeline.journal(value, clock.epochMillis(), error -> {
            if (error != null && error.reason() == LogException.Reason.DISK_FULL) {
                deletions.add(() -> deleted(queueId, written));
            } else {
                written.written(error);
            }
        });
        value.release();
    }

    /** Tries again to write deletions that found no space. */
    void retryDeletions() {
        if (!deletions.isEmpty()) {
            List<Runnable> again = List.copyOf(deletions);
            deletions.clear();
            again.forEach(Runnable::run);
        }
    }

    /**
     * Writes down what queues did since the last time.
     *
     * @return why it is not written, null if it is; after DISK_FULL it waits for space
     */
    @Nullable
    LogException write() {
        if (unjournaled.isEmpty() || pipeline.failure() != null) {
            return pipeline.failure();
        }
        OpenBatch batch = new OpenBatch(state);
        ByteBuf value = PooledByteBufAllocator.DEFAULT.buffer();
        long now = clock.epochMillis();
        try {
            for (int i = 0; i < unjournaled.size(); i++) {
                DeliveryQueue queue = unjournaled.get(i);
                QueueDelta delta = queue.delta();
                if (delta != null && !queue.isClosed()) {
                    value.clear();
                    delta.write(value, queue.spec().id().value());
                    batch.add(value, now, Durability.OS);
                }
            }
            int size = batch.sizeInBytes();
            batch.append();
            pipeline.commitStaged();
            bytes += size;
        } catch (LogException e) {
            batch.discard();
            if (!refused) {
                LOG.warn("Settlements stay in memory until the journal takes them: {}", e.getMessage());
            }
            refused = true;
            return e;
        } finally {
            value.release();
        }
        if (refused) {
            refused = false;
            LOG.info("Settlements are journaled again");
        }
        for (int i = 0; i < unjournaled.size(); i++) {
            unjournaled.get(i).journaled();
        }
        unjournaled.clear();
        return null;
    }

    private long bytes() {
        return bytes + pipeline.settlementBytes();
    }

    /** True if so much was written that a checkpoint is worth it, and none is being written. */
    boolean wantsCheckpoint() {
        long bound = Math.max(checkpointBytes, 4 * lastCheckpointBytes);
        return checkpoint == null
                && pipeline.failure() == null
                && (bytes() - bytesAtCheckpoint > bound || pipeline.homeBytes() - homeBytesAtCheckpoint > bound);
    }

    /** True if the newest checkpoint was written to its end. */
    boolean isCheckpointWritten() {
        return written;
    }

    /** Starts a checkpoint; {@link #advance} writes it. */
    void begin(CheckpointWriter writer) {
        abandon();
        sliceOnItsWay = false;
        checkpoint = writer;
        written = false;
        checkpointStart = state.logEndOffset();
        bytesAtStart = bytes();
        homeBytesAtStart = pipeline.homeBytes();
    }

    /** Writes the next slice once the one before is on disk. Answers false when there is nothing left to write. */
    boolean advance() {
        CheckpointWriter writer = checkpoint;
        if (writer == null || pipeline.failure() != null) {
            abandon();
            return false;
        }
        if (sliceOnItsWay) {
            return true;
        }
        long now = clock.epochMillis();
        OpenBatch batch = new OpenBatch(state);
        try {
            pipeline.sealSettlements();
            boolean last = writer.write(slice, value -> batch.add(value, now, Durability.GROUP));
            batch.append();
            sliceOnItsWay = true;
            pipeline.commitThen(() -> sliceOnItsWay = false);
            if (last) {
                finish(writer);
            }
            return !last;
        } catch (LogException e) {
            batch.discard();
            if (!refused) {
                LOG.warn("No checkpoint of queues: {}", e.getMessage());
            }
            refused = true;
            abandon();
            if (e.reason() != LogException.Reason.DISK_FULL) {
                // an index cannot be read: what the next attempt writes may be in vain, too
                bytesAtCheckpoint = bytes();
                homeBytesAtCheckpoint = pipeline.homeBytes();
            }
            return false;
        }
    }

    private void finish(CheckpointWriter writer) {
        long start = checkpointStart;
        written = true;
        lastCheckpointBytes = writer.bytes();
        bytesAtCheckpoint = bytesAtStart;
        homeBytesAtCheckpoint = homeBytesAtStart;
        pipeline.commitThen(() -> state.truncatePrefix(start));
        abandon();
    }

    /** Gives up the checkpoint that is being written, if any; a new one begins in time. */
    void abandon() {
        CheckpointWriter writer = checkpoint;
        if (writer != null) {
            checkpoint = null;
            writer.close();
        }
    }
}
