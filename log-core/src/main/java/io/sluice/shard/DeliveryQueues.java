package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.record.BatchView;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Queues;
import io.sluice.queue.Reference;
import io.sluice.queue.Republisher;
import io.sluice.queue.TargetSet;
import io.sluice.queue.state.QueueDelta;
import io.sluice.queue.state.RecoveredState;
import io.sluice.queue.state.StateCodec;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All queues of the shard: who has work, what must be journaled, which parts of the home partitions are still needed. The
 * {@link Queues} methods may be called on any thread, all others on the shard's.
 */
final class DeliveryQueues implements Queues {
    private static final Logger LOG = LoggerFactory.getLogger(DeliveryQueues.class);
    private static final long TRUNCATE_EVERY_NANOS = 1_000_000_000L;

    private static final int CHECKPOINT_BATCH_BYTES = 512 << 10;

    private final Clock clock;
    private final LoopTasks out;
    private final MemoryLog memory;
    private final LogPartition[] home;
    private final LogPartition state;
    private final RecoveredState recovered;
    private final HomePins[] pins;
    private final long[] fed;
    private final long checkpointBytes;
    private final ConcurrentHashMap<Long, QueueHandle> byId = new ConcurrentHashMap<>();

    private ArrayList<DeliveryQueue> dirty = new ArrayList<>();
    private ArrayList<DeliveryQueue> dispatching = new ArrayList<>();
    private final ArrayList<DeliveryQueue> unjournaled = new ArrayList<>();
    private final ArrayList<Runnable> barriers = new ArrayList<>();
    private final ArrayList<Runnable> unjournaledDeletions = new ArrayList<>(0);
    private boolean journalRefused;
    private ArrayList<Runnable> laters = new ArrayList<>();
    private long truncatedAt;
    private long deltaBytes;
    private long homeBytesAtCheckpoint;
    private long lastCheckpointBytes;
    private @Nullable Republisher republisher;
    private @Nullable ShardLoop loop;
    private @Nullable PublishPipeline pipeline;
    private @Nullable Executor executor;

    DeliveryQueues(
            Clock clock,
            LoopTasks out,
            MemoryLog memory,
            LogPartition[] home,
            LogPartition state,
            RecoveredState recovered,
            long checkpointBytes) {
        this.clock = clock;
        this.out = out;
        this.memory = memory;
        this.home = home;
        this.state = state;
        this.recovered = recovered;
        this.checkpointBytes = checkpointBytes;
        pins = new HomePins[home.length];
        fed = new long[home.length];
        for (int i = 0; i < home.length; i++) {
            pins[i] = new HomePins();
            fed[i] = home[i].logEndOffset();
        }
        recovered.forEachReference(position -> pins[Reference.partition(position)].add(Reference.offset(position)));
    }

    /** Ties the knot; called once before the loop starts. */
    void connect(ShardLoop shardLoop, PublishPipeline publishPipeline, Executor shardExecutor) {
        loop = shardLoop;
        pipeline = publishPipeline;
        executor = shardExecutor;
    }

    @Override
    public CompletionStage<QueueRef> open(QueueSpec spec) {
        CompletableFuture<QueueRef> opened = new CompletableFuture<>();
        loop().put((Runnable) () -> open(spec, opened));
        return opened;
    }

    @Override
    public CompletionStage<Long> delete(QueueId id) {
        CompletableFuture<Long> deleted = new CompletableFuture<>();
        loop().put((Runnable) () -> follow(() -> delete(id, deleted)));
        return deleted;
    }

    @Override
    public @Nullable QueueRef find(QueueId id) {
        return byId.get(id.value());
    }

    @Override
    public void republisher(Republisher target) {
        loop().put((Runnable) () -> republisher = target);
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

    LogPartition homePartition(int index) {
        return home[index];
    }

    /** The queues of a committed message learn of it, in the order of commits. */
    void enqueue(TargetSet targets, long position, int size) {
        int partition = Reference.partition(position);
        long offset = Reference.offset(position);
        boolean inMemory = partition == Reference.MEMORY_PARTITION;
        long state = Reference.state(size, 0, false);
        for (int i = 0; i < targets.queueCount(); i++) {
            if (targets.queue(i) instanceof QueueHandle handle && handle.queue().enqueue(position, state)) {
                if (inMemory) {
                    memory.refer(offset);
                } else {
                    pins[partition].add(offset);
                }
            }
        }
        if (!inMemory) {
            fed[partition] = Math.max(fed[partition], offset + 1);
        }
    }

    /** A queue is done with a message. */
    void forget(long position) {
        int partition = Reference.partition(position);
        if (partition == Reference.MEMORY_PARTITION) {
            memory.settle(Reference.offset(position));
        } else {
            pins[partition].remove(Reference.offset(position));
        }
    }

    void markDirty(DeliveryQueue queue) {
        if (!queue.dirty) {
            queue.dirty = true;
            dirty.add(queue);
        }
    }

    void markUnjournaled(DeliveryQueue queue) {
        if (!queue.unjournaled) {
            queue.unjournaled = true;
            unjournaled.add(queue);
        }
    }

    /** Runs when all publishes taken up before are known to their queues. */
    void follow(Runnable follower) {
        pipeline().follow(follower);
    }

    /**
     * Runs at the end of the turn in which everything before is applied, dispatched and journaled; later if the journal has to wait
     * for disk space.
     */
    void barrier(Runnable applied) {
        follow(() -> barriers.add(applied));
    }

    /** Runs after the current command, in this turn. */
    void later(Runnable work) {
        laters.add(work);
    }

    /** The batch holding this message if it is in memory, retained. */
    @Nullable
    BatchView cachedBatch(long position) {
        int partition = Reference.partition(position);
        long offset = Reference.offset(position);
        return partition == Reference.MEMORY_PARTITION ? memory.batch(offset) : home[partition].cachedBatch(offset);
    }

    /** Gives the batch holding this message, null if it is gone; it is released afterwards. */
    void withBatch(long position, Consumer<@Nullable BatchView> user) {
        BatchView cached = cachedBatch(position);
        if (cached != null) {
            use(cached, user);
            return;
        }
        home[Reference.partition(position)]
                .loadBatch(Reference.offset(position), executor())
                .whenComplete((loaded, error) -> {
                    if (error == null) {
                        use(loaded, user);
                    } else {
                        // stays dying: it is delivered again after a restart
                        LOG.error("A dead letter cannot be read", error);
                    }
                });
    }

    void deadLetter(DeliveryQueue queue, BatchView source, long offset, String reason, int count, long deliveryId) {
        Republisher to = republisher;
        Runnable settled = () -> executor().execute(() -> queue.deadLettered(deliveryId));
        if (to == null) {
            LOG.warn(
                    "No dead-letter routing yet: a message of queue '{}' is dropped",
                    queue.spec().name());
            settled.run();
            return;
        }
        try {
            to.deadLetter(queue.spec(), source, offset, reason, count, settled);
        } catch (RuntimeException e) {
            LOG.error(
                    "A dead letter of queue '{}' could not be routed",
                    queue.spec().name(),
                    e);
        }
    }

    /**
     * Dispatches and journals.
     *
     * @return true if queues have more to deliver at once
     */
    boolean endTurn() {
        runLaters();
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
        if (journal()) {
            for (int i = 0; i < barriers.size(); i++) {
                barriers.get(i).run();
            }
            barriers.clear();
        }
        truncate();
        return !dirty.isEmpty() || !laters.isEmpty();
    }

    /** Writes all indexes down and cuts the journal before them. The pass is synced. */
    void checkpoint() {
        long start = state.logEndOffset();
        long[] dispatched = fed.clone();
        long now = clock.epochMillis();
        HashMap<Long, DeliveryMachine> machines = new HashMap<>();
        for (QueueHandle handle : byId.values()) {
            if (handle.spec().durable()) {
                machines.put(handle.spec().id().value(), handle.queue().machine());
            }
        }
        ArrayDeque<OpenBatch> batches = new ArrayDeque<>();
        long bytes = StateCodec.checkpoint(dispatched, recovered, machines, value -> {
            if (batches.isEmpty() || batches.getLast().sizeInBytes() > CHECKPOINT_BATCH_BYTES) {
                batches.add(new OpenBatch(state));
            }
            batches.getLast().add(value, now, Durability.GROUP);
        });
        try {
            batches.forEach(OpenBatch::append);
        } catch (LogException e) {
            batches.forEach(OpenBatch::discard);
            refused("No checkpoint of queues", e);
            return;
        }
        for (DeliveryQueue queue : unjournaled) {
            queue.unjournaled = false;
            QueueDelta delta = queue.delta();
            if (delta != null) {
                delta.clear();
            }
        }
        unjournaled.clear();
        deltaBytes = 0;
        lastCheckpointBytes = bytes;
        homeBytesAtCheckpoint = pipeline().homeBytes();
        pipeline().commitThen(() -> state.truncatePrefix(start));
    }

    /** Frees memory; called once at the end. */
    void stop() {
        for (QueueHandle handle : byId.values()) {
            handle.queue().release();
        }
        memory.close();
    }

    private void open(QueueSpec spec, CompletableFuture<QueueRef> opened) {
        QueueHandle present = byId.get(spec.id().value());
        if (present != null) {
            opened.complete(present);
            return;
        }
        QueueHandle handle = new QueueHandle(spec, loop(), this);
        boolean known = recovered.take(
                spec.id().value(), (position, state) -> handle.queue().enqueue(position, state));
        byId.put(spec.id().value(), handle);
        if (known || !spec.durable()) {
            handle.publish(handle.queue().machine().ready(), 0, 0);
            opened.complete(handle);
            return;
        }
        ByteBuf value = PooledByteBufAllocator.DEFAULT.buffer();
        StateCodec.writeCreated(value, spec.id().value());
        pipeline().journal(value, clock.epochMillis(), refusal -> {
            if (refusal == null) {
                opened.complete(handle);
            } else {
                byId.remove(spec.id().value(), handle);
                handle.queue().close();
                opened.completeExceptionally(refusal);
            }
        });
        value.release();
    }

    private void delete(QueueId id, CompletableFuture<Long> deleted) {
        QueueHandle handle = byId.remove(id.value());
        boolean durable;
        long ready = 0;
        if (handle == null) {
            durable = recovered.drop(id.value(), this::forget);
        } else {
            durable = handle.spec().durable();
            ready = handle.queue().close();
        }
        if (!durable) {
            deleted.complete(ready);
            return;
        }
        journalDeletion(id, ready, deleted);
    }

    /** The queue is gone already: a deletion that the journal has no space for waits for it. */
    private void journalDeletion(QueueId id, long ready, CompletableFuture<Long> deleted) {
        ByteBuf value = PooledByteBufAllocator.DEFAULT.buffer();
        StateCodec.writeDeleted(value, id.value());
        pipeline().journal(value, clock.epochMillis(), refusal -> {
            if (refusal == null) {
                deleted.complete(ready);
            } else if (refusal.reason() == Reason.DISK_FULL) {
                unjournaledDeletions.add(() -> journalDeletion(id, ready, deleted));
            } else {
                deleted.completeExceptionally(refusal);
            }
        });
        value.release();
    }

    private void runLaters() {
        while (!laters.isEmpty()) {
            ArrayList<Runnable> now = laters;
            laters = new ArrayList<>();
            for (Runnable work : now) {
                work.run();
            }
        }
    }

    /** Writes settlements down; false if they have to wait for disk space. */
    private boolean journal() {
        if (unjournaled.isEmpty()) {
            return true;
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
            int bytes = batch.sizeInBytes();
            batch.append();
            pipeline().commitStaged();
            deltaBytes += bytes;
        } catch (LogException e) {
            batch.discard();
            refused("Settlements stay in memory", e);
            return e.reason() != Reason.DISK_FULL;
        } finally {
            value.release();
        }
        if (journalRefused) {
            journalRefused = false;
            LOG.info("Settlements are journaled again");
        }
        for (int i = 0; i < unjournaled.size(); i++) {
            DeliveryQueue queue = unjournaled.get(i);
            queue.unjournaled = false;
            QueueDelta delta = queue.delta();
            if (delta != null) {
                delta.clear();
            }
        }
        unjournaled.clear();
        return true;
    }

    private void refused(String what, LogException refusal) {
        if (!journalRefused) {
            journalRefused = true;
            LOG.warn("{}, the journal refused them: {}", what, refusal.getMessage());
        }
    }

    private void truncate() {
        long now = clock.nanoTime();
        if (now - truncatedAt < TRUNCATE_EVERY_NANOS) {
            return;
        }
        truncatedAt = now;
        if (!unjournaledDeletions.isEmpty()) {
            List<Runnable> again = List.copyOf(unjournaledDeletions);
            unjournaledDeletions.clear();
            again.forEach(Runnable::run);
        }
        for (int i = 0; i < home.length; i++) {
            long floor = pins[i].floor(fed[i]);
            if (floor > home[i].logStartOffset()) {
                home[i].truncatePrefix(floor);
            }
        }
        long bound = Math.max(checkpointBytes, 4 * lastCheckpointBytes);
        if (deltaBytes > bound || pipeline().homeBytes() - homeBytesAtCheckpoint > bound) {
            checkpoint();
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

    private PublishPipeline pipeline() {
        PublishPipeline connected = pipeline;
        if (connected == null) {
            throw new IllegalStateException("shard not started");
        }
        return connected;
    }
}
