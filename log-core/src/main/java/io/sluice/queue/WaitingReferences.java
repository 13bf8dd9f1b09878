package io.sluice.queue;

import io.sluice.queue.index.BlockStore;
import io.sluice.queue.index.DelayIndex;
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
    private long size;
    private long bytes;
    private long withExpiry;

    // the message that was taken last
    private long sequence;
    private long position;
    private long state;
    private long expiry;

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

    /** Position of the first in order; there must be one. */
    long nextPosition() {
        return returnedIsNext() ? returned.firstPosition() : fresh.firstPosition(fresh.highest());
    }

    /** True if the first in order has expired. */
    boolean nextIsExpired(long now) {
        return withExpiry > 0
                && isOver(returnedIsNext() ? returned.firstExpiry() : fresh.firstExpiry(fresh.highest()), now);
    }

    /** Takes the first in order out. */
    void takeNext() {
        if (returnedIsNext()) {
            takeReturned();
        } else {
            takeFresh(fresh.highest());
        }
    }

    /** Takes out a message that has expired and stands at the head of its level; false if there is none. */
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
        long next = Long.MAX_VALUE;
        if (returned.size() > 0 && returned.firstExpiry() != Reference.NEVER) {
            next = returned.firstExpiry();
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

    /** Those that {@link #visitFresh} does not show, unsorted. */
    void visitOthers(DeliveryMachine.DeliveredVisitor visitor) {
        for (int i = 0; i < returned.size(); i++) {
            visitor.visit(returned.sequence(i), returned.position(i), returned.state(i), returned.expiry(i));
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
