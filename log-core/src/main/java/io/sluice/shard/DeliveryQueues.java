package io.sluice.shard;

import io.sluice.io.Clock;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.record.BatchView;
import io.sluice.queue.Overflow;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Queues;
import io.sluice.queue.Reference;
import io.sluice.queue.Republisher;
import io.sluice.queue.TargetSet;
import io.sluice.queue.index.BlockStore;
import io.sluice.queue.index.QueueIndex;
import io.sluice.queue.state.CheckpointWriter;
import io.sluice.queue.state.RecoveredState;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All queues of the shard: who has work, what must be journaled, which parts of the home partitions are still needed. The
 * {@link Queues} methods may be called on any thread, all others on the shard's.
 */
final class DeliveryQueues implements Queues {
    private static final Logger LOG = LoggerFactory.getLogger(DeliveryQueues.class);
    /** Retries and the like are looked for this often. */
    private static final long MAX_IDLE_MILLIS = 1_000;

    private static final int FORGET_PER_TURN = 16 * 1024;

    private final Clock clock;
    private final LoopTasks out;
    private final MemoryLog memory;
    private final LogPartition[] home;
    private final RecoveredState recovered;
    private final HomeRetention retention;
    private final long[] fed;
    /** Per home partition: references below may be to records whose settlement a power cut took back. */
    private final long[] unsureBelow;

    private final DyingMessages dying;
    private final BlockStore blocks;
    private final QueueTimers timers = new QueueTimers();
    private final ArrayDeque<QueueIndex> forgotten = new ArrayDeque<>();
    private final ConcurrentHashMap<QueueId, QueueHandle> byId = new ConcurrentHashMap<>();

    private ArrayList<DeliveryQueue> dirty = new ArrayList<>();
    private ArrayList<DeliveryQueue> dispatching = new ArrayList<>();
    private final ArrayList<Pass.JournalEntry> barriers = new ArrayList<>();
    private final ArrayList<Runnable> atEndOfTurn = new ArrayList<>();
    private final ArrayList<DeliveryQueue> retrying = new ArrayList<>();
    private long now;
    private Consumer<QueueSpec> expiry = queue -> {};
    private @Nullable ShardLoop loop;
    private @Nullable PublishPipeline pipeline;
    private @Nullable QueueJournal journal;
    private @Nullable Executor executor;

    DeliveryQueues(
            Clock clock,
            LoopTasks out,
            MemoryLog memory,
            LogPartition[] home,
            RecoveredState recovered,
            boolean unclean,
            BlockStore blocks) {
        this.clock = clock;
        this.out = out;
        this.memory = memory;
        this.home = home;
        this.recovered = recovered;
        this.blocks = blocks;
        now = clock.epochMillis();
        dying = new DyingMessages(this, clock);
        retention = new HomeRetention(clock, home);
        fed = new long[home.length];
        for (int i = 0; i < home.length; i++) {
            fed[i] = home[i].logEndOffset();
        }
        unsureBelow = unclean ? fed.clone() : new long[home.length];
        recovered.forEachReference(retention::add);
    }

    /** Ties the knot; called once before the loop starts. */
    void connect(
            ShardLoop shardLoop, PublishPipeline publishPipeline, QueueJournal queueJournal, Executor shardExecutor) {
        loop = shardLoop;
        pipeline = publishPipeline;
        journal = queueJournal;
        executor = shardExecutor;
    }

    @Override
    public CompletionStage<QueueRef> open(QueueSpec spec) {
        CompletableFuture<QueueRef> opened = new CompletableFuture<>();
        loop().put((Runnable) () -> open(spec, opened));
        return opened;
    }

    @Override
    public void reconfigure(QueueId id, QueuePolicy policy) {
        if (loop().inLoop()) {
            QueueHandle handle = byId.get(id);
            if (handle != null) {
                handle.queue().reconfigure(policy);
            }
        } else {
            loop().put((Runnable) () -> reconfigure(id, policy));
        }
    }

    @Override
    public CompletionStage<Long> delete(QueueId id) {
        CompletableFuture<Long> deleted = new CompletableFuture<>();
        loop().put((Runnable) () -> follow(() -> delete(id, deleted)));
        return deleted;
    }

    @Override
    public @Nullable QueueRef find(QueueId id) {
        return byId.get(id);
    }

    @Override
    public void republisher(Republisher target) {
        loop().put((Runnable) () -> dying.republisher(target));
    }

    @Override
    public void onExpired(Consumer<QueueSpec> listener) {
        loop().put((Runnable) () -> expiry = listener);
    }

    @Override
    public CompletionStage<Integer> dropUnopened() {
        CompletableFuture<Integer> dropped = new CompletableFuture<>();
        loop().put((Runnable) () -> {
            Set<Long> ids = recovered.ids();
            for (long id : ids) {
                LOG.info("Removing queue {}: its creation or deletion was cut short", id);
                delete(new QueueId(id), new CompletableFuture<>());
            }
            dropped.complete(ids.size());
        });
        return dropped;
    }

    /** A turn begins. */
    void tick() {
        now = clock.epochMillis();
    }

    LoopTasks out() {
        return out;
    }

    Executor executor() {
        Executor shard = executor;
        if (shard == null) {
            throw new IllegalStateException("shard not started");
        }
        return shard;
    }

    long nanoTime() {
        return clock.nanoTime();
    }

    /** Epoch milliseconds at the end of the inbox of this turn: one time for all that happens in it. */
    long now() {
        return now;
    }

    /** Epoch milliseconds by the clock: {@link #now} may be as old as the shard was idle. */
    long currentMillis() {
        return clock.epochMillis();
    }

    BlockStore blocks() {
        return blocks;
    }

    /** Per home partition, an offset that is above all that queues know of, and not above what they will know of later. */
    long[] fed() {
        return fed.clone();
    }

    /** The queue is dispatched at this time, epoch ms. */
    void wakeAt(DeliveryQueue queue, long at) {
        timers.schedule(queue, at);
    }

    /** The queue is gone. */
    void wakeNoMore(DeliveryQueue queue) {
        timers.forget(queue);
    }

    /** Nobody used the queue for as long as its policy says. */
    void expired(QueueSpec queue) {
        LOG.info(
                "Queue '{}' was unused for {} ms: it is deleted",
                queue.name(),
                queue.policy().expires());
        expiry.accept(queue);
    }

    /** How long nothing happens without a message, nanoseconds. */
    long idleNanos() {
        long left = timers.next() - clock.epochMillis();
        return left >= MAX_IDLE_MILLIS ? TimeUnit.MILLISECONDS.toNanos(MAX_IDLE_MILLIS) : Math.max(0, left) * 1_000_000;
    }

    /**
     * True if a missing record says nothing: it had been settled, deleted for that, and a power cut took the settlement back.
     */
    boolean mayBeGone(long position) {
        int partition = Reference.partition(position);
        return partition != Reference.MEMORY_PARTITION && Reference.offset(position) < unsureBelow[partition];
    }

    LogPartition homePartition(int index) {
        return home[index];
    }

    /**
     * The queues of a committed message learn of it, in the order of commits.
     *
     * @param whole true if they take it though they are full, as part of a transaction
     * @return false if one of them is full and does not take it
     */
    boolean enqueue(TargetSet targets, long position, long state, long expiry, long arrival, boolean whole) {
        int partition = Reference.partition(position);
        long offset = Reference.offset(position);
        boolean inMemory = partition == Reference.MEMORY_PARTITION;
        boolean taken = true;
        for (int i = 0; i < targets.queueCount(); i++) {
            if (targets.queue(i) instanceof QueueHandle handle
                    && !handle.queue().isClosed()) {
                if (inMemory) {
                    memory.refer(offset);
                } else {
                    retention.add(position);
                }
                taken &= handle.queue().enqueue(position, state, expiry, arrival, whole);
            }
        }
        if (!inMemory) {
            fed[partition] = Math.max(fed[partition], offset + 1);
        }
        return taken;
    }

    /** True if the message has no other target than a queue that is full and does not want it as a dead letter. */
    boolean refuses(TargetSet targets) {
        return targets.queueCount() == 1
                && targets.streamCount() == 0
                && targets.queue(0) instanceof QueueHandle handle
                && handle.isOpen()
                && handle.spec().policy().overflow() == Overflow.REJECT_PUBLISH
                && handle.queue().isFull();
    }

    /** True if a queue would refuse the message. */
    boolean isFull(TargetSet targets) {
        for (int i = 0; i < targets.queueCount(); i++) {
            if (targets.queue(i) instanceof QueueHandle handle
                    && handle.isOpen()
                    && handle.queue().isFull()) {
                return true;
            }
        }
        return false;
    }

    /** As {@link #forget} for all of these, a part in each turn. */
    void forgetLater(QueueIndex references) {
        forgotten.add(references);
    }

    /** A queue is done with a message. */
    void forget(long position) {
        int partition = Reference.partition(position);
        if (partition == Reference.MEMORY_PARTITION) {
            memory.settle(Reference.offset(position));
        } else {
            retention.remove(position);
        }
    }

    void markDirty(DeliveryQueue queue) {
        if (!queue.dirty) {
            queue.dirty = true;
            dirty.add(queue);
        }
    }

    void markUnjournaled(DeliveryQueue queue) {
        journal().add(queue);
    }

    /** Tries to dispatch the queue again when some time has passed. */
    void retryLater(DeliveryQueue queue) {
        retrying.add(queue);
    }

    DyingMessages dying() {
        return dying;
    }

    /** Runs when all publishes taken up before are known to their queues. */
    void follow(Runnable follower) {
        pipeline().follow(follower);
    }

    /**
     * Told at the end of the turn in which everything before is applied, dispatched and journaled; later if the journal has to
     * wait for disk space. Told the error if the journal will not take it.
     */
    void barrier(Pass.JournalEntry applied) {
        follow(() -> {
            barriers.add(applied);
            LogException failure = pipeline().failure();
            if (failure != null) {
                endBarriers(failure);
            }
        });
    }

    /** Completes the future as the barrier goes. */
    static <T> Pass.JournalEntry completing(CompletableFuture<T> future, T value) {
        return error -> {
            if (error == null) {
                future.complete(value);
            } else {
                future.completeExceptionally(error);
            }
        };
    }

    /** Nothing more is journaled. */
    void endBarriers(@Nullable LogException error) {
        List<Pass.JournalEntry> ended = List.copyOf(barriers);
        barriers.clear();
        ended.forEach(barrier -> barrier.written(error));
    }

    /** Runs at the end of the turn, when the journal has what it takes; at once if it takes nothing any more. */
    void atEndOfTurn(Runnable told) {
        if (pipeline().failure() == null) {
            atEndOfTurn.add(told);
        } else {
            told.run();
        }
    }

    /** The batch holding this message if it is in memory, retained. */
    @Nullable
    BatchView cachedBatch(long position) {
        int partition = Reference.partition(position);
        long offset = Reference.offset(position);
        return partition == Reference.MEMORY_PARTITION ? memory.batch(offset) : home[partition].cachedBatch(offset);
    }

    /** Gives the batch holding this message, null if it is gone; it is released afterwards. */
    void withBatch(long position, Consumer<@Nullable BatchView> user, Consumer<Throwable> failed) {
        BatchView cached = cachedBatch(position);
        if (cached != null || Reference.partition(position) == Reference.MEMORY_PARTITION) {
            use(cached, user);
            return;
        }
        home[Reference.partition(position)]
                .loadBatch(Reference.offset(position), executor())
                .whenComplete((loaded, error) -> {
                    if (error == null) {
                        use(loaded, user);
                    } else {
                        failed.accept(error);
                    }
                });
    }

    /**
     * Dispatches and journals.
     *
     * @return true if queues have more to deliver at once
     */
    boolean endTurn() {
        timers.work(now, this);
        dying.work(pipeline().isStoring());
        if (!retrying.isEmpty()) {
            retry();
        }
        ArrayList<DeliveryQueue> now = dirty;
        dirty = dispatching;
        dispatching = now;
        for (int i = 0; i < now.size(); i++) {
            DeliveryQueue queue = now.get(i);
            queue.dirty = false;
            if (queue.dispatch()) {
                markDirty(queue);
            }
        }
        now.clear();
        LogException refusal = journal().write();
        if (!barriers.isEmpty() && (refusal == null || refusal.reason() != Reason.DISK_FULL)) {
            endBarriers(refusal);
        }
        for (int i = 0; i < atEndOfTurn.size(); i++) {
            atEndOfTurn.get(i).run();
        }
        atEndOfTurn.clear();
        truncate();
        journal().advance();
        forgetSome();
        return !dirty.isEmpty() || !forgotten.isEmpty();
    }

    private void forgetSome() {
        int left = FORGET_PER_TURN;
        while (left > 0 && !forgotten.isEmpty()) {
            QueueIndex references = forgotten.getFirst();
            boolean over = references.isEmpty();
            while (left-- > 0 && !over) {
                over = !forgetFirst(references) || references.isEmpty();
            }
            if (over) {
                references.clear();
                forgotten.removeFirst();
            }
        }
    }

    private boolean forgetFirst(QueueIndex references) {
        long position = references.firstPosition();
        try {
            references.removeFirst();
        } catch (LogException e) {
            LOG.warn("{} purged messages keep their space until a restart: {}", references.size(), e.getMessage());
            return false;
        }
        forget(position);
        return true;
    }

    private void retry() {
        for (int i = retrying.size() - 1; i >= 0; i--) {
            DeliveryQueue queue = retrying.get(i);
            if (queue.mayRetry()) {
                retrying.remove(i);
                markDirty(queue);
            }
        }
    }

    /** Writes all indexes down and waits until they are on disk; false if they could not be. Only at start and stop. */
    boolean checkpoint(Runnable idle) {
        beginCheckpoint();
        while (journal().advance()) {
            pipeline().drain(idle);
        }
        pipeline().drain(idle);
        return journal().isCheckpointWritten();
    }

    private void beginCheckpoint() {
        HashSet<Long> ids = new HashSet<>(recovered.ids());
        for (QueueHandle handle : byId.values()) {
            if (handle.spec().durable()) {
                ids.add(handle.spec().id().value());
            }
        }
        journal().begin(new CheckpointWriter(fed, pipeline().nextOrder(), ids, recovered, id -> {
            QueueHandle handle = byId.get(new QueueId(id));
            return handle == null ? null : handle.queue().machine();
        }));
    }

    /** Frees memory; called once at the end. */
    void stop() {
        dying.stop();
        endBarriers(pipeline().failure());
        for (QueueHandle handle : byId.values()) {
            handle.queue().release();
        }
        memory.close();
        blocks.close();
    }

    private void open(QueueSpec spec, CompletableFuture<QueueRef> opened) {
        QueueHandle present = byId.get(spec.id());
        if (present != null) {
            opened.complete(present);
            return;
        }
        QueueHandle handle = new QueueHandle(spec, loop(), this);
        boolean known;
        try {
            DeliveryQueue queue = handle.queue();
            LongUnaryOperator dues = recovered.dues(spec.id().value());
            known = recovered.take(
                    spec.id().value(),
                    (position, state, expiry) -> queue.restore(position, state, expiry, dues.applyAsLong(position)),
                    (position, state, expiry, arrival) ->
                            queue.restoreArrived(position, state, expiry, arrival, dues.applyAsLong(position)));
        } catch (LogException e) {
            // what is missing now must not be missing in a checkpoint
            LogException failure = new LogException(
                    Reason.FENCED, "queue '" + spec.name() + "' cannot be read back: " + e.getMessage(), e);
            pipeline().failAll(failure);
            handle.queue().release();
            opened.completeExceptionally(failure);
            return;
        }
        if (known) {
            // it may hold the queue by half; places in it change now
            journal().abandon();
        }
        byId.put(spec.id(), handle);
        // from now on time counts: it may go unused
        markDirty(handle.queue());
        if (known || !spec.durable()) {
            handle.publish(handle.queue().machine().ready(), 0, 0);
            opened.complete(handle);
            return;
        }
        LogException refusal = pipeline().created(spec.id().value());
        if (refusal == null) {
            opened.complete(handle);
        } else {
            byId.remove(spec.id(), handle);
            handle.queue().close();
            opened.completeExceptionally(refusal);
        }
    }

    private void delete(QueueId id, CompletableFuture<Long> deleted) {
        QueueHandle handle = byId.remove(id);
        boolean durable;
        long ready = 0;
        if (handle == null) {
            durable = drop(id.value());
        } else {
            durable = handle.spec().durable();
            ready = handle.queue().close();
        }
        if (!durable) {
            deleted.complete(ready);
            return;
        }
        journal().deleted(id.value(), completing(deleted, ready));
    }

    private boolean drop(long id) {
        try {
            return recovered.drop(id, this::forget);
        } catch (LogException e) {
            LOG.warn("Messages of the deleted queue {} keep their space until a restart: {}", id, e.getMessage());
            return true;
        }
    }

    private void truncate() {
        if (pipeline().failure() != null || !retention.isDue()) {
            return;
        }
        journal().retryDeletions();
        retention.work(fed);
        if (journal().wantsCheckpoint()) {
            beginCheckpoint();
        }
    }

    private static void use(@Nullable BatchView batch, Consumer<@Nullable BatchView> user) {
        try {
            user.accept(batch);
        } finally {
            if (batch != null) {
                batch.release();
            }
        }
    }

    private ShardLoop loop() {
        ShardLoop started = loop;
        if (started == null) {
            throw new IllegalStateException("shard not started");
        }
        return started;
    }

    private QueueJournal journal() {
        QueueJournal connected = journal;
        if (connected == null) {
            throw new IllegalStateException("shard not started");
        }
        return connected;
    }

    private PublishPipeline pipeline() {
        PublishPipeline connected = pipeline;
        if (connected == null) {
            throw new IllegalStateException("shard not started");
        }
        return connected;
    }
}
