package io.sluice.shard;

import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.record.BatchView;
import io.sluice.queue.DeathReason;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliveryEffects;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.QueueStats;
import io.sluice.queue.Reference;
import io.sluice.queue.Settlement;
import io.sluice.queue.index.QueueIndex;
import io.sluice.queue.state.QueueDelta;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * A queue on its shard: drives the {@link DeliveryMachine} and turns effects into deliveries, journal entries and dead letters.
 * Dispatch waits while the next record is being loaded from disk, so a cold backlog keeps its order. Shard thread.
 */
final class DeliveryQueue implements DeliveryEffects {
    private static final Logger LOG = LoggerFactory.getLogger(DeliveryQueue.class);
    /** Deliveries of one queue in one turn; the rest follows in the next, after other queues. */
    private static final int PER_TURN = 2048;

    private static final long RETRY_NANOS = 1_000_000_000L;
    private static final long INDEX_RETRY_MILLIS = 1_000;

    private final QueueHandle handle;
    private final DeliveryQueues queues;
    private final DeliveryMachine machine;
    private static final @Nullable ConsumerHandle[] NOBODY = {};

    private final boolean durable;
    // what an idle queue does not need, it does not have
    private @Nullable QueueDelta delta;
    private @Nullable ConsumerHandle[] consumers = NOBODY;
    private @Nullable ArrayList<ConsumerHandle> drains;
    private @Nullable ConsumerLag lag;

    private @Nullable BatchView view;
    private int viewPartition = -1;
    private boolean viewIsLoaded;
    private boolean loading;
    private long retryAt;
    /** A part of the index could not be read: nothing goes out before this, epoch ms; 0 = all is well. */
    private long indexRetryAt;

    private boolean closed;
    private boolean released;
    private boolean dispatching;
    /** What the machine says now is in the journal. */
    private boolean journaling;

    private long unusedSince;
    /** Kept by {@link QueueTimers}. */
    QueueTimers.@Nullable Timer timer;

    boolean dirty;
    boolean unjournaled;

    DeliveryQueue(QueueHandle handle, DeliveryQueues queues) {
        this.handle = handle;
        this.queues = queues;
        QueuePolicy policy = handle.spec().policy();
        machine = new DeliveryMachine(policy, queues.blocks(), queues.now());
        unusedSince = queues.currentMillis();
        durable = handle.spec().durable();
    }

    QueueHandle handle() {
        return handle;
    }

    QueueSpec spec() {
        return handle.spec();
    }

    DeliveryMachine machine() {
        return machine;
    }

    /** What changed since it was last journaled; null if nothing did. */
    @Nullable
    QueueDelta delta() {
        return delta;
    }

    /** What changed is written down. */
    void journaled() {
        unjournaled = false;
        if (delta != null) {
            delta.clear();
        }
        trim();
    }

    private QueueDelta ownDelta() {
        QueueDelta own = delta;
        if (own == null) {
            own = new QueueDelta();
            delta = own;
        }
        return own;
    }

    /** Gives back the memory that an idle queue does not need. */
    private void trim() {
        if (machine.isIdle() && !unjournaled && !dispatching && drains == null) {
            machine.trimToIdle();
            delta = null;
            consumers = NOBODY;
            lag = null;
        }
    }

    boolean isClosed() {
        return closed;
    }

    /**
     * A message was committed. Answers false if the queue is full and does not take it.
     *
     * @param whole true if it takes it all the same, as part of a transaction
     */
    boolean enqueue(long position, long state, long expiry, long arrival, boolean whole) {
        queues.markDirty(this);
        if (!whole && isFull()) {
            // room that consumers make now was there before
            dispatch();
            if (isFull()) {
                machine.refuse(position, state, expiry, arrival, queues.now(), this);
                return false;
            }
        }
        machine.enqueue(position, state, expiry, arrival, queues.now());
        return true;
    }

    /** True if a message more would be refused. */
    boolean isFull() {
        return spec().policy().refusesPublishes() && !machine.hasRoom();
    }

    /** A message of an earlier life. */
    void restore(long position, long state, long expiry, long due) {
        if (due > queues.now()) {
            machine.restorePostponed(position, state, expiry, due, this);
        } else {
            machine.restore(position, state, expiry, this);
        }
        queues.markDirty(this);
    }

    /** A message of an earlier life, read back from the log. */
    void restoreArrived(long position, long state, long expiry, long arrival, long due) {
        if (due > queues.now()) {
            machine.restoreArrivedPostponed(position, state, expiry, arrival, due, this);
        } else {
            machine.restoreArrived(position, state, expiry, arrival, this);
        }
        queues.markDirty(this);
    }

    /** The queue is in use. */
    void touch() {
        unusedSince = queues.currentMillis();
        queues.markDirty(this);
    }

    void attach(ConsumerHandle consumer) {
        if (closed) {
            queues.out()
                    .of(consumer.sink().executor())
                    .then(() -> consumer.sink().closed("queue deleted"));
            return;
        }
        QueueRef.ConsumerSpec wanted = consumer.spec();
        int slot = wanted.pull()
                ? machine.attachPull(wanted.autoSettle(), wanted.initialCredit())
                : machine.attach(wanted.autoSettle(), wanted.exclusive(), wanted.priority(), wanted.initialCredit());
        if (slot < 0) {
            queues.out()
                    .of(consumer.sink().executor())
                    .then(() -> consumer.sink().closed("queue '" + spec().name() + "' is in exclusive use"));
            return;
        }
        if (slot >= consumers.length) {
            consumers = Arrays.copyOf(consumers, Math.max(slot + 1, Math.max(2, consumers.length * 2)));
        }
        consumer.slot = slot;
        consumers[slot] = consumer;
        queues.markDirty(this);
    }

    void apply(ConsumerHandle.Flush flush) {
        int slot = flush.consumer.slot;
        if (slot < 0 || closed) {
            return;
        }
        long[] settlements = flush.settlements;
        for (int i = 0; i < flush.count; i++) {
            long id = settlements[i] >>> ConsumerHandle.KIND_BITS;
            int kind = (int) settlements[i] & (1 << ConsumerHandle.KIND_BITS) - 1;
            switch (kind) {
                case ConsumerHandle.ACK -> machine.ack(slot, id, this);
                case ConsumerHandle.RELEASE -> machine.release(slot, id, false, 0, this);
                case ConsumerHandle.FAILED -> machine.release(slot, id, true, retryTime(), this);
                case ConsumerHandle.REJECT -> machine.reject(slot, id, this);
                default ->
                    machine.releaseUntil(
                            slot,
                            id,
                            kind == ConsumerHandle.FAILED_UNTIL,
                            queues.currentMillis(),
                            settlements[++i],
                            this);
            }
        }
        machine.credit(slot, flush.credit);
        queues.markDirty(this);
    }

    /** Epoch ms from which retries of this queue wait; only a queue that delays them asks the clock. */
    private long retryTime() {
        return spec().policy().retry() == null ? 0 : queues.currentMillis();
    }

    /** Sets a delivery aside for a transaction; false if the consumer does not hold it. */
    boolean prepare(ConsumerHandle consumer, long deliveryId, Settlement how, DeliveryEffects effects) {
        return consumer.slot >= 0 && !closed && machine.prepare(consumer.slot, deliveryId, how, effects);
    }

    /** A transaction that has set a delivery aside is over. */
    void endPrepared(long deliveryId, boolean committed) {
        if (!closed) {
            journaling = committed;
            machine.endPrepared(deliveryId, committed, retryTime(), this);
            journaling = false;
            queues.markDirty(this);
        }
    }

    /** The copy of a dying message goes to the log, its settlement with it; false if it is not dying any more. */
    boolean beginReplacing(long deliveryId) {
        return !closed && machine.beginReplacing(deliveryId);
    }

    /** Copy and settlement are {@code stored}, or neither. */
    void endReplacing(long deliveryId, boolean stored) {
        if (!closed) {
            journaling = stored;
            machine.endReplacing(deliveryId, stored, this);
            journaling = false;
            queues.markDirty(this);
        }
    }

    /** True if what becomes of the message must be known after a restart. */
    boolean isJournaled(long position) {
        return durable && Reference.partition(position) != Reference.MEMORY_PARTITION;
    }

    void barrier(CompletableFuture<@Nullable Void> applied) {
        queues.barrier(error -> {
            if (error == null) {
                applied.complete(null);
            } else {
                applied.completeExceptionally(error);
            }
        });
    }

    void stop(ConsumerHandle consumer) {
        if (consumer.slot >= 0) {
            machine.stop(consumer.slot);
        }
    }

    void retire(ConsumerHandle consumer) {
        if (consumer.slot >= 0) {
            machine.retire(consumer.slot);
            touch();
        }
    }

    /** Waits for publishes taken up before, so that a get after a publish finds its message. */
    void drain(ConsumerHandle consumer, Runnable drained) {
        queues.follow(() -> {
            if (consumer.slot < 0) {
                queues.out().of(consumer.sink().executor()).then(drained);
                return;
            }
            consumer.draining.add(drained);
            if (drains == null) {
                drains = new ArrayList<>(1);
            }
            drains.add(consumer);
            queues.markDirty(this);
        });
    }

    void cancel(ConsumerHandle consumer) {
        if (consumer.slot >= 0) {
            machine.cancel(consumer.slot);
            consumers[consumer.slot] = null;
            consumer.slot = -1;
            touch();
        }
    }

    void currentStats(CompletableFuture<QueueStats> current) {
        queues.follow(() -> {
            // what consumers take and what is beyond the limits does not count
            if (dispatch()) {
                queues.markDirty(this);
            }
            QueueStats stats = handle.stats();
            queues.atEndOfTurn(() -> current.complete(stats));
        });
    }

    void purge(CompletableFuture<Long> purged) {
        queues.follow(() -> {
            long count = closed ? 0 : machine.purge(this);
            if (count > 0 && durable) {
                ownDelta().purged(queues.fed(), inFlight());
                queues.markUnjournaled(this);
            }
            queues.markDirty(this);
            queues.barrier(DeliveryQueues.completing(purged, count));
        });
    }

    /** Removes everything; the owner journals the deletion. Answers the number of ready messages that went. */
    long close() {
        closed = true;
        handle.close();
        long ready = machine.ready();
        for (ConsumerHandle consumer : consumers) {
            if (consumer != null) {
                consumer.slot = -1;
                LoopTask task = queues.out().of(consumer.sink().executor());
                consumer.draining.forEach(task::then);
                task.then(() -> consumer.sink().closed("queue deleted"));
            }
        }
        drains = null;
        machine.close(this);
        queues.wakeNoMore(this);
        handle.publish(0, 0, 0);
        closeView();
        return ready;
    }

    /** Frees what it holds in memory and keeps nothing from now on; its state stays as journaled. */
    void release() {
        released = true;
        closeView();
    }

    /**
     * Delivers as far as messages, credit and the bound of a turn go.
     *
     * @return true if there is more to deliver at once
     */
    boolean dispatch() {
        if (closed || dispatching) {
            return false;
        }
        dispatching = true;
        long now = queues.now();
        boolean more = now >= indexRetryAt && work(now);
        for (ConsumerHandle consumer : consumers) {
            if (consumer != null) {
                consumer.open = null;
            }
        }
        handle.publish(machine.ready(), machine.unacked(), machine.consumers());
        handle.publishPause(publishPause(now));
        queues.wakeAt(this, nextTimer(now));
        dispatching = false;
        trim();
        return more;
    }

    private int publishPause(long now) {
        ConsumerLag current = lag;
        if (current == null) {
            if (machine.ready() < ConsumerLag.BEHIND || machine.consumers() == 0) {
                return 0;
            }
            current = new ConsumerLag();
            lag = current;
        }
        return machine.consumers() == 0 ? 0 : current.pause(now, machine.ready(), machine.delivered());
    }

    private boolean work(long now) {
        try {
            machine.expire(now, this);
            boolean more = !loading && deliver(now);
            if (!more) {
                machine.trim(this);
            }
            if (indexRetryAt != 0) {
                indexRetryAt = 0;
                LOG.info("Queue '{}' reads its index again", spec().name());
            }
            return more;
        } catch (LogException e) {
            if (indexRetryAt == 0) {
                LOG.error(
                        "Queue '{}' stands still, others go on: {}; tried again every second",
                        spec().name(),
                        e.getMessage());
            }
            indexRetryAt = now + INDEX_RETRY_MILLIS;
            return false;
        }
    }

    /** True if nothing goes out, because a part of the index cannot be read for the time being. */
    boolean standsStill() {
        return indexRetryAt != 0;
    }

    private boolean deliver(long now) {
        boolean more = false;
        if (retryAt != 0) {
            if (!mayRetry()) {
                return false;
            }
            retryAt = 0;
        }
        int left = PER_TURN;
        while (true) {
            long position = machine.nextPosition();
            if (position == Reference.NONE) {
                break;
            }
            if (machine.nextIsExpired(now)) {
                machine.expire(now, this);
                if (machine.ready() > 0 && machine.nextIsExpired(now)) {
                    // goes on when some of the dead letters are stored
                    break;
                }
                continue;
            }
            if (left-- == 0) {
                more = true;
                break;
            }
            if (!viewHolds(position) && !openView(position)) {
                break;
            }
            machine.dispatch(this);
        }
        if (!more && !loading) {
            endDrains();
        }
        if (view != null && (!viewIsLoaded || machine.ready() == 0)) {
            closeView();
        }
        return more;
    }

    /** When there is something to do next, epoch ms; tells that the queue expires if it does. */
    private long nextTimer(long now) {
        long expires = spec().policy().expires();
        long next = indexRetryAt != 0 ? indexRetryAt : machine.nextExpiry();
        if (expires < 0 || machine.consumers() > 0) {
            return next;
        }
        if (now - unusedSince >= expires) {
            unusedSince = now;
            queues.expired(spec());
        }
        return Math.min(next, unusedSince + expires);
    }

    private long[] inFlight() {
        long[] positions = new long[machine.unacked()];
        int[] count = new int[1];
        machine.visitInFlight((position, state, expiry) -> {
            if (Reference.partition(position) != Reference.MEMORY_PARTITION) {
                positions[count[0]++] = position;
            }
        });
        return Arrays.copyOf(positions, count[0]);
    }

    /** True if the time has come to read again what could not be read. */
    boolean mayRetry() {
        return queues.nanoTime() - retryAt >= 0;
    }

    @Override
    public void deliver(int consumer, long deliveryId, long position, long state, boolean settled) {
        ConsumerHandle to = consumers[consumer];
        BatchView from = view;
        if (to == null || from == null) {
            throw new IllegalStateException("delivery without consumer or record");
        }
        DeliveryBatch batch = to.open;
        if (batch == null) {
            batch = new DeliveryBatch();
            to.open = batch;
            queues.out().of(to.sink().executor()).deliver(to.sink(), batch);
        }
        batch.add(
                deliveryId,
                from,
                Reference.offset(position),
                Reference.deliveryCount(state),
                Reference.redelivered(state));
        if (!settled && isJournaled(position)) {
            if (ownDelta().delivered(position, priorityKey(state))) {
                queues.markUnjournaled(this);
            }
        }
    }

    private int priorityKey(long state) {
        return spec().policy().maxPriority() == 0 ? QueueDelta.ALL_PRIORITIES : Reference.priority(state);
    }

    @Override
    public void purged(QueueIndex references) {
        queues.forgetLater(references);
    }

    @Override
    public void settled(long position) {
        queues.forget(position);
        if (!journaling && isJournaled(position)) {
            ownDelta().settled(position);
            queues.markUnjournaled(this);
        }
    }

    @Override
    public void failed(long position, int deliveryCount) {
        if (!journaling && isJournaled(position)) {
            ownDelta().failed(position, deliveryCount);
            queues.markUnjournaled(this);
        }
    }

    @Override
    public void postponed(long position, long due) {
        if (isJournaled(position)) {
            ownDelta().postponed(position, due);
            queues.markUnjournaled(this);
        }
    }

    @Override
    public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {
        queues.dying().add(this, deliveryId, position, state, reason);
    }

    /** The copy of a dying message is stored. */
    void deadLettered(long deliveryId) {
        if (!closed) {
            machine.deadLettered(deliveryId, this);
            queues.markDirty(this);
        }
    }

    private void endDrains() {
        ArrayList<ConsumerHandle> ended = drains;
        if (ended == null) {
            return;
        }
        drains = null;
        for (int i = 0; i < ended.size(); i++) {
            ConsumerHandle consumer = ended.get(i);
            LoopTask task = queues.out().of(consumer.sink().executor());
            if (consumer.slot >= 0) {
                machine.stop(consumer.slot);
            }
            consumer.draining.forEach(task::then);
            consumer.draining.clear();
        }
    }

    private boolean viewHolds(long position) {
        BatchView held = view;
        long offset = Reference.offset(position);
        return held != null
                && viewPartition == Reference.partition(position)
                && offset >= held.baseOffset()
                && offset <= held.lastOffset();
    }

    /** Makes {@link #view} hold the record; false if it must be loaded first. */
    private boolean openView(long position) {
        closeView();
        viewPartition = Reference.partition(position);
        view = queues.cachedBatch(position);
        if (view != null) {
            return true;
        }
        LogPartition partition = queues.homePartition(viewPartition);
        loading = true;
        partition.loadBatch(Reference.offset(position), queues.executor()).whenComplete((loaded, error) -> {
            loading = false;
            loaded(position, loaded, error);
        });
        // an engine may answer at once
        return viewHolds(position);
    }

    private void loaded(long position, @Nullable BatchView loaded, @Nullable Throwable error) {
        if (closed || released) {
            if (loaded != null) {
                loaded.release();
            }
            return;
        }
        if (error != null) {
            LOG.error("Queue '{}' cannot read its next message; trying again in 1 s", spec().name(), error);
            retryAt = queues.nanoTime() + RETRY_NANOS;
            queues.retryLater(this);
        } else if (loaded != null) {
            closeView();
            view = loaded;
            viewPartition = Reference.partition(position);
            viewIsLoaded = true;
        } else {
            LOG.atLevel(queues.mayBeGone(position) ? Level.DEBUG : Level.WARN)
                    .log(
                            "Queue '{}': no record at offset {} of home partition {}: dropped",
                            spec().name(),
                            Reference.offset(position),
                            Reference.partition(position));
            if (machine.nextPosition() == position) {
                machine.dropNext(this);
            }
        }
        queues.markDirty(this);
    }

    private void closeView() {
        BatchView held = view;
        if (held != null) {
            view = null;
            viewIsLoaded = false;
            held.release();
        }
    }
}
