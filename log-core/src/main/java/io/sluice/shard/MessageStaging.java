package io.sluice.shard;

import io.sluice.engine.ShardLease;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Puts routed messages into the open batches of a pass: one copy for all queues, one for each stream. Shard thread.
 */
final class MessageStaging {
    /** More than the head of a batch and the framing of its one record, bytes. */
    private static final int FRAMING = 128;

    private final ShardLease lease;
    private final LogPartition[] home;
    private final MemoryLog memory;
    private final Clock clock;
    private final CoreSettings settings;
    private final DeliveryQueues queues;
    private final BooleanSupplier diskFull;
    private long homeBytes;
    private int nextOrder;

    MessageStaging(
            ShardLease lease,
            LogPartition[] home,
            MemoryLog memory,
            Clock clock,
            CoreSettings settings,
            DeliveryQueues queues,
            BooleanSupplier diskFull,
            int nextOrder) {
        this.lease = lease;
        this.home = home;
        this.memory = memory;
        this.clock = clock;
        this.settings = settings;
        this.queues = queues;
        this.diskFull = diskFull;
        this.nextOrder = nextOrder;
    }

    /** Bytes staged for home partitions so far. */
    long homeBytes() {
        return homeBytes;
    }

    /** Order of the next message for a home partition; see {@link TargetSet}. */
    int nextOrder() {
        return nextOrder;
    }

    /** Why the batch cannot be stored; null if it can. */
    @Nullable
    LogException refusal(Pass pass, PublishBatch batch) {
        boolean full = diskFull.getAsBoolean();
        TargetSet before = null;
        int limit = Integer.MAX_VALUE;
        for (int i = 0; i < batch.size(); i++) {
            TargetSet targets = batch.targets(i);
            if (full && grows(pass, batch, i, targets)) {
                return PublishPipeline.diskIsFull();
            }
            if (targets != before) {
                before = targets;
                limit = smallestLimit(targets);
            }
            int size = batch.end(i) - batch.start(i);
            if (size > limit) {
                return new LogException(
                        Reason.BATCH_TOO_LARGE,
                        "message of " + size + " bytes is larger than a stream it is routed to takes (" + limit + ")");
            }
        }
        return null;
    }

    /** True if storing the message takes space that is not for the broker's own journals. */
    private boolean grows(Pass pass, PublishBatch batch, int i, TargetSet targets) {
        if (targets.queueCount() > 0 && !transientMessage(pass, batch, i, targets)) {
            return true;
        }
        for (int s = 0; s < targets.streamCount(); s++) {
            LogPartition partition = lease.writable(targets.stream(s).partition(batch.orderHash(i)));
            if (partition != null && !partition.stream().config().journal()) {
                return true;
            }
        }
        return false;
    }

    /** Bytes of the largest message that all streams of the route take. */
    private int smallestLimit(TargetSet targets) {
        int limit = Integer.MAX_VALUE;
        for (int s = 0; s < targets.streamCount(); s++) {
            LogPartition partition = lease.writable(new PartitionId(targets.stream(s).stream(), 0));
            if (partition != null) {
                limit = Math.min(limit, partition.stream().config().maxBatchBytes() - FRAMING);
            }
        }
        return limit;
    }

    /**
     * Adds the messages to the open batches of a pass.
     *
     * @param whole true if they are stored all at the highest durability, and no queue may refuse one, as part of a transaction
     */
    void stage(Pass pass, PublishBatch batch, boolean whole) {
        long arrival = clock.epochMillis();
        pass.publishes.add(batch);
        pass.publishBytes += batch.sizeInBytes();
        pass.bytes += batch.sizeInBytes();
        for (int i = 0; i < batch.size(); i++) {
            TargetSet targets = batch.targets(i);
            Durability asked = batch.durability(i);
            Durability stored = whole ? Durability.GROUP : asked == Durability.MEMORY ? Durability.OS : asked;
            if (!whole && targets.mayRefuse() && queues.refuses(targets)) {
                batch.refuse(i);
                continue;
            }
            if (targets.queueCount() > 0) {
                if (transientMessage(pass, batch, i, targets)) {
                    MemoryBatch in = pass.memory;
                    if (in == null) {
                        in = memory.open(batch.sizeInBytes());
                        pass.memory = in;
                    }
                    int record = in.recordCount();
                    pass.add(targets, null, record, in.add(batch, i), batch, i, arrival, whole);
                } else {
                    stageHome(pass, batch, i, targets, arrival, stored, whole);
                }
            }
            for (int s = 0; s < targets.streamCount(); s++) {
                stageCopy(pass, batch, i, targets.stream(s), stored);
            }
        }
    }

    private void stageHome(
            Pass pass, PublishBatch batch, int i, TargetSet targets, long arrival, Durability stored, boolean whole) {
        int index = Math.floorMod(batch.orderHash(i), home.length);
        OpenBatch in = pass.home[index];
        if (in == null) {
            in = new OpenBatch(home[index]);
            pass.home[index] = in;
        }
        int before = in.sizeInBytes();
        int record = in.add(batch, i, targets, nextOrder++, arrival, stored);
        int size = in.sizeInBytes() - before;
        homeBytes += size;
        pass.add(targets, in, record, size, batch, i, arrival, whole);
        if (in.sizeInBytes() >= settings.batchBytes()) {
            pass.home[index] = null;
            pass.full.add(in);
        }
    }

    private void stageCopy(Pass pass, PublishBatch batch, int i, StreamTarget target, Durability stored) {
        int partition = Math.floorMod(batch.orderHash(i), target.partitions());
        OpenBatch in = null;
        int at = 0;
        for (; at < pass.streams.size(); at++) {
            Pass.StreamBatch candidate = pass.streams.get(at);
            if (candidate.partition() == partition
                    && candidate.target().stream().equals(target.stream())) {
                in = candidate.batch();
                break;
            }
        }
        int size = batch.end(i) - batch.start(i);
        if (in != null
                && in.sizeInBytes() + size + FRAMING
                        > Math.min(
                                settings.batchBytes(),
                                in.partition().stream().config().maxBatchBytes())) {
            pass.streams.remove(at);
            pass.full.add(in);
            in = null;
        }
        if (in == null) {
            LogPartition to = lease.writable(new PartitionId(target.stream(), partition));
            if (to == null) {
                // deleted since it was routed: as if the binding had gone first
                return;
            }
            in = new OpenBatch(to);
            pass.streams.add(new Pass.StreamBatch(target, partition, in));
        }
        in.add(batch, i, null, 0, 0, stored);
    }

    /** Kept in memory only: asked for, or no taker outlives a restart anyway; while the memory log has room. */
    private boolean transientMessage(Pass pass, PublishBatch batch, int i, TargetSet targets) {
        if (batch.durability(i) != Durability.MEMORY && targets.hasDurable()) {
            return false;
        }
        MemoryBatch filling = pass.memory;
        return memory.sizeInBytes() + (filling == null ? 0 : filling.sizeInBytes()) < settings.memoryLogBytes();
    }

    /** As {@link #refusal}, for what is taken whole or not at all: why a queue does not take it. */
    @Nullable
    LogException refusalByQueue(PublishBatch batch) {
        for (int i = 0; i < batch.size(); i++) {
            if (batch.targets(i).mayRefuse() && queues.isFull(batch.targets(i))) {
                return new LogException(Reason.QUEUE_FULL, "a queue of the transaction is full");
            }
        }
        return null;
    }
}
