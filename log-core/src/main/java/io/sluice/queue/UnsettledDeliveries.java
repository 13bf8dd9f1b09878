package io.sluice.queue;

import io.sluice.queue.DeliveryMachine.DeliveredVisitor;
import io.sluice.queue.DeliveryMachine.PostponedVisitor;
import org.jspecify.annotations.Nullable;

/**
 * What a queue delivered, or gave up, and is not done with: in flight with a consumer, set aside by a transaction, dying, or postponed.
 * Commands of consumers are named and meant as those of {@link DeliveryMachine}.
 */
final class UnsettledDeliveries {
    /** Those of an idle queue; nothing is ever added to them. */
    static final UnsettledDeliveries NONE = new UnsettledDeliveries(QueuePolicy.NONE, WaitingReferences.NONE, null, 1);

    /** No time to wait until: the policy's. */
    static final long BY_POLICY = -1;

    private static final int DYING = -1;
    /** Holders from here down: deliveries set aside by a transaction, by what it makes of them. */
    private static final int PREPARED = -2;

    private static final Settlement[] SETTLEMENTS = Settlement.values();
    /** Holder of a dying message whose settlement is on its way to the disk, together with its copy. */
    private static final int REPLACED = PREPARED - SETTLEMENTS.length;

    /** No state of a message. */
    private static final long GONE = -1;

    private final WaitingReferences waiting;
    private final @Nullable GroupTable groups;
    private QueuePolicy policy;
    private boolean deadLetters;
    private InFlight inFlight = InFlight.NONE;
    /** Null until a message is postponed. */
    private @Nullable PostponedReferences postponed;
    /** Null until a consumer has a lock. */
    private @Nullable LockDeadlines locks;

    private long nextId;
    private int dying;
    private int prepared;

    /** Nothing yet; what comes back goes to {@code waiting}. */
    UnsettledDeliveries(QueuePolicy policy, WaitingReferences waiting, @Nullable GroupTable groups, long firstId) {
        this.policy = policy;
        this.waiting = waiting;
        this.groups = groups;
        deadLetters = hasDeadLetters(policy);
        nextId = firstId;
    }

    /** Another policy; none has been told what the one before would do. */
    void policy(QueuePolicy next) {
        policy = next;
        deadLetters = hasDeadLetters(next);
    }

    /** Deliveries that transactions have set aside. */
    int prepared() {
        return prepared;
    }

    static boolean hasDeadLetters(QueuePolicy policy) {
        return policy.deadLetterExchange() != null || policy.delayed();
    }

    int size() {
        return inFlight.size() + postponed();
    }

    int postponed() {
        return postponed == null ? 0 : postponed.size();
    }

    int dying() {
        return dying;
    }

    /** The next delivery gets this id. */
    long nextId() {
        return nextId;
    }

    /** A message is with nobody's hands but settled by being delivered; answers the id of its delivery. */
    long passId() {
        return nextId++;
    }

    /** A message, of a group that knows of it, is in flight from here on; answers the id of its delivery. */
    long put(long sequence, long position, long state, long expiry, int consumer, int group) {
        long id = nextId++;
        int slot = own().put(id, sequence, position, Reference.asRedelivered(state), expiry, consumer);
        if (group != 0) {
            inFlight.group(slot, group);
        }
        return id;
    }

    boolean ack(int consumer, long deliveryId, DeliveryEffects effects) {
        int slot = find(consumer, deliveryId);
        if (slot < 0) {
            return false;
        }
        long position = inFlight.position(slot);
        remove(slot);
        effects.settled(position);
        return true;
    }

    /** Back to its place, at {@code until} or, {@link #BY_POLICY}, when the policy says. */
    boolean release(int consumer, long deliveryId, boolean failed, long now, long until, DeliveryEffects effects) {
        int slot = find(consumer, deliveryId);
        if (slot < 0) {
            return false;
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
                return true;
            }
        }
        long due = until;
        if (until == BY_POLICY && failed && policy.retry() != null) {
            due = now + policy.retry().delay(Reference.deliveryCount(state), position);
        }
        if (due <= now) {
            giveBack(slot, state);
            return true;
        }
        long sequence = inFlight.sequence(slot);
        long expiry = inFlight.expiry(slot);
        int group = inFlight.group(slot);
        inFlight.remove(slot);
        if (groups != null) {
            groups.postpone(group);
        }
        effects.postponed(position, due);
        postpone(sequence, position, state, expiry, due, group);
        return true;
    }

    boolean reject(int consumer, long deliveryId, DeliveryEffects effects) {
        int slot = find(consumer, deliveryId);
        if (slot < 0) {
            return false;
        }
        die(slot, inFlight.state(slot), DeathReason.REJECTED, effects);
        return true;
    }

    boolean prepare(int consumer, long deliveryId, Settlement how, DeliveryEffects effects) {
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
        inFlight.deadline(slot, 0);
        inFlight.update(slot, state, PREPARED - how.ordinal());
        prepared++;
        return true;
    }

    void endPrepared(long deliveryId, boolean committed, long now, DeliveryEffects effects) {
        int slot = deliveryId <= 0 ? -1 : inFlight.find(deliveryId);
        int holder = slot < 0 ? DYING : inFlight.consumer(slot);
        if (holder > PREPARED || holder == REPLACED) {
            return;
        }
        prepared--;
        if (!committed) {
            giveBack(slot, inFlight.state(slot));
            return;
        }
        switch (SETTLEMENTS[PREPARED - holder]) {
            case ACKED -> ack(holder, deliveryId, effects);
            case RELEASED -> release(holder, deliveryId, false, now, BY_POLICY, effects);
            case FAILED -> release(holder, deliveryId, true, now, BY_POLICY, effects);
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

    void deadLettered(long deliveryId, DeliveryEffects effects) {
        if (ack(DYING, deliveryId, effects)) {
            dying--;
        }
    }

    boolean beginReplacing(long deliveryId) {
        int slot = find(DYING, deliveryId);
        if (slot >= 0) {
            inFlight.update(slot, inFlight.state(slot), REPLACED);
        }
        return slot >= 0;
    }

    void endReplacing(long deliveryId, boolean stored, DeliveryEffects effects) {
        int slot = find(REPLACED, deliveryId);
        if (slot >= 0) {
            inFlight.update(slot, inFlight.state(slot), DYING);
            if (stored) {
                deadLettered(deliveryId, effects);
            }
        }
    }

    /** All that the consumer has returns to its place. */
    void giveBackAll(int consumer) {
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
        if (groups != null) {
            groups.forget(consumer);
        }
    }

    /** The consumer's delivery comes back at this time, epoch ms, unless it is settled before; false if the consumer has it no more. */
    boolean lock(int consumer, long deliveryId, long deadline) {
        int slot = find(consumer, deliveryId);
        if (slot < 0) {
            return false;
        }
        LockDeadlines all = locks;
        if (all == null) {
            all = new LockDeadlines();
            locks = all;
        }
        inFlight.deadline(slot, deadline);
        if (all.size() > 64 && all.size() > 2 * inFlight.size()) {
            all.keep(inFlight);
        }
        all.add(deadline, deliveryId);
        return true;
    }

    /** Deliveries whose lock has ended come back as failed. */
    void endLocks(long now, DeliveryEffects effects) {
        LockDeadlines all = locks;
        while (all != null && all.first() <= now) {
            long deadline = all.first();
            long id = all.firstId();
            all.removeFirst();
            int slot = inFlight.find(id);
            // else it was renewed, or is settled
            if (slot >= 0 && inFlight.deadline(slot) == deadline) {
                int consumer = inFlight.consumer(slot);
                effects.lockEnded(consumer, id);
                release(consumer, id, true, now, BY_POLICY, effects);
            }
        }
    }

    /** When {@link #endLocks} may have something to do, epoch ms; {@link Long#MAX_VALUE} if never. */
    long nextLock() {
        return locks == null ? Long.MAX_VALUE : locks.first();
    }

    /** A message that waits no more, or never did, goes to the dead letters. */
    void die(long sequence, long position, long state, long expiry, DeathReason reason, DeliveryEffects effects) {
        long id = nextId++;
        own().put(id, sequence, position, state, expiry, DYING);
        dying++;
        effects.deadLetter(id, position, state, reason);
    }

    /** A message that was in flight goes. */
    private void die(int slot, long state, DeathReason reason, DeliveryEffects effects) {
        long position = inFlight.position(slot);
        if (deadLetters) {
            letGo(slot);
            inFlight.deadline(slot, 0);
            inFlight.update(slot, state, DYING);
            dying++;
            effects.deadLetter(inFlight.id(slot), position, state, reason);
        } else {
            remove(slot);
            effects.settled(position);
        }
    }

    /** The message is not to be delivered before {@code due}; if so many are that no more can be kept, one of them may be now. */
    void postpone(long sequence, long position, long state, long expiry, long due) {
        postpone(sequence, position, state, expiry, due, 0);
    }

    private void postpone(long sequence, long position, long state, long expiry, long due, int group) {
        PostponedReferences later = postponed;
        if (later == null) {
            later = new PostponedReferences();
            postponed = later;
        }
        if (later.isFull()) {
            endPostponement(later);
        }
        boolean diesFirst = expiry != Reference.NEVER && expiry < due;
        later.add(diesFirst ? expiry + 1 : due, sequence, position, state, expiry, group);
    }

    /** What may be delivered again waits at its place. */
    void endPostponements(long now) {
        PostponedReferences later = postponed;
        if (later != null) {
            while (later.firstDue() <= now) {
                endPostponement(later);
            }
        }
    }

    /** When the first that is postponed may be delivered, epoch ms; {@link Long#MAX_VALUE} if none is. */
    long nextDue() {
        return postponed == null ? Long.MAX_VALUE : postponed.firstDue();
    }

    private void endPostponement(PostponedReferences later) {
        waiting.giveBack(later.sequence(0), later.position(0), later.state(0), later.expiry(0));
        if (groups != null) {
            groups.endPostponement(later.group(0));
        }
        later.removeFirst();
    }

    /** Gives up what is postponed; answers how many. */
    int purgePostponed(DeliveryEffects effects) {
        PostponedReferences later = postponed;
        if (later == null) {
            return 0;
        }
        for (int i = 0; i < later.size(); i++) {
            effects.settled(later.position(i));
            if (groups != null) {
                groups.endPostponement(later.group(i));
            }
        }
        postponed = null;
        return later.size();
    }

    /** Gives up what is in flight or dying. */
    void close(DeliveryEffects effects) {
        for (int slot = 0; slot < inFlight.capacity(); slot++) {
            if (inFlight.occupied(slot)) {
                effects.settled(inFlight.position(slot));
            }
        }
    }

    /** What a transaction has set aside shows as it will be after the commit, and what is being replaced not at all. */
    void visit(DeliveredVisitor visitor) {
        for (int slot = 0; slot < inFlight.capacity(); slot++) {
            int holder = inFlight.consumer(slot);
            long state = inFlight.state(slot);
            if (inFlight.occupied(slot) && holder <= PREPARED) {
                state = holder == REPLACED ? GONE : after(SETTLEMENTS[PREPARED - holder], state);
            }
            if (inFlight.occupied(slot) && state != GONE) {
                visitor.visit(inFlight.sequence(slot), inFlight.position(slot), state, inFlight.expiry(slot));
            }
        }
        PostponedReferences later = postponed;
        if (later != null) {
            for (int i = 0; i < later.size(); i++) {
                visitor.visit(later.sequence(i), later.position(i), later.state(i), later.expiry(i));
            }
        }
    }

    void visitPostponed(PostponedVisitor visitor) {
        PostponedReferences later = postponed;
        if (later != null) {
            for (int i = 0; i < later.size(); i++) {
                visitor.visit(later.position(i), later.due(i));
            }
        }
    }

    void visitInFlight(ReferenceVisitor visitor) {
        for (int slot = 0; slot < inFlight.capacity(); slot++) {
            if (inFlight.occupied(slot)) {
                visitor.visit(inFlight.position(slot), inFlight.state(slot), inFlight.expiry(slot));
            }
        }
    }

    boolean isWithinDeliveryLimit(long state) {
        return policy.deliveryLimit() < 0 || Reference.deliveryCount(state) <= policy.deliveryLimit();
    }

    private void giveBack(int slot, long state) {
        long sequence = inFlight.sequence(slot);
        long position = inFlight.position(slot);
        long expiry = inFlight.expiry(slot);
        remove(slot);
        waiting.giveBack(sequence, position, state, expiry);
    }

    private void remove(int slot) {
        letGo(slot);
        inFlight.remove(slot);
    }

    /** The message holds its group no more. */
    private void letGo(int slot) {
        if (groups != null) {
            groups.leave(inFlight.group(slot));
            inFlight.group(slot, 0);
        }
    }

    private int find(int consumer, long deliveryId) {
        int slot = deliveryId <= 0 ? -1 : inFlight.find(deliveryId);
        return slot >= 0 && inFlight.consumer(slot) == consumer ? slot : -1;
    }

    private InFlight own() {
        if (inFlight == InFlight.NONE) {
            inFlight = new InFlight();
        }
        return inFlight;
    }
}
