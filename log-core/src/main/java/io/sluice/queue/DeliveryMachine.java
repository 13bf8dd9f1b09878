package io.sluice.queue;

import io.sluice.queue.index.BlockStore;
import io.sluice.queue.index.DelayIndex;
import io.sluice.queue.index.QueueIndex;
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
 * <tr><td>release</td><td>in flight → returned or postponed; over the delivery limit → dying or settled</td></tr>
 * <tr><td>cancel</td><td>in flight → returned</td></tr>
 * <tr><td>reject</td><td>in flight → dying, or settled without a dead-letter target</td></tr>
 * <tr><td>expire</td><td>postponed and due → returned; fresh or returned → dying or settled</td></tr>
 * <tr><td>trim</td><td>fresh or returned → dying or settled</td></tr>
 * <tr><td>prepare, endPrepared</td><td>in flight → as ack, release or reject, or → returned; in between it is nobody's</td></tr>
 * <tr><td>refuse</td><td>(new) → dying or settled</td></tr>
 * <tr><td>deadLettered</td><td>dying → settled</td></tr>
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

    /** Priority levels that are told apart. */
    static final int LEVELS = 32;

    private static final int DYING = -1;
    /** Holders from here down: deliveries set aside by a transaction, by what it makes of them. */
    private static final int PREPARED = -2;

    private static final Settlement[] SETTLEMENTS = Settlement.values();
    /** No time to wait until. */
    private static final long BY_POLICY = -1;

    /** No state of a message. */
    private static final long GONE = -1;

    /** Bits of the place within a level; the bits above order the levels. */
    private static final int LEVEL_SHIFT = 58;
    /** Low bits of a sequence: the highest value for a message of the index, those below for what a restart found before it. */
    private static final int BETWEEN_BITS = 8;

    private static final int IN_INDEX = (1 << BETWEEN_BITS) - 1;

    /** Messages that may be dying for their age at a time: a long backlog that expires at once does not fill the heap. */
    static final int MAX_EXPIRING = 4096;

    private final BlockStore blocks;
    private final QueuePolicy policy;
    private final boolean deadLetters;
    private static final @Nullable QueueIndex[] NO_LEVELS = {};

    // what an idle queue does not need is shared by all of them until it is used
    private @Nullable QueueIndex[] levels = NO_LEVELS;
    private int occupied;
    /** Instead of the levels, in a queue for delayed messages. */
    private final @Nullable DelayIndex delays;

    private ReturnedReferences returned = ReturnedReferences.NONE;
    private InFlight inFlight = InFlight.NONE;
    private Consumers consumers = Consumers.NONE;
    /** Null until a message is postponed. */
    private @Nullable PostponedReferences postponed;
    /** By level, messages restored as postponed since the last that was restored to wait; null until one was. */
    private int @Nullable [] restoredBetween;

    private long nextDeliveryId = 1;
    private long ready;
    private long readyBytes;
    // of those that wait
    private long withExpiry;
    private int dying;
    /** Sequence of the newest message that was dying from the start: before all others, and unlike any of theirs. */
    private long sequenceOutside = -(1L << 40);

    /** An empty queue whose long backlogs go to {@code blocks}; {@code now} is epoch ms. */
    public DeliveryMachine(QueuePolicy policy, BlockStore blocks, long now) {
        this.policy = policy;
        this.blocks = blocks;
        deadLetters = policy.deadLetterExchange() != null || policy.delayed();
        delays = policy.delayed() ? new DelayIndex(blocks, now) : null;
    }

    /** True if it holds no message and nobody is attached. */
    public boolean isIdle() {
        return ready == 0
                && inFlight.size() == 0
                && consumers.isEmpty()
                && (postponed == null || postponed.size() == 0);
    }

    /** Gives back the memory that an idle queue does not need. */
    public void trimToIdle() {
        if (isIdle()) {
            levels = NO_LEVELS;
            returned = ReturnedReferences.NONE;
            inFlight = InFlight.NONE;
            consumers = Consumers.NONE;
            postponed = null;
            restoredBetween = null;
        }
    }

    private @Nullable QueueIndex[] ownLevels() {
        if (levels == NO_LEVELS) {
            levels = new QueueIndex[Math.min(LEVELS, policy.maxPriority() + 1)];
        }
        return levels;
    }

    private ReturnedReferences ownReturned() {
        if (returned == ReturnedReferences.NONE) {
            returned = new ReturnedReferences();
        }
        return returned;
    }

    private InFlight ownInFlight() {
        if (inFlight == InFlight.NONE) {
            inFlight = new InFlight();
        }
        return inFlight;
    }

    private Consumers ownConsumers() {
        if (consumers == Consumers.NONE) {
            consumers = new Consumers(policy.singleActiveConsumer());
        }
        return consumers;
    }

    /** Messages waiting. */
    public long ready() {
        return ready;
    }

    /** Bytes of the messages waiting. */
    public long readyBytes() {
        return readyBytes;
    }

    /** Messages delivered and not settled, dying and postponed ones included. */
    public int unacked() {
        return inFlight.size() + postponed();
    }

    /** Messages that came back and may not be delivered yet. They count neither as waiting nor for the queue's limits. */
    public int postponed() {
        return postponed == null ? 0 : postponed.size();
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

    /**
     * Adds a message that outlived a restart behind all others of its level; one over the delivery limit is not delivered again,
     * it dies, as does one that was rejected for good.
     *
     * @param expiry as it was when the message was enqueued
     */
    public void restore(long position, long state, long expiry, DeliveryEffects effects) {
        if (Reference.rejected(state)) {
            leave(++sequenceOutside, position, state, expiry, DeathReason.REJECTED, effects);
        } else if (isWithinDeliveryLimit(state)) {
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
        if (Reference.rejected(state) || !isWithinDeliveryLimit(state)) {
            restore(position, state, expiry, effects);
            return;
        }
        int level = level(state);
        QueueIndex index = ownLevels()[level];
        long next = index == null ? 0 : index.first() + index.size();
        // before whatever of its level is restored next
        int[] between = restoredBetween;
        if (between == null) {
            between = new int[levels.length];
            restoredBetween = between;
        }
        long sequence = place(level, next << BETWEEN_BITS | Math.min(between[level]++, IN_INDEX - 1));
        postpone(sequence, position, state, expiry, due);
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
        if (delays != null) {
            delays.add(position, state, expiry);
            arrived(state, expiry);
            return;
        }
        int level = level(state);
        QueueIndex index = ownLevels()[level];
        if (index == null) {
            index = new QueueIndex(blocks, 0);
            levels[level] = index;
        }
        index.add(position, state, expiry);
        if (restoredBetween != null) {
            restoredBetween[level] = 0;
        }
        occupied |= 1 << level;
        arrived(state, expiry);
    }

    /** True if the queue is below its limits of length and bytes. */
    public boolean hasRoom() {
        return (policy.maxLength() < 0 || ready < policy.maxLength())
                && (policy.maxBytes() < 0 || readyBytes < policy.maxBytes());
    }

    /**
     * A message that the queue does not take: it goes where messages beyond the limit go. A restart before its copy is stored
     * brings it back as one of the queue's, so it keeps its expiry.
     *
     * @param expiry as for {@link #enqueue}, and so are the times behind
     */
    public void refuse(long position, long state, long expiry, long arrival, long now, DeliveryEffects effects) {
        if (deadLetters && policy.overflow() != Overflow.REJECT_PUBLISH) {
            long expires = expiryAt(expiry, arrival, now);
            die(++sequenceOutside, position, state, expires, DeathReason.MAXLEN, effects);
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
        if (ready == 0 || !consumers.areReady() || delays != null) {
            return Reference.NONE;
        }
        return returnedIsNext() ? returned.firstPosition() : highest().firstPosition();
    }

    /** Hands one message to the next consumer in turn. {@link #nextPosition} must have answered one, which has not expired. */
    public void dispatch(DeliveryEffects effects) {
        long sequence;
        long position;
        long state;
        long expiry;
        if (returnedIsNext()) {
            sequence = returned.firstSequence();
            position = returned.firstPosition();
            state = returned.firstState();
            expiry = returned.firstExpiry();
            returned.removeFirst();
        } else {
            int level = highestLevel();
            QueueIndex index = level(level);
            sequence = sequence(level, index.first());
            position = index.firstPosition();
            state = index.firstState();
            expiry = index.firstExpiry();
            removeFirst(level, index);
        }
        left(state, expiry);
        int consumer = consumers.next();
        long id = nextDeliveryId++;
        if (consumers.autoSettles(consumer)) {
            effects.deliver(consumer, id, position, state, true);
            effects.settled(position);
        } else {
            ownInFlight().put(id, sequence, position, Reference.asRedelivered(state), expiry, consumer);
            effects.deliver(consumer, id, position, state, false);
        }
    }

    /** Settles the message that is next in turn without delivering it: its record cannot be read any more. */
    public void dropNext(DeliveryEffects effects) {
        long position = returnedIsNext() ? returned.firstPosition() : highest().firstPosition();
        forgetNext();
        effects.settled(position);
    }

    /**
     * Lets messages go that expired and stand at the head of their level.
     *
     * @param now epoch ms
     */
    public void expire(long now, DeliveryEffects effects) {
        if (delays != null) {
            fallDue(delays, now, effects);
            return;
        }
        PostponedReferences later = postponed;
        if (later != null) {
            while (later.firstDue() <= now) {
                endPostponement(later);
            }
        }
        if (withExpiry == 0) {
            return;
        }
        while (returned.size() > 0 && isOver(returned.firstExpiry(), now) && mayExpireMore()) {
            long sequence = returned.firstSequence();
            long position = returned.firstPosition();
            long state = returned.firstState();
            long expiry = returned.firstExpiry();
            returned.removeFirst();
            left(state, expiry);
            leave(sequence, position, state, expiry, DeathReason.EXPIRED, effects);
        }
        for (int left = occupied; left != 0; left &= left - 1) {
            int level = Integer.numberOfTrailingZeros(left);
            QueueIndex index = level(level);
            while (!index.isEmpty() && isOver(index.firstExpiry(), now) && mayExpireMore()) {
                leaveFirst(level, index, DeathReason.EXPIRED, effects);
            }
        }
    }

    private void fallDue(DelayIndex from, long now, DeliveryEffects effects) {
        from.advance(now);
        while (from.isDue(now) && mayExpireMore()) {
            long position = from.firstPosition();
            long state = from.firstState();
            long due = from.firstDue();
            from.removeFirst();
            left(state, due);
            leave(--sequenceOutside, position, state, due, DeathReason.EXPIRED, effects);
        }
    }

    /** True if {@link #nextPosition} is a message that has expired: {@link #expire} goes first, or has to wait for dead letters. */
    public boolean nextIsExpired(long now) {
        return withExpiry > 0
                && isOver(returnedIsNext() ? returned.firstExpiry() : highest().firstExpiry(), now);
    }

    /** When {@link #expire} will have something to do, epoch ms; {@link Long#MAX_VALUE} if never. */
    public long nextExpiry() {
        long due = postponed == null ? Long.MAX_VALUE : postponed.firstDue();
        if (withExpiry == 0 || !mayExpireMore()) {
            return due;
        }
        if (delays != null) {
            return delays.next();
        }
        long next = Long.MAX_VALUE;
        if (returned.size() > 0 && returned.firstExpiry() != Reference.NEVER) {
            next = returned.firstExpiry();
        }
        for (int left = occupied; left != 0; left &= left - 1) {
            long expiry = level(Integer.numberOfTrailingZeros(left)).firstExpiry();
            if (expiry != Reference.NEVER) {
                next = Math.min(next, expiry);
            }
        }
        return next == Long.MAX_VALUE ? due : Math.min(due, next + 1);
    }

    /**
     * Lets messages go that are beyond the queue's length limits, the next in turn first. A queue that refuses publishes keeps
     * what it once took, also if returned messages are too many.
     */
    public void trim(DeliveryEffects effects) {
        while (ready > 0
                && delays == null
                && policy.overflow() == Overflow.DROP_HEAD
                && (policy.maxLength() >= 0 && ready > policy.maxLength()
                        || policy.maxBytes() >= 0 && readyBytes > policy.maxBytes())) {
            if (returnedIsNext()) {
                long sequence = returned.firstSequence();
                long position = returned.firstPosition();
                long state = returned.firstState();
                long expiry = returned.firstExpiry();
                returned.removeFirst();
                left(state, expiry);
                leave(sequence, position, state, expiry, DeathReason.MAXLEN, effects);
            } else {
                int level = highestLevel();
                leaveFirst(level, level(level), DeathReason.MAXLEN, effects);
            }
        }
    }

    /** Settles as consumed. Unknown ids, and ids of other consumers, are ignored, here and below. */
    public void ack(int consumer, long deliveryId, DeliveryEffects effects) {
        int slot = find(consumer, deliveryId);
        if (slot >= 0) {
            long position = inFlight.position(slot);
            inFlight.remove(slot);
            effects.settled(position);
        }
    }

    /**
     * Returns the message to its place. One that failed may be delivered again when the queue's {@link RetryBackoff} says so.
     *
     * @param failed counts a failed delivery
     * @param now epoch ms; only a queue with such a backoff looks at it
     */
    public void release(int consumer, long deliveryId, boolean failed, long now, DeliveryEffects effects) {
        release(consumer, deliveryId, failed, now, BY_POLICY, effects);
    }

    /** As {@link #release}, not to be delivered again before {@code due}, epoch ms, whatever the queue says. */
    public void releaseUntil(
            int consumer, long deliveryId, boolean failed, long now, long due, DeliveryEffects effects) {
        release(consumer, deliveryId, failed, now, Math.max(due, 0), effects);
    }

    private void release(int consumer, long deliveryId, boolean failed, long now, long until, DeliveryEffects effects) {
        int slot = find(consumer, deliveryId);
        if (slot < 0) {
            return;
        }
        long position = inFlight.position(slot);
        long state = inFlight.state(slot);
        if (failed) {
            state = Reference.countFailure(state);
            int count = Reference.deliveryCount(state);
            boolean over = !isWithinDeliveryLimit(state);
            if (!over || deadLetters) {
                // also of one that dies now: a restart before its copy is stored must not deliver it again
                effects.failed(position, count);
            }
            if (over) {
                die(slot, state, DeathReason.DELIVERY_LIMIT, effects);
                return;
            }
        }
        long due = until;
        if (until == BY_POLICY && failed && policy.retry() != null) {
            due = now + policy.retry().delay(Reference.deliveryCount(state), position);
        }
        if (due <= now) {
            giveBack(slot, state);
            return;
        }
        long sequence = inFlight.sequence(slot);
        long expiry = inFlight.expiry(slot);
        inFlight.remove(slot);
        effects.postponed(position, due);
        postpone(sequence, position, state, expiry, due);
    }

    /** Dead-letters, or drops where there is no target. */
    public void reject(int consumer, long deliveryId, DeliveryEffects effects) {
        int slot = find(consumer, deliveryId);
        if (slot >= 0) {
            die(slot, inFlight.state(slot), DeathReason.REJECTED, effects);
        }
    }

    /**
     * Sets a delivery aside for a transaction: until {@link #endPrepared} it counts as unsettled, and nobody can settle it or get
     * it.
     *
     * @param effects told what the settlement will do
     * @return false if the consumer does not hold it
     */
    public boolean prepare(int consumer, long deliveryId, Settlement how, DeliveryEffects effects) {
        int slot = find(consumer, deliveryId);
        if (slot < 0) {
            return false;
        }
        long position = inFlight.position(slot);
        long state = inFlight.state(slot);
        long after = after(how, state);
        if (after == GONE) {
            effects.settled(position);
        } else if (how == Settlement.FAILED) {
            effects.failed(position, Reference.deliveryCount(after));
        } else if (how == Settlement.REJECTED) {
            effects.deadLetter(deliveryId, position, after, DeathReason.REJECTED);
        }
        inFlight.update(slot, state, PREPARED - how.ordinal());
        return true;
    }

    /** Settles what was set aside; returns it to its place if the transaction is not committed. */
    public void endPrepared(long deliveryId, boolean committed, long now, DeliveryEffects effects) {
        int slot = deliveryId <= 0 ? -1 : inFlight.find(deliveryId);
        int holder = slot < 0 ? DYING : inFlight.consumer(slot);
        if (holder > PREPARED) {
            return;
        }
        if (!committed) {
            giveBack(slot, inFlight.state(slot));
            return;
        }
        switch (SETTLEMENTS[PREPARED - holder]) {
            case ACKED -> ack(holder, deliveryId, effects);
            case RELEASED -> release(holder, deliveryId, false, now, effects);
            case FAILED -> release(holder, deliveryId, true, now, effects);
            case REJECTED -> die(slot, Reference.asRejected(inFlight.state(slot)), DeathReason.REJECTED, effects);
        }
    }

    /** State of a delivery after its settlement, {@link #GONE} if nothing is left of it. */
    private long after(Settlement how, long state) {
        return switch (how) {
            case ACKED -> GONE;
            case RELEASED -> state;
            case FAILED -> {
                long counted = Reference.countFailure(state);
                yield deadLetters || isWithinDeliveryLimit(counted) ? counted : GONE;
            }
            case REJECTED -> deadLetters ? Reference.asRejected(state) : GONE;
        };
    }

    /** The copy of a dying message is stored (or has nowhere to go). */
    public void deadLettered(long deliveryId, DeliveryEffects effects) {
        if (find(DYING, deliveryId) >= 0) {
            dying--;
        }
        ack(DYING, deliveryId, effects);
    }

    /** Removes a consumer; what it has not settled returns to its place. */
    public void cancel(int consumer) {
        if (!consumers.isAttached(consumer)) {
            return;
        }
        consumers.detach(consumer);
        if (inFlight.size() == 0) {
            return;
        }
        // collected first: removing shifts slots
        long[] ids = new long[inFlight.size()];
        int count = 0;
        for (int slot = 0; slot < inFlight.capacity(); slot++) {
            if (inFlight.occupied(slot) && inFlight.consumer(slot) == consumer) {
                ids[count++] = inFlight.id(slot);
            }
        }
        for (int i = 0; i < count; i++) {
            int slot = inFlight.find(ids[i]);
            giveBack(slot, inFlight.state(slot));
        }
    }

    /** Settles all waiting and postponed messages; those in flight stay. Returns how many. */
    public long purge(DeliveryEffects effects) {
        long count = ready;
        for (int i = 0; i < returned.size(); i++) {
            effects.settled(returned.position(i));
        }
        returned = ReturnedReferences.NONE;
        PostponedReferences later = postponed;
        if (later != null) {
            count += later.size();
            for (int i = 0; i < later.size(); i++) {
                effects.settled(later.position(i));
            }
            postponed = null;
        }
        ready = 0;
        readyBytes = 0;
        withExpiry = 0;
        for (int left = occupied; left != 0; left &= left - 1) {
            int level = Integer.numberOfTrailingZeros(left);
            QueueIndex index = level(level);
            levels[level] = new QueueIndex(blocks, index.first() + index.size());
            effects.purged(index);
        }
        occupied = 0;
        if (delays != null && count > 0) {
            delays.clear(effects::purged);
        }
        return count;
    }

    /** Settles everything, whoever has it: the queue goes. */
    public void close(DeliveryEffects effects) {
        purge(effects);
        for (int slot = 0; slot < inFlight.capacity(); slot++) {
            if (inFlight.occupied(slot)) {
                effects.settled(inFlight.position(slot));
            }
        }
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
        if (delays != null) {
            return delays.visit(from, max, visitor);
        }
        // places order like sequences do, and are places in the indexes
        for (int level = Math.min(levels.length - 1, levelOf(from)); level >= 0; level--) {
            QueueIndex index = levels[level];
            if (index != null && !index.isEmpty()) {
                long start = levelOf(from) == level ? from & (1L << LEVEL_SHIFT) - 1 : 0;
                long next = index.visit(start, max, visitor);
                if (next >= 0) {
                    return place(level, next);
                }
                if (level > 0) {
                    return place(level - 1, 0);
                }
            }
        }
        return -1;
    }

    /**
     * Unsettled messages that were delivered, returned ones included, unsorted. What a transaction has set aside shows as it will
     * be after the commit.
     */
    public void visitDelivered(DeliveredVisitor visitor) {
        for (int slot = 0; slot < inFlight.capacity(); slot++) {
            int holder = inFlight.consumer(slot);
            long state = inFlight.state(slot);
            if (inFlight.occupied(slot) && holder <= PREPARED) {
                state = after(SETTLEMENTS[PREPARED - holder], state);
            }
            if (inFlight.occupied(slot) && state != GONE) {
                visitor.visit(inFlight.sequence(slot), inFlight.position(slot), state, inFlight.expiry(slot));
            }
        }
        for (int i = 0; i < returned.size(); i++) {
            visitor.visit(returned.sequence(i), returned.position(i), returned.state(i), returned.expiry(i));
        }
        PostponedReferences later = postponed;
        if (later != null) {
            for (int i = 0; i < later.size(); i++) {
                visitor.visit(later.sequence(i), later.position(i), later.state(i), later.expiry(i));
            }
        }
    }

    /** Messages that may not be delivered yet, by their time, epoch ms. */
    public void visitPostponed(PostponedVisitor visitor) {
        PostponedReferences later = postponed;
        if (later != null) {
            for (int i = 0; i < later.size(); i++) {
                visitor.visit(later.position(i), later.due(i));
            }
        }
    }

    /** Messages in flight or dying: what a purge leaves. */
    public void visitInFlight(ReferenceVisitor visitor) {
        for (int slot = 0; slot < inFlight.capacity(); slot++) {
            if (inFlight.occupied(slot)) {
                visitor.visit(inFlight.position(slot), inFlight.state(slot), inFlight.expiry(slot));
            }
        }
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

    private boolean isWithinDeliveryLimit(long state) {
        return policy.deliveryLimit() < 0 || Reference.deliveryCount(state) <= policy.deliveryLimit();
    }

    private static long place(int level, long number) {
        return (long) (LEVELS - 1 - level) << LEVEL_SHIFT | number;
    }

    private static long sequence(int level, long number) {
        return place(level, number << BETWEEN_BITS | IN_INDEX);
    }

    private static int levelOf(long sequence) {
        return LEVELS - 1 - (int) (sequence >>> LEVEL_SHIFT);
    }

    private int level(long state) {
        int max = policy.maxPriority();
        int asked = Math.min(Reference.priority(state), max);
        return max < LEVELS ? asked : asked * LEVELS / (max + 1);
    }

    private QueueIndex level(int level) {
        QueueIndex index = levels[level];
        if (index == null) {
            throw new IllegalStateException("no message of level " + level);
        }
        return index;
    }

    private int highestLevel() {
        return Integer.SIZE - 1 - Integer.numberOfLeadingZeros(occupied);
    }

    private QueueIndex highest() {
        return level(highestLevel());
    }

    private boolean returnedIsNext() {
        if (returned.size() == 0) {
            return false;
        }
        int level = highestLevel();
        return level < 0
                || returned.firstSequence() < sequence(level, level(level).first());
    }

    private void removeFirst(int level, QueueIndex index) {
        index.removeFirst();
        if (index.isEmpty()) {
            occupied &= ~(1 << level);
        }
    }

    private void arrived(long state, long expiry) {
        ready++;
        readyBytes += Reference.size(state);
        if (expiry != Reference.NEVER) {
            withExpiry++;
        }
    }

    private void left(long state, long expiry) {
        ready--;
        readyBytes -= Reference.size(state);
        if (expiry != Reference.NEVER) {
            withExpiry--;
        }
    }

    private void forgetNext() {
        if (returnedIsNext()) {
            left(returned.firstState(), returned.firstExpiry());
            returned.removeFirst();
        } else {
            int level = highestLevel();
            QueueIndex index = level(level);
            long state = index.firstState();
            long expiry = index.firstExpiry();
            removeFirst(level, index);
            left(state, expiry);
        }
    }

    private long expiryOf(long arrival) {
        return policy.messageTtl() < 0 ? Reference.NEVER : arrival + policy.messageTtl();
    }

    private static boolean isOver(long expiry, long now) {
        return expiry != Reference.NEVER && now > expiry;
    }

    private boolean mayExpireMore() {
        return dying < MAX_EXPIRING;
    }

    private int find(int consumer, long deliveryId) {
        int slot = deliveryId <= 0 ? -1 : inFlight.find(deliveryId);
        return slot >= 0 && inFlight.consumer(slot) == consumer ? slot : -1;
    }

    private void giveBack(int slot, long state) {
        long sequence = inFlight.sequence(slot);
        long position = inFlight.position(slot);
        long expiry = inFlight.expiry(slot);
        inFlight.remove(slot);
        ownReturned().add(sequence, position, state, expiry);
        arrived(state, expiry);
    }

    private void postpone(long sequence, long position, long state, long expiry, long due) {
        PostponedReferences later = postponed;
        if (later == null) {
            later = new PostponedReferences();
            postponed = later;
        }
        if (later.isFull()) {
            endPostponement(later);
        }
        boolean diesFirst = expiry != Reference.NEVER && expiry < due;
        later.add(diesFirst ? expiry + 1 : due, sequence, position, state, expiry);
    }

    /** The first of them may be delivered. */
    private void endPostponement(PostponedReferences later) {
        long state = later.state(0);
        long expiry = later.expiry(0);
        ownReturned().add(later.sequence(0), later.position(0), state, expiry);
        later.removeFirst();
        arrived(state, expiry);
    }

    private void leaveFirst(int level, QueueIndex index, DeathReason reason, DeliveryEffects effects) {
        long sequence = sequence(level, index.first());
        long position = index.firstPosition();
        long state = index.firstState();
        long expiry = index.firstExpiry();
        removeFirst(level, index);
        left(state, expiry);
        leave(sequence, position, state, expiry, reason, effects);
    }

    /** A message that waited goes. */
    private void leave(
            long sequence, long position, long state, long expiry, DeathReason reason, DeliveryEffects effects) {
        if (deadLetters) {
            die(sequence, position, state, expiry, reason, effects);
        } else {
            effects.settled(position);
        }
    }

    private void die(
            long sequence, long position, long state, long expiry, DeathReason reason, DeliveryEffects effects) {
        long id = nextDeliveryId++;
        ownInFlight().put(id, sequence, position, state, expiry, DYING);
        dying++;
        effects.deadLetter(id, position, state, reason);
    }

    /** A message that was in flight goes. */
    private void die(int slot, long state, DeathReason reason, DeliveryEffects effects) {
        long position = inFlight.position(slot);
        if (deadLetters) {
            inFlight.update(slot, state, DYING);
            dying++;
            effects.deadLetter(inFlight.id(slot), position, state, reason);
        } else {
            inFlight.remove(slot);
            effects.settled(position);
        }
    }
}
