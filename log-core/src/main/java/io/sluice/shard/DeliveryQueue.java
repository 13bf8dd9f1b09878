package io.sluice.shard;

import io.sluice.log.LogException;
import io.sluice.queue.DeliveryEffects;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.MessageSelector;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.QueueStats;
import io.sluice.queue.Reference;
import io.sluice.queue.Settlement;
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
final class DeliveryQueue implements QueueReader.User {
    private static final Logger LOG = LoggerFactory.getLogger(DeliveryQueue.class);
    /** Deliveries of one queue in one turn; the rest follows in the next, after other queues. */
    private static final int PER_TURN = 2048;

    private static final long[] NONE = {};
    private static final long RETRY_NANOS = 1_000_000_000L;
    private static final long INDEX_RETRY_MILLIS = 1_000;

    private final QueueHandle handle;
    private final DeliveryQueues queues;
    private final DeliveryMachine machine;
    private static final @Nullable ConsumerHandle[] NOBODY = {};

    private final boolean durable;
    private QueuePolicy policy;
    // what an idle queue does not need, it does not have
    private @Nullable ConsumerHandle[] consumers = NOBODY;
    private @Nullable ArrayList<ConsumerHandle> drains;
    private @Nullable ConsumerLag lag;

    private @Nullable QueueEffects effects;
    private @Nullable Browses browses;
    /** Null while every message is for every consumer. */
    private @Nullable Examiner examiner;

    private boolean isFullOfPassed;
    private long retryAt;
    /** A part of the index could not be read: nothing goes out before this, epoch ms; 0 = all is well. */
    private long indexRetryAt;

    private boolean closed;
    private boolean released;
    private boolean dispatching;
    private long unusedSince;
    /** Kept by {@link QueueTimers}. */
    QueueTimers.@Nullable Timer timer;

    boolean dirty;
    boolean unjournaled;

    DeliveryQueue(QueueHandle handle, DeliveryQueues queues) {
        this.handle = handle;
        this.queues = queues;
        policy = handle.spec().policy();
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
        return effects == null ? null : effects.delta();
    }

    /** What changed is written down. */
    void journaled() {
        unjournaled = false;
        if (effects != null) {
            effects.journaled();
        }
        trim();
    }

    private QueueEffects effects() {
        QueueEffects own = effects;
        if (own == null) {
            own = new QueueEffects(this, queues);
            effects = own;
        }
        return own;
    }

    /** The consumer of this number. */
    ConsumerHandle consumer(int slot) {
        ConsumerHandle consumer = consumers[slot];
        if (consumer == null) {
            throw new IllegalStateException("delivery without consumer");
        }
        return consumer;
    }

    /** Gives back the memory that an idle queue does not need. */
    private void trim() {
        if (machine.isIdle() && !unjournaled && !dispatching && drains == null && browses == null) {
            machine.trimToIdle();
            if (effects != null && !effects.reader().isLoading()) {
                effects.reader().close();
                effects = null;
            }
            consumers = NOBODY;
            lag = null;
            examiner = null;
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
                machine.refuse(position, state, expiry, arrival, queues.now(), effects());
                return false;
            }
        }
        machine.enqueue(position, state, expiry, arrival, queues.now());
        return true;
    }

    /** See {@link io.sluice.queue.Queues#reconfigure}. */
    void reconfigure(QueuePolicy next) {
        machine.policy(next);
        if (next.expires() != policy.expires()) {
            unusedSince = queues.currentMillis();
        }
        policy = next;
        handle.policy(next);
        queues.markDirty(this);
    }

    /** True if a message more would be refused. */
    boolean isFull() {
        return policy.refusesPublishes() && !machine.hasRoom();
    }

    /** A message of an earlier life. */
    void restore(long position, long state, long expiry, long due) {
        if (due > queues.now()) {
            machine.restorePostponed(position, state, expiry, due, effects());
        } else {
            machine.restore(position, state, expiry, effects());
        }
        queues.markDirty(this);
    }

    /** A message of an earlier life, read back from the log. */
    void restoreArrived(long position, long state, long expiry, long arrival, long due) {
        if (due > queues.now()) {
            machine.restoreArrivedPostponed(position, state, expiry, arrival, due, effects());
        } else {
            machine.restoreArrived(position, state, expiry, arrival, effects());
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
            refuse(consumer.sink(), "queue deleted");
            return;
        }
        QueueRef.ConsumerSpec wanted = consumer.spec();
        MessageSelector selector = wanted.selector();
        boolean known = selector != null && ownExaminer().knows(selector);
        long bit = selector == null ? 0 : ownExaminer().enter(selector);
        if (selector != null && bit == 0) {
            refuse(
                    consumer.sink(),
                    "queue '" + spec().name() + "' has " + Examiner.MAX_SELECTORS + " selectors already");
            return;
        }
        int slot = wanted.pull()
                ? machine.attachPull(wanted.autoSettle(), wanted.initialCredit())
                : machine.attach(wanted.autoSettle(), wanted.exclusive(), wanted.priority(), wanted.initialCredit());
        if (slot < 0) {
            if (selector != null) {
                ownExaminer().leave(selector);
            }
            refuse(consumer.sink(), "queue '" + spec().name() + "' is in exclusive use");
            return;
        }
        if (slot >= consumers.length) {
            consumers = Arrays.copyOf(consumers, Math.max(slot + 1, Math.max(2, consumers.length * 2)));
        }
        consumer.slot = slot;
        consumers[slot] = consumer;
        if (bit != 0) {
            machine.select(slot, bit, known);
        }
        if (wanted.lockMillis() > 0) {
            machine.lock(slot, wanted.lockMillis());
        }
        queues.markDirty(this);
    }

    /** Tells somebody that he gets nothing. */
    void refuse(DeliverySink sink, String why) {
        queues.out().of(sink.executor()).then(() -> sink.closed(why));
    }

    private Examiner ownExaminer() {
        Examiner own = examiner;
        if (own == null) {
            own = new Examiner(spec().name(), spec().policy());
            examiner = own;
        }
        return own;
    }

    void browse(Browse browse) {
        queues.follow(() -> {
            if (closed || spec().policy().delayed()) {
                refuse(browse.sink(), closed ? "queue deleted" : "queue '" + spec().name() + "' shows nothing");
                return;
            }
            if (browses == null) {
                browses = new Browses(this, queues);
            }
            browses.add(browse, machine);
        });
    }

    void endBrowse(Browse browse) {
        Browses all = browses;
        if (all != null) {
            all.end(browse);
            browses = all.isEmpty() ? null : all;
        }
    }

    /** There is something to do. */
    void wake() {
        if (!closed && !released) {
            queues.markDirty(this);
        }
    }

    void apply(ConsumerHandle.Flush flush) {
        int slot = flush.consumer.slot;
        boolean gone = slot < 0 || closed;
        long[] refused = flush.refused == null ? NONE : new long[flush.count];
        int refusals = 0;
        long[] settlements = flush.settlements;
        for (int i = 0; i < flush.count; i++) {
            long id = settlements[i] >>> ConsumerHandle.KIND_BITS;
            int kind = (int) settlements[i] & (1 << ConsumerHandle.KIND_BITS) - 1;
            long until = ConsumerHandle.hasTime(kind) ? settlements[++i] : 0;
            if ((gone || !settle(slot, id, kind, until)) && flush.refused != null) {
                refused[refusals++] = id;
            }
        }
        if (!gone) {
            machine.credit(slot, flush.credit);
            queues.markDirty(this);
        }
        if (flush.refused != null) {
            queues.barrier(DeliveryQueues.completing(flush.refused, Arrays.copyOf(refused, refusals)));
        }
    }

    /** False if the consumer does not hold the delivery. */
    private boolean settle(int slot, long id, int kind, long until) {
        QueueEffects to = effects();
        return switch (kind) {
            case ConsumerHandle.ACK -> machine.ack(slot, id, to);
            case ConsumerHandle.RELEASE -> machine.release(slot, id, false, 0, to);
            case ConsumerHandle.FAILED -> machine.release(slot, id, true, retryTime(), to);
            case ConsumerHandle.REJECT -> machine.reject(slot, id, to);
            case ConsumerHandle.RENEW -> machine.renew(slot, id, queues.currentMillis());
            default ->
                machine.releaseUntil(slot, id, kind == ConsumerHandle.FAILED_UNTIL, queues.currentMillis(), until, to);
        };
    }

    /** Epoch ms from which retries of this queue wait; only a queue that delays them asks the clock. */
    private long retryTime() {
        return policy.retry() == null ? 0 : queues.currentMillis();
    }

    /** Sets a delivery aside for a transaction; false if the consumer does not hold it. */
    boolean prepare(ConsumerHandle consumer, long deliveryId, Settlement how, DeliveryEffects effects) {
        return consumer.slot >= 0 && !closed && machine.prepare(consumer.slot, deliveryId, how, effects);
    }

    /** A transaction that has set a delivery aside is over. */
    void endPrepared(long deliveryId, boolean committed) {
        if (!closed) {
            effects().alreadyJournaled(committed);
            machine.endPrepared(deliveryId, committed, retryTime(), effects());
            effects().alreadyJournaled(false);
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
            effects().alreadyJournaled(stored);
            machine.endReplacing(deliveryId, stored, effects());
            effects().alreadyJournaled(false);
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
            MessageSelector selector = consumer.spec().selector();
            if (selector != null) {
                ownExaminer().leave(selector);
            }
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
            long count = closed ? 0 : machine.purge(effects());
            if (count > 0 && durable) {
                effects().purged(queues.fed(), inFlight());
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
        if (browses != null) {
            browses.close();
            browses = null;
        }
        machine.close(effects());
        queues.wakeNoMore(this);
        handle.publish(0, 0, 0);
        effects().reader().release();
        return ready;
    }

    /** Frees what it holds in memory and keeps nothing from now on; its state stays as journaled. */
    void release() {
        released = true;
        if (effects != null) {
            effects.reader().release();
        }
        if (browses != null) {
            browses.release();
        }
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
            machine.expire(now, effects());
            boolean more = !isLoading() && deliver(now);
            if (!more) {
                more = machine.trim(effects());
            }
            if (browses != null) {
                more |= browses.work(machine, now);
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
                machine.expire(now, effects());
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
            if (!effects().reader().open(position)) {
                break;
            }
            if (machine.needsExamination()
                    && !ownExaminer().examine(machine, effects().reader().view(), position)) {
                continue;
            }
            machine.dispatch(now, effects());
        }
        if (!more && !isLoading()) {
            endDrains();
        }
        QueueReader reader = effects == null ? null : effects.reader();
        if (reader != null && (!reader.isFromDisk() || machine.ready() == 0)) {
            reader.close();
        }
        tellIfFull();
        return more;
    }

    private boolean isLoading() {
        return effects != null && effects.reader().isLoading();
    }

    private void tellIfFull() {
        boolean full = machine.standsFull();
        if (full && !isFullOfPassed) {
            LOG.warn(
                    "Queue '{}': so many messages were passed over that those behind wait until somebody takes some of them",
                    spec().name());
        }
        isFullOfPassed = full;
    }

    /** When there is something to do next, epoch ms; tells that the queue expires if it does. */
    private long nextTimer(long now) {
        long expires = policy.expires();
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

    /** The copy of a dying message is stored. */
    void deadLettered(long deliveryId) {
        if (!closed) {
            machine.deadLettered(deliveryId, effects());
            queues.markDirty(this);
        }
    }

    @Override
    public void loaded() {
        queues.markDirty(this);
    }

    @Override
    public void failed(Throwable error) {
        LOG.error("Queue '{}' cannot read its next message; trying again in 1 s", spec().name(), error);
        retryAt = queues.nanoTime() + RETRY_NANOS;
        queues.retryLater(this);
        queues.markDirty(this);
    }

    @Override
    public void missing(long position) {
        LOG.atLevel(queues.mayBeGone(position) ? Level.DEBUG : Level.WARN)
                .log(
                        "Queue '{}': no record at offset {} of home partition {}: dropped",
                        spec().name(),
                        Reference.offset(position),
                        Reference.partition(position));
        if (machine.nextPosition() == position) {
            machine.dropNext(effects());
        }
        queues.markDirty(this);
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
}
