package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.sluice.engine.ShardLease;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.queue.Reference;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import java.util.ArrayDeque;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way of a publish through the shard: routed messages gather in the open batches of a pass, the pass is committed, and
 * when it is durable queues learn of its messages and publishers get their completions. While a sync is in flight the open
 * pass keeps filling up to the batch size. Shard thread.
 */
final class PublishPipeline {
    private static final Logger LOG = LoggerFactory.getLogger(PublishPipeline.class);
    /** Smaller messages fit any stream's batch limit, so only larger ones are checked before anything is staged. */
    private static final int SMALL = 256 << 10;

    private final ShardLease lease;
    private final LogPartition[] home;
    private final LogPartition state;
    private final MemoryLog memory;
    private final CoreSettings settings;
    private final DeliveryQueues queues;
    private final LoopTasks out;
    private final Runnable wakeUp;
    private final BooleanSupplier diskFull;
    private final LongConsumer finishedBytes;

    private final ArrayDeque<Pass> inFlight = new ArrayDeque<>();
    private final ArrayDeque<Pass> free = new ArrayDeque<>();
    private Pass open;
    private long lastNumber;
    private long homeBytes;
    private @Nullable LogException failure;

    PublishPipeline(
            ShardLease lease,
            LogPartition[] home,
            LogPartition state,
            MemoryLog memory,
            CoreSettings settings,
            DeliveryQueues queues,
            LoopTasks out,
            Runnable wakeUp,
            BooleanSupplier diskFull,
            LongConsumer finishedBytes) {
        this.lease = lease;
        this.home = home;
        this.state = state;
        this.memory = memory;
        this.settings = settings;
        this.queues = queues;
        this.out = out;
        this.wakeUp = wakeUp;
        this.diskFull = diskFull;
        this.finishedBytes = finishedBytes;
        this.open = new Pass(home.length);
    }

    /** Bytes appended to home partitions so far. */
    long homeBytes() {
        return homeBytes;
    }

    /** Why nothing is stored any more; null while all is well. */
    @Nullable
    LogException failure() {
        return failure;
    }

    /** Takes up a batch; it is completed in this or a later pass. */
    void publish(PublishBatch batch) {
        long bytes = batch.sizeInBytes();
        LogException refusal;
        try {
            refusal = refusal(batch);
        } catch (LogException e) {
            refusal = e;
        }
        if (refusal == null) {
            try {
                stage(batch);
            } catch (LogException e) {
                // the pass may hold a part of it: none of the pass is confirmed
                fail(open, e);
            }
            batch.releaseBuffer();
            return;
        }
        batch.releaseBuffer();
        finishedBytes.accept(bytes);
        out.of(batch.completion().executor()).published(batch, refusal);
    }

    /** Takes up batches of a Kafka producer. */
    void produce(PartitionId id, ByteBuf batches, Durability durability, ShardProxy.ProduceCompletion completion) {
        int size = batches.readableBytes();
        boolean taken = false;
        LogException refusal = failure;
        try {
            LogPartition partition = refusal == null ? lease.writable(id) : null;
            if (refusal == null && diskFull.getAsBoolean()) {
                refusal = diskIsFull();
            } else if (refusal == null && partition == null) {
                refusal = new LogException(
                        Reason.STREAM_NOT_FOUND,
                        "no partition " + id.index() + " of stream "
                                + id.stream().uuid());
            } else if (partition != null) {
                // the partition takes over the reference, also when it refuses
                taken = true;
                Durability level = durability == Durability.MEMORY ? Durability.OS : durability;
                open.produces.add(new Pass.ProduceTask(completion, partition.append(batches, level)));
                open.bytes += size;
                open.publishBytes += size;
                return;
            }
        } catch (LogException e) {
            refusal = e;
        }
        if (!taken) {
            batches.release();
        }
        finishedBytes.accept(size);
        out.of(completion.executor()).produced(completion, null, refusal);
    }

    /**
     * Adds a record to the queue journal in the open pass, synced with it.
     *
     * @param outcome told when queues know of everything taken up before: null if the record is stored, else why not
     */
    void journal(ByteBuf value, long timestamp, Consumer<@Nullable LogException> outcome) {
        if (lease.waitsForSpace()) {
            outcome.accept(diskIsFull());
            return;
        }
        OpenBatch batch = open.state;
        if (batch == null) {
            batch = new OpenBatch(state);
            open.state = batch;
        }
        batch.add(value, timestamp, Durability.GROUP);
        open.journaled.add(outcome);
    }

    /** Runs {@code follower} when queues know of everything taken up so far; at once if they do. */
    void follow(Runnable follower) {
        if (!open.isEmpty()) {
            open.followers.add(follower);
        } else if (!inFlight.isEmpty()) {
            inFlight.getLast().followers.add(follower);
        } else {
            follower.run();
        }
    }

    /** Ends the pass if it is time, and takes up what the disk has finished. */
    void endTurn() {
        if (failure != null) {
            return;
        }
        try {
            // first, since a sync counts as in flight until it is taken up
            completeFinished();
            if (!open.isEmpty() && !(lease.syncInFlight() && open.bytes < settings.batchBytes())) {
                seal();
                completeFinished();
            }
        } catch (LogException e) {
            failAll(e);
        }
    }

    private void completeFinished() {
        // also with nothing in flight here: the lease counts a sync as in flight until it is polled
        long finished = lease.poll();
        while (!inFlight.isEmpty() && finished >= inFlight.getFirst().number) {
            complete(inFlight.removeFirst());
        }
    }

    /**
     * Commits what the shard staged beside the pipeline, such as the queue journal. Produced batches are staged as they come: a
     * pass that holds some is sealed with it, so that it stays one commit and is waited for.
     */
    void commitStaged() {
        if (open.produces.isEmpty()) {
            commit();
        } else {
            seal();
            // an unsynced pass is finished already
            wakeUp.run();
        }
    }

    private void commit() {
        if (lease.hasStaged()) {
            lastNumber = lease.commit(wakeUp);
        }
    }

    /** As {@link #commitStaged}; {@code durable} runs when the commit and all before it are done. */
    void commitThen(Runnable durable) {
        commitStaged();
        Pass pass = free.isEmpty() ? new Pass(home.length) : free.removeFirst();
        pass.number = lastNumber;
        pass.followers.add(durable);
        inFlight.addLast(pass);
    }

    /** Commits what is open and waits until the disk has everything. Only at start and stop. */
    void drain(Runnable pause) {
        if (failure == null && !open.isEmpty()) {
            seal();
        }
        endTurn();
        while (failure == null && !inFlight.isEmpty()) {
            if (lease.waitsForSpace()) {
                failAll(diskIsFull());
                return;
            }
            pause.run();
            endTurn();
        }
    }

    /** Nothing more is confirmed: everything unfinished is completed with the error. */
    void failAll(LogException error) {
        if (failure == null) {
            failure = error;
            if (error.reason() != Reason.CLOSED) {
                LOG.error("The shard stores nothing any more until a restart: {}", error.getMessage());
            }
        }
        while (!inFlight.isEmpty()) {
            Pass pass = inFlight.removeFirst();
            fail(pass, error);
            complete(pass);
        }
        Pass pass = open;
        open = new Pass(home.length);
        discard(pass);
        fail(pass, error);
        complete(pass);
    }

    private @Nullable LogException refusal(PublishBatch batch) {
        if (failure != null) {
            return failure;
        }
        boolean full = diskFull.getAsBoolean();
        for (int i = 0; i < batch.size(); i++) {
            TargetSet targets = batch.targets(i);
            if (full && grows(batch, i, targets)) {
                return diskIsFull();
            }
            int size = batch.end(i) - batch.start(i);
            if (size > SMALL) {
                for (int s = 0; s < targets.streamCount(); s++) {
                    StreamTarget target = targets.stream(s);
                    LogPartition partition = lease.writable(target.partition(batch.orderHash(i)));
                    if (partition != null
                            && size + 128 > partition.stream().config().maxBatchBytes()) {
                        return new LogException(
                                Reason.BATCH_TOO_LARGE,
                                "message of " + size + " bytes is larger than stream "
                                        + partition.stream().name() + " takes ("
                                        + partition.stream().config().maxBatchBytes() + ")");
                    }
                }
            }
        }
        return null;
    }

    /** True if storing the message takes space that is not for the broker's own journals. */
    private boolean grows(PublishBatch batch, int i, TargetSet targets) {
        if (targets.queueCount() > 0 && !transientMessage(batch, i, targets)) {
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

    private void stage(PublishBatch batch) {
        Pass pass = open;
        pass.publishes.add(batch);
        pass.publishBytes += batch.sizeInBytes();
        pass.bytes += batch.sizeInBytes();
        for (int i = 0; i < batch.size(); i++) {
            TargetSet targets = batch.targets(i);
            Durability asked = batch.durability(i);
            Durability stored = asked == Durability.MEMORY ? Durability.OS : asked;
            if (targets.queueCount() > 0) {
                if (transientMessage(batch, i, targets)) {
                    MemoryBatch in = pass.memory;
                    if (in == null) {
                        in = memory.open(batch.sizeInBytes());
                        pass.memory = in;
                    }
                    int record = in.recordCount();
                    pass.add(targets, null, record, in.add(batch, i));
                } else {
                    stageHome(pass, batch, i, targets, stored);
                }
            }
            for (int s = 0; s < targets.streamCount(); s++) {
                stageCopy(pass, batch, i, targets.stream(s), stored);
            }
        }
    }

    private void stageHome(Pass pass, PublishBatch batch, int i, TargetSet targets, Durability stored) {
        int index = Math.floorMod(batch.orderHash(i), home.length);
        OpenBatch in = pass.home[index];
        if (in == null) {
            in = new OpenBatch(home[index]);
            pass.home[index] = in;
        }
        int before = in.sizeInBytes();
        int record = in.add(batch, i, targets.routingHeader(), stored);
        int size = in.sizeInBytes() - before;
        homeBytes += size;
        pass.add(targets, in, record, size);
        if (in.sizeInBytes() >= settings.batchBytes()) {
            pass.home[index] = null;
            in.append();
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
        int limit = settings.batchBytes();
        if (in != null && in.sizeInBytes() + size > limit) {
            pass.streams.remove(at);
            in.append();
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
        in.add(batch, i, null, stored);
    }

    /** Kept in memory only: asked for, or no taker outlives a restart anyway; while the memory log has room. */
    private boolean transientMessage(PublishBatch batch, int i, TargetSet targets) {
        if (batch.durability(i) != Durability.MEMORY && targets.hasDurable()) {
            return false;
        }
        MemoryBatch filling = open.memory;
        return memory.sizeInBytes() + (filling == null ? 0 : filling.sizeInBytes()) < settings.memoryLogBytes();
    }

    private void seal() {
        Pass pass = open;
        open = free.isEmpty() ? new Pass(home.length) : free.removeFirst();
        try {
            for (OpenBatch batch : pass.home) {
                if (batch != null) {
                    batch.append();
                }
            }
            for (Pass.StreamBatch stream : pass.streams) {
                stream.batch().append();
            }
        } catch (LogException e) {
            LOG.warn("A pass of {} publishes was refused by the log: {}", pass.publishes.size(), e.getMessage());
            fail(pass, e);
        }
        if (pass.state != null) {
            try {
                pass.state.append();
            } catch (LogException e) {
                LOG.warn("{} queue changes were refused by the log: {}", pass.journaled.size(), e.getMessage());
                pass.stateError = e;
            }
        }
        discard(pass);
        if (pass.memory != null) {
            memory.add(pass.memory);
        }
        inFlight.addLast(pass);
        commit();
        pass.number = lastNumber;
    }

    /** Frees batches of the pass that no partition took. */
    private static void discard(Pass pass) {
        for (OpenBatch batch : pass.home) {
            if (batch != null) {
                batch.discard();
            }
        }
        for (Pass.StreamBatch stream : pass.streams) {
            stream.batch().discard();
        }
        if (pass.state != null) {
            pass.state.discard();
        }
    }

    private static void fail(Pass pass, LogException error) {
        if (pass.error == null) {
            pass.error = error;
        }
    }

    private void complete(Pass pass) {
        LogException error = pass.error;
        for (int i = 0; i < pass.messages; i++) {
            OpenBatch source = pass.sources[i];
            TargetSet targets = pass.targets[i];
            if (targets == null) {
                continue;
            }
            if (source == null) {
                if (pass.memory != null && failure == null) {
                    queues.enqueue(
                            targets,
                            Reference.position(Reference.MEMORY_PARTITION, pass.memory.baseOffset() + pass.records[i]),
                            pass.sizes[i]);
                }
            } else if (source.baseOffset() >= 0 && failure == null) {
                queues.enqueue(
                        targets,
                        Reference.position(source.partition().id().index(), source.baseOffset() + pass.records[i]),
                        pass.sizes[i]);
            }
        }
        if (pass.memory != null && failure == null) {
            memory.freeUnreferenced(pass.memory);
        }
        for (int i = 0; i < pass.publishes.size(); i++) {
            PublishBatch batch = pass.publishes.get(i);
            out.of(batch.completion().executor()).published(batch, error);
        }
        for (int i = 0; i < pass.produces.size(); i++) {
            Pass.ProduceTask task = pass.produces.get(i);
            LoopTask to = out.of(task.completion().executor());
            if (error == null) {
                to.produced(task.completion(), task.appended(), null);
            } else {
                to.produced(task.completion(), null, error);
            }
        }
        if (pass.publishBytes > 0) {
            finishedBytes.accept(pass.publishBytes);
        }
        LogException unjournaled = pass.stateError == null ? failure : pass.stateError;
        for (int i = 0; i < pass.journaled.size(); i++) {
            pass.journaled.get(i).accept(unjournaled);
        }
        for (int i = 0; i < pass.followers.size(); i++) {
            pass.followers.get(i).run();
        }
        pass.reset();
        if (free.size() < 8) {
            free.addLast(pass);
        }
    }

    private static LogException diskIsFull() {
        return new LogException(
                Reason.DISK_FULL, "the data directory is above its limit; publishing goes on when space returns");
    }
}
