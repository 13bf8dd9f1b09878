package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.engine.ShardLease;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.queue.Reference;
import io.sluice.queue.TargetSet;
import io.sluice.queue.state.StateCodec;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import java.util.function.BooleanSupplier;
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

    private final ShardLease lease;
    private final LogPartition[] home;
    private final LogPartition state;
    private final MemoryLog memory;
    private final Clock clock;
    private final CoreSettings settings;
    private final DeliveryQueues queues;
    private final LoopTasks out;
    private final Runnable wakeUp;
    private final BooleanSupplier diskFull;
    private final MessageStaging staging;
    private final LongConsumer finishedBytes;

    private final ArrayDeque<Pass> inFlight = new ArrayDeque<>();
    private final ArrayDeque<Pass> free = new ArrayDeque<>();
    /** Queues whose creation no pass has written yet. */
    private final LinkedHashSet<Long> created = new LinkedHashSet<>();

    private Pass open;
    private long lastNumber;
    private long settlementBytes;
    private @Nullable LogException failure;

    PublishPipeline(
            ShardLease lease,
            LogPartition[] home,
            LogPartition state,
            MemoryLog memory,
            Clock clock,
            CoreSettings settings,
            DeliveryQueues queues,
            LoopTasks out,
            Runnable wakeUp,
            BooleanSupplier diskFull,
            LongConsumer finishedBytes,
            int nextOrder) {
        this.lease = lease;
        this.home = home;
        this.state = state;
        this.memory = memory;
        this.clock = clock;
        this.settings = settings;
        this.queues = queues;
        this.out = out;
        this.wakeUp = wakeUp;
        this.diskFull = diskFull;
        this.finishedBytes = finishedBytes;
        staging = new MessageStaging(lease, home, memory, clock, settings, queues, diskFull, nextOrder);
        this.open = new Pass(home.length);
    }

    /** Bytes appended to home partitions so far. */
    long homeBytes() {
        return staging.homeBytes();
    }

    /** Bytes of journal records that went with publishes so far. */
    long settlementBytes() {
        return settlementBytes;
    }

    /** Order of the next message for a home partition; see {@link TargetSet}. */
    int nextOrder() {
        return staging.nextOrder();
    }

    /** Why nothing is stored any more; null while all is well. */
    @Nullable
    LogException failure() {
        return failure;
    }

    /** True unless messages for the disk are refused. */
    boolean isStoring() {
        return failure == null && !diskFull.getAsBoolean();
    }

    /** Takes up a batch; it is completed in this or a later pass. */
    void publish(PublishBatch batch) {
        long bytes = batch.sizeInBytes();
        LogException refusal;
        try {
            refusal = failure == null ? staging.refusal(open, batch) : failure;
        } catch (LogException e) {
            refusal = e;
        }
        if (refusal == null) {
            staging.stage(open, batch, false);
            batch.releaseBuffer();
            if (batch.original() instanceof DyingMessages.Dying original) {
                original.stage(open, state, clock.epochMillis());
            }
            return;
        }
        batch.releaseBuffer();
        finishedBytes.accept(bytes);
        out.of(batch.completion().executor()).published(batch, refusal);
    }

    /**
     * Takes up a transaction: it is staged whole, in the open pass, or refused whole. Queues that are full refuse it now or not at
     * all: what others publish until the pass is durable cannot tear it apart.
     */
    void commit(Transaction transaction) {
        PublishBatch batch = transaction.publishes();
        LogException refusal;
        try {
            refusal = lease.waitsForSpace() ? diskIsFull() : failure;
            refusal = refusal == null ? staging.refusal(open, batch) : refusal;
            refusal = refusal == null ? staging.refusalByQueue(batch) : refusal;
        } catch (LogException e) {
            refusal = e;
        }
        if (refusal != null) {
            long bytes = batch.sizeInBytes();
            batch.releaseBuffer();
            finishedBytes.accept(bytes);
            out.of(batch.completion().executor()).published(batch, refusal);
            return;
        }
        staging.stage(open, batch, true);
        batch.releaseBuffer();
        StagedTransaction.stage(transaction, open, state, clock.epochMillis());
    }

    /**
     * Commits what is open if it holds settlements: what a checkpoint says of deliveries that a transaction has set aside, or of
     * messages that are being replaced, is true only behind it.
     */
    void sealSettlements() {
        if (!open.transactions.isEmpty() || !open.replaced.isEmpty()) {
            seal();
        }
    }

    /** Takes up batches of a Kafka producer. */
    void produce(PartitionId id, ByteBuf batches, Durability durability, ShardProxy.ProduceCompletion completion) {
        int size = batches.readableBytes();
        LogException refusal = failure == null && diskFull.getAsBoolean() ? diskIsFull() : failure;
        if (refusal == null) {
            try {
                LogPartition partition = lease.writable(id);
                if (partition != null) {
                    Durability level = durability == Durability.MEMORY ? Durability.OS : durability;
                    open.produces.add(new Pass.Produce(completion, partition, batches, level));
                    open.bytes += size;
                    open.publishBytes += size;
                    return;
                }
                refusal = new LogException(
                        Reason.STREAM_NOT_FOUND,
                        "no partition " + id.index() + " of stream "
                                + id.stream().uuid());
            } catch (LogException e) {
                refusal = e;
            }
        }
        batches.release();
        finishedBytes.accept(size);
        out.of(completion.executor()).produced(completion, null, refusal);
    }

    /**
     * A queue exists from here on, which the open pass writes to the queue journal. If the log has no space for that it is for
     * the passes behind: no pass is stored without it.
     *
     * @return why the queue cannot be created, null if it can
     */
    @Nullable
    LogException created(long queueId) {
        if (failure != null || lease.waitsForSpace()) {
            return failure == null ? diskIsFull() : failure;
        }
        created.add(queueId);
        open.creates = true;
        return null;
    }

    /** The queue is gone: if its creation was not written yet, it never is. */
    void notCreated(long queueId) {
        created.remove(queueId);
    }

    /** Adds a record to the queue journal in the open pass, synced with it; {@code written} is told when it is. */
    void journal(ByteBuf value, long timestamp, Pass.JournalEntry written) {
        if (failure != null || lease.waitsForSpace()) {
            written.written(failure == null ? diskIsFull() : failure);
            return;
        }
        stateBatch(open).add(value, timestamp, Durability.GROUP);
        open.journals.add(written);
    }

    private OpenBatch stateBatch(Pass pass) {
        OpenBatch batch = pass.state;
        if (batch == null) {
            batch = new OpenBatch(state);
            pass.state = batch;
        }
        return batch;
    }

    private void journalCreated(Pass pass) {
        if (created.isEmpty()) {
            return;
        }
        OpenBatch batch = stateBatch(pass);
        long now = clock.epochMillis();
        ByteBuf value = PooledByteBufAllocator.DEFAULT.buffer();
        try {
            for (long id : created) {
                StateCodec.writeCreated(value.clear(), id);
                batch.add(value, now, Durability.GROUP);
            }
        } finally {
            value.release();
        }
    }

    /**
     * Runs {@code follower} when queues know of everything taken up so far and of nothing taken up later; at once if they do. What
     * a client publishes behind a purge, without waiting for its answer, is not purged.
     */
    void follow(Runnable follower) {
        if (!open.isEmpty()) {
            open.follow(follower);
        } else if (!inFlight.isEmpty()) {
            inFlight.getLast().follow(follower);
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

    /** Commits what the shard staged beside the pipeline, such as the queue journal. */
    void commitStaged() {
        if (lease.hasStaged()) {
            lastNumber = lease.commit(wakeUp);
        }
    }

    /** As {@link #commitStaged}; {@code durable} runs when the commit and all before it are done, and not if they fail. */
    void commitThen(Runnable durable) {
        commitStaged();
        Pass pass = free.isEmpty() ? new Pass(home.length) : free.removeFirst();
        pass.number = lastNumber;
        pass.journals.add(error -> {
            if (error == null) {
                durable.run();
            }
        });
        inFlight.addLast(pass);
    }

    /** Commits what is open and waits until the disk has everything. Only at start and stop. */
    void drain(Runnable pause) {
        if (failure == null && !open.isEmpty()) {
            try {
                seal();
            } catch (LogException e) {
                failAll(e);
            }
        }
        endTurn();
        while (failure == null && !inFlight.isEmpty()) {
            if (lease.waitsForSpace()) {
                // not as refused: the log may hold what waits, and the next start finds it
                failAll(new LogException(
                        Reason.CLOSED, "stopped while the disk had no space: it may be stored or not"));
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
            pass.fail(error);
            complete(pass);
        }
        Pass pass = open;
        open = new Pass(home.length);
        pass.discard();
        for (Pass.Produce produce : pass.produces) {
            produce.batches.release();
        }
        if (pass.memory != null) {
            pass.memory.release();
        }
        pass.fail(error);
        complete(pass);
    }

    private void seal() {
        Pass pass = open;
        open = free.isEmpty() ? new Pass(home.length) : free.removeFirst();
        journalCreated(pass);
        if (pass.settlements != null) {
            settlementBytes += pass.settlements.sizeInBytes();
        }
        pass.appendPublishes();
        if (pass.error != null) {
            // at once: a checkpoint must not take what they have set aside for settled
            pass.endSettlements(false);
        }
        pass.appendProduces();
        appendJournal(pass);
        MemoryBatch passing = pass.memory;
        if (passing != null) {
            if (pass.error == null) {
                memory.add(passing);
            } else {
                passing.release();
                pass.memory = null;
            }
        }
        pass.discard();
        inFlight.addLast(pass);
        commitStaged();
        pass.number = lastNumber;
    }

    private void appendJournal(Pass pass) {
        if (pass.state != null) {
            try {
                pass.state.append();
                created.clear();
            } catch (LogException e) {
                LOG.warn("The queue journal was refused by the log: {}", e.getMessage());
                pass.journalError = e;
            }
        }
    }

    private void complete(Pass pass) {
        LogException error = pass.error;
        if (error == null) {
            feedQueues(pass);
        }
        pass.endSettlements(error == null);
        for (int i = 0; i < pass.publishes.size(); i++) {
            PublishBatch batch = pass.publishes.get(i);
            out.of(batch.completion().executor()).published(batch, error);
        }
        for (int i = 0; i < pass.produces.size(); i++) {
            Pass.Produce task = pass.produces.get(i);
            LogException refused = failure == null ? task.error : failure;
            out.of(task.completion.executor())
                    .produced(task.completion, refused == null ? task.appended : null, refused);
        }
        if (pass.publishBytes > 0) {
            finishedBytes.accept(pass.publishBytes);
        }
        for (int i = 0; i < pass.journals.size(); i++) {
            pass.journals.get(i).written(failure == null ? pass.journalError : failure);
        }
        while (pass.followed < pass.followers.size()) {
            pass.followers.get(pass.followed++).command().run();
        }
        pass.reset();
        if (free.size() < 8) {
            free.addLast(pass);
        }
    }

    /** The queues of the pass's messages learn of them, in publish order; followers among them run in their places. */
    private void feedQueues(Pass pass) {
        MemoryBatch passing = pass.memory;
        if (passing != null) {
            // held, since a follower may settle what it has fed so far
            memory.refer(passing.baseOffset());
        }
        int refusables = 0;
        for (int i = 0; i < pass.messages; i++) {
            while (pass.followed < pass.followers.size()
                    && pass.followers.get(pass.followed).messages() == i) {
                pass.followers.get(pass.followed++).command().run();
            }
            OpenBatch source = pass.sources[i];
            TargetSet targets = pass.targets[i];
            if (targets == null) {
                continue;
            }
            long position;
            if (source != null) {
                position = Reference.position(source.partition().id().index(), source.baseOffset() + pass.records[i]);
            } else if (passing != null) {
                position = Reference.position(Reference.MEMORY_PARTITION, passing.baseOffset() + pass.records[i]);
            } else {
                continue;
            }
            Pass.Refusable refusable = targets.mayRefuse() ? pass.refusables.get(refusables++) : null;
            // what was routed before its queue came to refuse is taken
            boolean whole = refusable == null || refusable.whole();
            boolean taken =
                    queues.enqueue(targets, position, pass.states[i], pass.expiries[i], pass.arrivals[i], whole);
            if (!taken && refusable != null) {
                refusable.publish().refuse(refusable.index());
            }
        }
        if (passing != null) {
            memory.settle(passing.baseOffset());
        }
    }

    static LogException diskIsFull() {
        return new LogException(
                Reason.DISK_FULL, "the data directory is above its limit; publishing goes on when space returns");
    }
}
