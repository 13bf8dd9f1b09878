package io.sluice.queue;

import io.sluice.queue.index.BlockStore;
import io.sluice.queue.index.DelayIndex;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The messages of a queue that wait, in their order: fresh ones and those that came back to their places; of a queue of delayed
 * messages by the time at which they are due. A message that is taken out stands in {@link #sequence()} and so on until the next one is.
 */
final class WaitingReferences {
    /** Those of an idle queue; nothing is ever added to them. */
    static final WaitingReferences NONE = new WaitingReferences();

    private final FreshReferences fresh;
    /** Instead of the fresh ones, in a queue of delayed messages. */
    private final @Nullable DelayIndex delays;

    private ReturnedReferences returned = ReturnedReferences.NONE;
    /** Looked at in vain; null unless a {@link Matching} does so. */
    private @Nullable PassedOver passed;

    private long size;
    private long bytes;
    private long withExpiry;

    // the message that was taken last
    private long sequence;
    private long position;
    private long state;
    private long expiry;
    private int group;

    private WaitingReferences() {
        fresh = FreshReferences.none();
        delays = null;
    }

    WaitingReferences(QueuePolicy policy, BlockStore blocks, long now) {
        fresh = new FreshReferences(blocks, policy.maxPriority());
        delays = policy.delayed() ? new DelayIndex(blocks, now) : null;
    }

    long size() {
        return size;
    }

    long bytes() {
        return bytes;
    }

    boolean areDelayed() {
        return delays != null;
    }

    /** Adds a message behind all others of its level. */
    void add(long newPosition, long newState, long newExpiry) {
        if (delays != null) {
            delays.add(newPosition, newState, newExpiry);
        } else {
            fresh.add(newPosition, newState, newExpiry);
        }
        arrived(newState, newExpiry);
    }

    /** A place of its own before whatever of its level is added next. */
    long sequenceBeforeNext(long ofState) {
        return fresh.sequenceBeforeNext(ofState);
    }

    /** Puts a message at its place. */
    void giveBack(long oldSequence, long oldPosition, long newState, long oldExpiry) {
        if (returned == ReturnedReferences.NONE) {
            returned = new ReturnedReferences();
        }
        returned.add(oldSequence, oldPosition, newState, oldExpiry);
        arrived(newState, oldExpiry);
    }

    /** Where messages go that are passed over. */
    PassedOver ownPassed() {
        PassedOver own = passed;
        if (own == null) {
            own = new PassedOver();
            passed = own;
        }
        return own;
    }

    /** Place of the first in order that was not passed over, {@link Long#MAX_VALUE} if there is none. */
    long nextSequence() {
        int level = fresh.highest();
        long first = level < 0 ? Long.MAX_VALUE : fresh.firstSequence(level);
        return returned.size() == 0 ? first : Math.min(first, returned.firstSequence());
    }

    /** True if that one has never been anywhere else. */
    boolean nextIsFresh() {
        return !returnedIsNext();
    }

    /** Position of the first in order that was not passed over; there must be one. */
    long nextPosition() {
        return returnedIsNext() ? returned.firstPosition() : fresh.firstPosition(fresh.highest());
    }

    /** True if that one has expired. */
    boolean nextIsExpired(long now) {
        return withExpiry > 0
                && isOver(returnedIsNext() ? returned.firstExpiry() : fresh.firstExpiry(fresh.highest()), now);
    }

    /** Takes that one out. */
    void takeNext() {
        if (returnedIsNext()) {
            takeReturned();
        } else {
            takeFresh(fresh.highest());
        }
    }

    /**
     * Passes that one over.
     *
     * @return its index among those passed over
     */
    int passNext(long meets, int ofGroup) {
        PassedOver to = ownPassed();
        if (returnedIsNext()) {
            int index = to.add(
                    returned.firstSequence(),
                    returned.firstPosition(),
                    returned.firstState(),
                    returned.firstExpiry(),
                    meets,
                    ofGroup);
            returned.removeFirst();
            return index;
        }
        int level = fresh.highest();
        long passedSequence = fresh.firstSequence(level);
        long passedPosition = fresh.firstPosition(level);
        long passedState = fresh.firstState(level);
        long passedExpiry = fresh.firstExpiry(level);
        // first, since it may throw
        fresh.removeFirst(level);
        return to.add(passedSequence, passedPosition, passedState, passedExpiry, meets, ofGroup);
    }

    /** Takes one out that was passed over. */
    void takePassed(int index) {
        PassedOver from = ownPassed();
        take(from.sequence(index), from.position(index), from.state(index), from.expiry(index));
        group = from.group(index);
        from.remove(index);
    }

    /** Takes the first in order out, passed over or not. */
    void takeFirst() {
        PassedOver over = passed;
        if (over != null && over.size() > 0 && over.sequence(over.first()) < nextSequence()) {
            takePassed(over.first());
        } else {
            takeNext();
        }
    }

    /** What was passed over has not been any more. */
    void unpass() {
        PassedOver over = passed;
        if (over == null || over.size() == 0) {
            return;
        }
        if (returned == ReturnedReferences.NONE) {
            returned = new ReturnedReferences();
        }
        for (int i = 0; i < over.end(); i++) {
            if (!over.isHole(i)) {
                returned.add(over.sequence(i), over.position(i), over.state(i), over.expiry(i));
                over.remove(i);
            }
        }
        over.compact();
    }

    /** Takes out a message that has expired and stands at the head of its level, or was passed over; false if there is none. */
    boolean takeExpired(long now) {
        DelayIndex due = delays;
        if (due != null) {
            due.advance(now);
            if (!due.isDue(now)) {
                return false;
            }
            take(0, due.firstPosition(), due.firstState(), due.firstDue());
            due.removeFirst();
            return true;
        }
        if (withExpiry == 0) {
            return false;
        }
        int over = passed == null ? -1 : passed.nextExpired(now);
        if (over >= 0) {
            takePassed(over);
            return true;
        }
        if (returned.size() > 0 && isOver(returned.firstExpiry(), now)) {
            takeReturned();
            return true;
        }
        for (int left = fresh.occupied(); left != 0; left &= left - 1) {
            int level = Integer.numberOfTrailingZeros(left);
            if (isOver(fresh.firstExpiry(level), now)) {
                takeFresh(level);
                return true;
            }
        }
        return false;
    }

    /** When {@link #takeExpired} will have something to do, epoch ms; {@link Long#MAX_VALUE} if never. */
    long nextExpiry() {
        if (withExpiry == 0) {
            return Long.MAX_VALUE;
        }
        if (delays != null) {
            return delays.next();
        }
        long next = passed == null || passed.size() == 0 ? Long.MAX_VALUE : passed.earliestExpiry();
        if (returned.size() > 0 && returned.firstExpiry() != Reference.NEVER) {
            next = Math.min(next, returned.firstExpiry());
        }
        for (int left = fresh.occupied(); left != 0; left &= left - 1) {
            long first = fresh.firstExpiry(Integer.numberOfTrailingZeros(left));
            if (first != Reference.NEVER) {
                next = Math.min(next, first);
            }
        }
        return next == Long.MAX_VALUE ? next : next + 1;
    }

    /** Gives all up. */
    void purge(DeliveryEffects effects) {
        if (size == 0) {
            return;
        }
        unpass();
        for (int i = 0; i < returned.size(); i++) {
            effects.settled(returned.position(i));
        }
        returned = ReturnedReferences.NONE;
        fresh.purge(effects);
        if (delays != null) {
            delays.clear(effects::purged);
        }
        size = 0;
        bytes = 0;
        withExpiry = 0;
    }

    /** As {@link FreshReferences#visit}, and for delayed messages in no particular order. */
    long visitFresh(long from, int max, ReferenceVisitor visitor) {
        return delays != null ? delays.visit(from, max, visitor) : fresh.visit(from, max, visitor);
    }

    /** Where the queue ends now, for {@link #visitInOrder}. */
    long[] ends() {
        return fresh.ends();
    }

    /** As {@link DeliveryMachine#visitWaiting}. */
    long visitInOrder(long from, int max, long[] ends, DeliveryMachine.DeliveredVisitor visitor) {
        long start = from;
        for (int level = Math.min(ends.length - 1, FreshReferences.levelOf(from)); level >= 0; level--) {
            start = Math.max(start, FreshReferences.start(level));
            long end = FreshReferences.endOf(level, ends[level]);
            long next = visitOthersInOrder(start, end, visitor);
            if (next < 0) {
                next = fresh.visitLevel(level, start, ends[level], max, visitor);
            }
            if (next >= 0) {
                return next;
            }
        }
        return -1;
    }

    /** Those between two places that are not fresh. All of them: they are in the heap anyway. */
    private long visitOthersInOrder(long from, long end, DeliveryMachine.DeliveredVisitor visitor) {
        TreeMap<Long, Runnable> found = new TreeMap<>();
        visitOthers((at, itsPosition, itsState, itsExpiry) -> {
            if (at >= from && at < end) {
                found.put(at, () -> visitor.visit(at, itsPosition, itsState, itsExpiry));
            }
        });
        found.values().forEach(Runnable::run);
        return found.isEmpty() ? -1 : found.lastKey() + 1;
    }

    /** Those that {@link #visitFresh} does not show, unsorted. */
    void visitOthers(DeliveryMachine.DeliveredVisitor visitor) {
        for (int i = 0; i < returned.size(); i++) {
            visitor.visit(returned.sequence(i), returned.position(i), returned.state(i), returned.expiry(i));
        }
        PassedOver over = passed;
        if (over != null) {
            for (int i = 0; i < over.end(); i++) {
                if (!over.isHole(i)) {
                    visitor.visit(over.sequence(i), over.position(i), over.state(i), over.expiry(i));
                }
            }
        }
    }

    /** Place of the message that was taken last: lower ones stand before higher ones. Not that of a delayed one, which has none. */
    long sequence() {
        return sequence;
    }

    long position() {
        return position;
    }

    long state() {
        return state;
    }

    long expiry() {
        return expiry;
    }

    /** Group of the message that was taken last, if it had been passed over; else 0. */
    int group() {
        return group;
    }

    private boolean returnedIsNext() {
        if (returned.size() == 0) {
            return false;
        }
        int level = fresh.highest();
        return level < 0 || returned.firstSequence() < fresh.firstSequence(level);
    }

    private void takeReturned() {
        take(returned.firstSequence(), returned.firstPosition(), returned.firstState(), returned.firstExpiry());
        returned.removeFirst();
    }

    private void takeFresh(int level) {
        long firstSequence = fresh.firstSequence(level);
        long firstPosition = fresh.firstPosition(level);
        long firstState = fresh.firstState(level);
        long firstExpiry = fresh.firstExpiry(level);
        // first, since it may throw
        fresh.removeFirst(level);
        take(firstSequence, firstPosition, firstState, firstExpiry);
    }

    private void take(long takenSequence, long takenPosition, long takenState, long takenExpiry) {
        sequence = takenSequence;
        position = takenPosition;
        state = takenState;
        expiry = takenExpiry;
        group = 0;
        size--;
        bytes -= Reference.size(takenState);
        if (takenExpiry != Reference.NEVER) {
            withExpiry--;
        }
    }

    private void arrived(long newState, long newExpiry) {
        size++;
        bytes += Reference.size(newState);
        if (newExpiry != Reference.NEVER) {
            withExpiry++;
        }
    }

    private static boolean isOver(long expiry, long now) {
        return expiry != Reference.NEVER && now > expiry;
    }
}
