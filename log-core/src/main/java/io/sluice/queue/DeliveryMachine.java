package io.sluice.queue;

import io.sluice.queue.index.BlockStore;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * State of one queue as a pure machine: each public method is a command that changes the state and names its effects. No
 * I/O, clock, thread or randomness inside: time is an argument. Nothing is allocated per message.
 *
 * <p>A message is <em>fresh</em> (never delivered), <em>in flight</em> (with a consumer), <em>returned</em> (waiting again),
 * <em>postponed</em> (not to be delivered again before some time), <em>dying</em> (being copied to the dead-letter target) or settled and forgotten:
 *
 * <table><caption>Transitions</caption>
 * <tr><td>enqueue</td><td>→ fresh</td></tr>
 * <tr><td>restore</td><td>→ fresh; over the delivery limit → dying or settled</td></tr>
 * <tr><td>dispatch</td><td>fresh or returned → in flight, or settled for a consumer that settles by receipt</td></tr>
 * <tr><td>ack</td><td>in flight → settled</td></tr>
 * <tr><td>release, end of a lock</td><td>in flight → returned or postponed; over the delivery limit → dying or settled</td></tr>
 * <tr><td>cancel</td><td>in flight → returned</td></tr>
 * <tr><td>reject</td><td>in flight → dying, or settled without a dead-letter target</td></tr>
 * <tr><td>expire</td><td>postponed and due → returned; fresh or returned → dying or settled</td></tr>
 * <tr><td>trim</td><td>fresh or returned → dying or settled</td></tr>
 * <tr><td>prepare, endPrepared</td><td>in flight → as ack, release or reject, or → returned; in between it is nobody's</td></tr>
 * <tr><td>refuse</td><td>(new) → dying or settled</td></tr>
 * <tr><td>deadLettered</td><td>dying → settled</td></tr>
 * <tr><td>beginReplacing, endReplacing</td><td>dying → settled with its copy, or → dying</td></tr>
 * <tr><td>policy</td><td>(none; what is beyond new limits goes with the next trim)</td></tr>
 * <tr><td>purge</td><td>fresh, returned, postponed → settled</td></tr>
 * </table>
 *
 * <p>Order: by priority level, highest first, then by sequence of enqueueing. A returned message keeps its level and sequence
 * and so its place, also when it was postponed. Messages expire when they come to the head of their level, as in RabbitMQ; none is delivered expired.
 *
 * <p>Delivery limit as RabbitMQ's quorum queues have it: with limit n a message is delivered at most n + 1 times.
 *
 * <p>Indexes of long backlogs are read back from scratch files: {@link #dispatch}, {@link #dropNext}, {@link #expire}, {@link #trim}
 * and the visits throw a {@link io.sluice.log.LogException} where that fails. What was done until then is done and was told, the
 * rest is as before: the command can be given again.
 */
public final class DeliveryMachine {
    /** Credit that is not counted down. */
    public static final int UNLIMITED = Integer.MAX_VALUE;

    /** Messages that may be dying for their age at a time: a long backlog that expires at once does not fill the heap. */
    static final int MAX_EXPIRING = 4096;

    /** Messages beyond a limit that go in one command: a limit that is set on a long backlog does not hold up other queues. */
    static final int TRIMMED_AT_ONCE = 4096;

    private final BlockStore blocks;
    private QueuePolicy policy;
    /** Takes effect when no transaction has set a delivery aside any more; null if there is none. */
    private @Nullable QueuePolicy nextPolicy;

    // what an idle queue does not need is shared by all of them until it is used
    private WaitingReferences waiting = WaitingReferences.NONE;
    private UnsettledDeliveries unsettled = UnsettledDeliveries.NONE;
    private Consumers consumers = Consumers.NONE;
    /** Null while every message is for every consumer. */
    private @Nullable Matching matching;

    private @Nullable GroupTable groups;

    private long firstId = 1;
    /** Sequence of the newest message that was dying from the start: before all others, and unlike any of theirs. */
    private long sequenceOutside = -(1L << 40);

    /** An empty queue whose long backlogs go to {@code blocks}; {@code now} is epoch ms. */
    public DeliveryMachine(QueuePolicy policy, BlockStore blocks, long now) {
        this.policy = policy;
        this.blocks = blocks;
        if (policy.delayed()) {
            wake(now);
        }
    }

    /**
     * Changes what the queue does with its messages: limits, target and retries from now on, the time to live of messages that come
     * from now on (those that wait keep theirs, as in RabbitMQ). What a transaction has set aside ends by the policy that it
     * was set aside by, and until then all else goes by that, too.
     *
     * @throws IllegalArgumentException if the priorities, the groups or how consumers take turns are others, or one of the two is for delayed
     *     messages: a queue has these for life
     */
    public void policy(QueuePolicy next) {
        if (next.maxPriority() != policy.maxPriority()
                || next.singleActiveConsumer() != policy.singleActiveConsumer()
                || next.delayed() != policy.delayed()
                || !Objects.equals(next.groups(), policy.groups())) {
            throw new IllegalArgumentException("a queue cannot change from " + policy + " to " + next);
        }
        nextPolicy = next;
        applyPolicy();
    }

    private void applyPolicy() {
        QueuePolicy next = nextPolicy;
        if (next != null && unsettled.prepared() == 0) {
            policy = next;
            nextPolicy = null;
            if (unsettled != UnsettledDeliveries.NONE) {
                unsettled.policy(next);
            }
        }
    }

    /** True if it holds no message and nobody is attached. */
    public boolean isIdle() {
        return waiting.size() == 0 && unsettled.size() == 0 && consumers.isEmpty();
    }

    /** Gives back the memory that an idle queue does not need. */
    public void trimToIdle() {
        if (isIdle()) {
            consumers = Consumers.NONE;
            matching = null;
            groups = null;
            if (!waiting.areDelayed()) {
                firstId = Math.max(firstId, unsettled.nextId());
                waiting = WaitingReferences.NONE;
                unsettled = UnsettledDeliveries.NONE;
            }
        }
    }

    private void wake(long now) {
        if (waiting == WaitingReferences.NONE) {
            waiting = new WaitingReferences(policy, blocks, now);
            if (policy.groups() != null) {
                groups = new GroupTable(policy.groups().oneInFlight());
                matching = new Matching(waiting, groups);
            }
            unsettled = new UnsettledDeliveries(policy, waiting, groups, firstId);
        }
    }

    private Consumers ownConsumers() {
        if (consumers == Consumers.NONE) {
            consumers = new Consumers(policy.singleActiveConsumer());
        }
        return consumers;
    }

    /** Messages waiting. */
    public long ready() {
        return waiting.size();
    }

    /** Bytes of the messages waiting. */
    public long readyBytes() {
        return waiting.bytes();
    }

    /** Messages delivered and not settled, dying and postponed ones included. */
    public int unacked() {
        return unsettled.size();
    }

    /** Messages that came back and may not be delivered yet. They count neither as waiting nor for the queue's limits. */
    public int postponed() {
        return unsettled.postponed();
    }

    /** Messages handed to consumers or dead-lettered so far. */
    public long delivered() {
        return unsettled.nextId() - 1;
    }

    public int consumers() {
        return consumers.count();
    }

    /**
     * Adds a message behind all others of its level.
     *
     * @param state by {@link Reference#fresh}
     * @param expiry its own, epoch ms
     * @param arrival when it was taken up, epoch ms: the queue's time to live counts from then
     * @param now epoch ms. What was to expire while it was being stored still lives in this millisecond
     */
    public void enqueue(long position, long state, long expiry, long arrival, long now) {
        add(position, state, expiryAt(expiry, arrival, now));
    }

    private long expiryAt(long expiry, long arrival, long now) {
        long expires = Reference.earlier(expiry, expiryOf(arrival));
        return expires == Reference.NEVER || expires < arrival ? expires : Math.max(expires, now);
    }

    private long expiryOf(long arrival) {
        return policy.messageTtl() < 0 ? Reference.NEVER : arrival + policy.messageTtl();
    }

    /**
     * Adds a message that outlived a restart behind all others of its level; one over the delivery limit is not delivered again,
     * it dies, as does one that was rejected for good.
     *
     * @param expiry as it was when the message was enqueued
     */
    public void restore(long position, long state, long expiry, DeliveryEffects effects) {
        if (Reference.rejected(state)) {
            leave(++sequenceOutside, position, state, expiry, DeathReason.REJECTED, effects);
        } else if (unsettledOrNew().isWithinDeliveryLimit(state)) {
            add(position, state, expiry);
        } else {
            leave(++sequenceOutside, position, state, expiry, DeathReason.DELIVERY_LIMIT, effects);
        }
    }

    /**
     * As {@link #restore} for a message that may not be delivered yet.
     *
     * @param due epoch ms
     */
    public void restorePostponed(long position, long state, long expiry, long due, DeliveryEffects effects) {
        if (Reference.rejected(state) || !unsettledOrNew().isWithinDeliveryLimit(state)) {
            restore(position, state, expiry, effects);
        } else {
            unsettled.postpone(waiting.sequenceBeforeNext(state), position, state, expiry, due);
        }
    }

    /** As {@link #restore} for a message of which only its own expiry is known. */
    public void restoreArrived(long position, long state, long expiry, long arrival, DeliveryEffects effects) {
        restore(position, state, Reference.earlier(expiry, expiryOf(arrival)), effects);
    }

    /** As {@link #restorePostponed} for a message of which only its own expiry is known. */
    public void restoreArrivedPostponed(
            long position, long state, long expiry, long arrival, long due, DeliveryEffects effects) {
        restorePostponed(position, state, Reference.earlier(expiry, expiryOf(arrival)), due, effects);
    }

    private void add(long position, long state, long expiry) {
        wake(0);
        waiting.add(position, state, expiry);
    }

    private UnsettledDeliveries unsettledOrNew() {
        wake(0);
        return unsettled;
    }

    /** True if the queue is below its limits of length and bytes. */
    public boolean hasRoom() {
        return (policy.maxLength() < 0 || waiting.size() < policy.maxLength())
                && (policy.maxBytes() < 0 || waiting.bytes() < policy.maxBytes());
    }

    /**
     * A message that the queue does not take: it goes where messages beyond the limit go. A restart before its copy is stored
     * brings it back as one of the queue's, so it keeps its expiry.
     *
     * @param expiry as for {@link #enqueue}, and so are the times behind
     */
    public void refuse(long position, long state, long expiry, long arrival, long now, DeliveryEffects effects) {
        if (policy.overflow() != Overflow.REJECT_PUBLISH) {
            leave(++sequenceOutside, position, state, expiryAt(expiry, arrival, now), DeathReason.MAXLEN, effects);
        } else {
            effects.settled(position);
        }
    }

    /**
     * Adds a consumer.
     *
     * @return its number, reused after {@link #cancel}; -1 if refused: one of the two sides wants to be alone
     */
    public int attach(boolean autoSettle, boolean alone, int priority, int credit) {
        int consumer = ownConsumers().attach(autoSettle, alone, priority);
        if (consumer >= 0) {
            consumers.credit(consumer, credit);
        }
        return consumer;
    }

    /**
     * Adds somebody who takes single messages beside any consumer, before all of them, and is not counted as one.
     *
     * @return its number, as for {@link #attach}
     */
    public int attachPull(boolean autoSettle, int credit) {
        int consumer = ownConsumers().attachPull(autoSettle);
        consumers.credit(consumer, credit);
        return consumer;
    }

    /**
     * From here on the consumer gets only messages that meet a selector.
     *
     * @param selector bit of {@code meets} in {@link #examine}, any but the lowest
     * @param known false if messages examined so far were not held against it
     */
    public void select(int consumer, long selector, boolean known) {
        wake(0);
        consumers.accept(consumer, selector);
        if (matching == null) {
            matching = new Matching(waiting, groups);
        } else if (!known) {
            matching.restart();
        }
    }

    /**
     * From here on the consumer has a lock on what it gets: a delivery that it has not settled when the lock ends has failed, and comes
     * back.
     *
     * @param millis how long from the delivery on, above 0
     */
    public void lock(int consumer, long millis) {
        consumers.lock(consumer, millis);
    }

    /**
     * The consumer's lock on a delivery begins anew.
     *
     * @return false if the consumer does not hold it, or has no locks
     */
    public boolean renew(int consumer, long deliveryId, long now) {
        long millis = consumers.isAttached(consumer) ? consumers.lock(consumer) : 0;
        return millis > 0 && unsettled.lock(consumer, deliveryId, now + millis);
    }

    /** Grants more deliveries; {@link #UNLIMITED} for as many as there are. Ignored if not positive. */
    public void credit(int consumer, int more) {
        consumers.credit(consumer, more);
    }

    /** Takes all credit back; what is in flight stays with the consumer. */
    public void stop(int consumer) {
        consumers.stop(consumer);
    }

    /** As {@link #stop}, for good: it is a consumer no more, until {@link #cancel} it holds what it has not settled. */
    public void retire(int consumer) {
        consumers.retire(consumer);
    }

    /** True if the consumer may get more messages. */
    public boolean hasCredit(int consumer) {
        return consumers.credit(consumer) > 0 && consumers.isActive(consumer);
    }

    /** Position of the message that {@link #dispatch} hands over next, {@link Reference#NONE} if it would do nothing. */
    public long nextPosition() {
        if (waiting.size() == 0 || !consumers.areReady() || waiting.areDelayed()) {
            return Reference.NONE;
        }
        return matching == null ? waiting.nextPosition() : matching.nextPosition(consumers);
    }

    /** True if {@link #examine} must say yes to what {@link #nextPosition} answered before it can be dispatched. */
    public boolean needsExamination() {
        return matching != null && matching.needsExamination();
    }

    /**
     * Tells for whom the message is that {@link #nextPosition} answered, and that {@link #needsExamination}. One that nobody can take
     * now is passed over: it keeps its place, and is delivered before what is behind it as soon as somebody can.
     *
     * @param meets selectors of consumers that it meets, and the lowest bit
     * @param group hash of the name of its group, 0 = none
     * @return false if it was passed over: {@link #nextPosition} answers another, or none
     */
    public boolean examine(long meets, long group) {
        return matching == null || matching.examine(meets, group, consumers);
    }

    /** True if nothing more can be passed over: messages behind wait until somebody takes one of those that were. */
    public boolean standsFull() {
        return matching != null && !matching.hasRoom();
    }

    /**
     * Hands one message to the next consumer in turn that may get it. {@link #nextPosition} must have answered one, which has not
     * expired.
     *
     * @param now epoch ms; only locks look at it
     */
    public void dispatch(long now, DeliveryEffects effects) {
        int consumer;
        int group = 0;
        if (matching == null) {
            waiting.takeNext();
            consumer = consumers.next();
        } else {
            consumer = matching.take(consumers);
            group = matching.group();
        }
        long position = waiting.position();
        long state = waiting.state();
        if (consumers.autoSettles(consumer)) {
            effects.deliver(consumer, unsettled.passId(), position, state, true);
            effects.settled(position);
        } else {
            long id = unsettled.put(waiting.sequence(), position, state, waiting.expiry(), consumer, group);
            if (consumers.lock(consumer) > 0) {
                unsettled.lock(consumer, id, now + consumers.lock(consumer));
            }
            effects.deliver(consumer, id, position, state, false);
        }
    }

    /** Settles the message that is next in turn without delivering it: its record cannot be read any more. */
    public void dropNext(DeliveryEffects effects) {
        if (matching == null) {
            waiting.takeNext();
        } else {
            matching.drop();
            matching.left(waiting.group());
        }
        effects.settled(waiting.position());
    }

    /**
     * What time does: messages go that expired and stand at the head of their level, or were passed over; deliveries whose lock ended
     * come back, and so do postponed ones that are due.
     *
     * @param now epoch ms
     */
    public void expire(long now, DeliveryEffects effects) {
        unsettled.endLocks(now, effects);
        unsettled.endPostponements(now);
        while (mayExpireMore() && waiting.takeExpired(now)) {
            leaveTaken(DeathReason.EXPIRED, effects);
        }
    }

    /** True if {@link #nextPosition} is a message that has expired: {@link #expire} goes first, or has to wait for dead letters. */
    public boolean nextIsExpired(long now) {
        return matching == null ? waiting.nextIsExpired(now) : matching.nextIsExpired(now);
    }

    /** When {@link #expire} will have something to do, epoch ms; {@link Long#MAX_VALUE} if never. */
    public long nextExpiry() {
        long due = Math.min(unsettled.nextDue(), unsettled.nextLock());
        return mayExpireMore() ? Math.min(due, waiting.nextExpiry()) : due;
    }

    private boolean mayExpireMore() {
        return !UnsettledDeliveries.hasDeadLetters(policy) || unsettled.dying() < MAX_EXPIRING;
    }

    /**
     * Lets messages go that are beyond the queue's length limits, the next in turn first. A queue that refuses publishes keeps
     * what it once took, also if returned messages are too many. Of many the rest stays until dead letters are stored.
     *
     * @return true if more of them can go at once, by the next call
     */
    public boolean trim(DeliveryEffects effects) {
        for (int i = 0; isTooLong() && mayExpireMore(); i++) {
            if (i == TRIMMED_AT_ONCE) {
                return true;
            }
            waiting.takeFirst();
            leaveTaken(DeathReason.MAXLEN, effects);
        }
        return false;
    }

    private boolean isTooLong() {
        return waiting.size() > 0
                && !waiting.areDelayed()
                && policy.overflow() == Overflow.DROP_HEAD
                && (policy.maxLength() >= 0 && waiting.size() > policy.maxLength()
                        || policy.maxBytes() >= 0 && waiting.bytes() > policy.maxBytes());
    }

    private void leaveTaken(DeathReason reason, DeliveryEffects effects) {
        // what was delayed has no place: the copies of those that fell due later are made later
        if (matching != null) {
            matching.left(waiting.group());
        }
        long sequence = waiting.areDelayed() ? --sequenceOutside : waiting.sequence();
        leave(sequence, waiting.position(), waiting.state(), waiting.expiry(), reason, effects);
    }

    /** A message that is with no consumer goes. */
    private void leave(
            long sequence, long position, long state, long expiry, DeathReason reason, DeliveryEffects effects) {
        if (UnsettledDeliveries.hasDeadLetters(policy)) {
            unsettledOrNew().die(sequence, position, state, expiry, reason, effects);
        } else {
            effects.settled(position);
        }
    }

    /** Settles as consumed. Unknown ids, and ids of other consumers, are ignored, here and below: false is the answer. */
    public boolean ack(int consumer, long deliveryId, DeliveryEffects effects) {
        return unsettled.ack(consumer, deliveryId, effects);
    }

    /**
     * Returns the message to its place. One that failed may be delivered again when the queue's {@link RetryBackoff} says so.
     *
     * @param failed counts a failed delivery
     * @param now epoch ms; only a queue with such a backoff looks at it
     */
    public boolean release(int consumer, long deliveryId, boolean failed, long now, DeliveryEffects effects) {
        return unsettled.release(consumer, deliveryId, failed, now, UnsettledDeliveries.BY_POLICY, effects);
    }

    /** As {@link #release}, not to be delivered again before {@code due}, epoch ms, whatever the queue says. */
    public boolean releaseUntil(
            int consumer, long deliveryId, boolean failed, long now, long due, DeliveryEffects effects) {
        return unsettled.release(consumer, deliveryId, failed, now, Math.max(due, 0), effects);
    }

    /** Dead-letters, or drops where there is no target. */
    public boolean reject(int consumer, long deliveryId, DeliveryEffects effects) {
        return unsettled.reject(consumer, deliveryId, effects);
    }

    /**
     * Sets a delivery aside for a transaction: until {@link #endPrepared} it counts as unsettled, and nobody can settle it or get
     * it.
     *
     * @param effects told what the settlement will do
     * @return false if the consumer does not hold it
     */
    public boolean prepare(int consumer, long deliveryId, Settlement how, DeliveryEffects effects) {
        return unsettled.prepare(consumer, deliveryId, how, effects);
    }

    /** Settles what was set aside; returns it to its place if the transaction is not committed. */
    public void endPrepared(long deliveryId, boolean committed, long now, DeliveryEffects effects) {
        unsettled.endPrepared(deliveryId, committed, now, effects);
        applyPolicy();
    }

    /**
     * The copy of a dying message is on its way to the disk, and in the same pass the settlement of the message. Until {@link
     * #endReplacing} it does not show in {@link #visitDelivered}.
     *
     * @return false if it is not dying
     */
    public boolean beginReplacing(long deliveryId) {
        return unsettled.beginReplacing(deliveryId);
    }

    /** Settles the message; if copy and settlement were not {@code stored} it is dying as before. */
    public void endReplacing(long deliveryId, boolean stored, DeliveryEffects effects) {
        unsettled.endReplacing(deliveryId, stored, effects);
    }

    /** The copy of a dying message is stored (or has nowhere to go). */
    public void deadLettered(long deliveryId, DeliveryEffects effects) {
        unsettled.deadLettered(deliveryId, effects);
    }

    /** Removes a consumer; what it has not settled returns to its place. */
    public void cancel(int consumer) {
        if (consumers.isAttached(consumer)) {
            consumers.detach(consumer);
            unsettled.giveBackAll(consumer);
            if (matching != null && groups == null && !consumers.areSelective()) {
                matching.restart();
                matching = null;
            }
        }
    }

    /** Settles all waiting and postponed messages; those in flight stay. Returns how many. */
    public long purge(DeliveryEffects effects) {
        if (matching != null) {
            matching.restart();
        }
        long count = waiting.size() + unsettled.purgePostponed(effects);
        waiting.purge(effects);
        return count;
    }

    /** Settles everything, whoever has it: the queue goes. */
    public void close(DeliveryEffects effects) {
        purge(effects);
        unsettled.close(effects);
    }

    /** Everything unsettled: what was delivered before, in no particular order, then what never was, level by level. */
    public void forEach(ReferenceVisitor visitor) {
        visitDelivered((sequence, position, state, expiry) -> visitor.visit(position, state, expiry));
        long from = 0;
        while (from >= 0) {
            from = visitFresh(from, Integer.MAX_VALUE, visitor);
        }
    }

    /**
     * Messages that were never delivered, highest level first, from a place on.
     *
     * @param from 0, or what the last call answered; the queue may have moved on in between
     * @return where to go on; -1 after the last
     */
    public long visitFresh(long from, int max, ReferenceVisitor visitor) {
        return waiting.visitFresh(from, max, visitor);
    }

    /** Where the queue ends now, for {@link #visitWaiting}. */
    public long[] ends() {
        return waiting.ends();
    }

    /**
     * Messages that wait, in their order, from a place on. Not in a queue of delayed messages.
     *
     * @param from 0, or what the last call answered, or above the sequence of the last message that was shown
     * @param max how many to show at least, if there are; a block's and all that came back once more
     * @param ends messages behind these are not shown
     * @return where to go on; -1 after the last
     */
    public long visitWaiting(long from, int max, long[] ends, DeliveredVisitor visitor) {
        return waiting.visitInOrder(from, max, ends, visitor);
    }

    /**
     * Unsettled messages that were delivered, returned ones included, unsorted. What a transaction has set aside shows as it will
     * be after the commit, and a message being replaced not at all.
     */
    public void visitDelivered(DeliveredVisitor visitor) {
        unsettled.visit(visitor);
        waiting.visitOthers(visitor);
    }

    /** Messages that may not be delivered yet, by their time, epoch ms. */
    public void visitPostponed(PostponedVisitor visitor) {
        unsettled.visitPostponed(visitor);
    }

    /** Messages in flight or dying: what a purge leaves. */
    public void visitInFlight(ReferenceVisitor visitor) {
        unsettled.visitInFlight(visitor);
    }

    /** Sees delivered references with their place in the queue: lower sequences stand before higher ones. */
    @FunctionalInterface
    public interface DeliveredVisitor {
        void visit(long sequence, long position, long state, long expiry);
    }

    /** Sees messages that may not be delivered before a time. */
    @FunctionalInterface
    public interface PostponedVisitor {
        void visit(long position, long due);
    }
}
