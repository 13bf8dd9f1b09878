package io.sluice.queue;

import org.jspecify.annotations.Nullable;

/**
 * Chooses what goes to whom in a queue whose messages are not for every consumer at any time: consumers have selectors, or messages
 * belong to groups. A message that is first in order is looked at once; if nobody can take it then, it is passed over, and goes before
 * all behind it to the first who can.
 *
 * <p>One walk along what was passed over finds all that can be delivered. It begins anew when somebody may take what he might not
 * before: a consumer got credit, a group became free. Within a walk nothing is taken of a group behind the place at which something
 * of it could not be.
 */
final class Matching {
    /** Fresh messages that are passed over at most; those that came back are as many as were in flight. 0.8 MiB. */
    static final int MAX_PASSED = 16_384;

    private static final long NOWHERE = -1;

    private final WaitingReferences waiting;
    private final PassedOver passed;
    private final @Nullable GroupTable groups;

    // the walk
    private long walk;
    private int at;
    private boolean stale = true;
    private long consumerChanges;
    private long groupChanges;
    /** Place of the message that is next in order and that no room is left to pass over, {@link #NOWHERE} = none is. */
    private long stuckAt = NOWHERE;

    // what was chosen
    private boolean chosePassed;
    private boolean examined;
    private long meets;
    private long hash;
    private int group;

    /** {@code groups} is null if messages have none. */
    Matching(WaitingReferences waiting, @Nullable GroupTable groups) {
        this.waiting = waiting;
        this.groups = groups;
        passed = waiting.ownPassed();
    }

    /** True if a message more can be passed over. */
    boolean hasRoom() {
        return passed.size() < MAX_PASSED;
    }

    /** Position of the message to be delivered, or to be examined, next; {@link Reference#NONE} if there is none. */
    long nextPosition(Consumers consumers) {
        if (stale || consumerChanges != consumers.changes() || groups != null && groupChanges != groups.changes()) {
            begin(consumers);
        }
        examined = false;
        long head = waiting.nextSequence();
        if (head == stuckAt) {
            head = Long.MAX_VALUE;
        }
        for (; at < passed.end() && passed.sequence(at) < head; at++) {
            if (!passed.isHole(at)) {
                if (isFree(passed.group(at), passed.sequence(at), passed.matches(at), consumers)) {
                    chosePassed = true;
                    return passed.position(at);
                }
                skip(passed.group(at), passed.sequence(at));
            }
        }
        chosePassed = false;
        return head == Long.MAX_VALUE ? Reference.NONE : waiting.nextPosition();
    }

    private void begin(Consumers consumers) {
        stale = false;
        consumerChanges = consumers.changes();
        groupChanges = groups == null ? 0 : groups.changes();
        passed.compact();
        walk++;
        at = 0;
        stuckAt = NOWHERE;
    }

    /** True if the chosen message must be examined before it is taken. */
    boolean needsExamination() {
        return !chosePassed && !examined;
    }

    boolean nextIsExpired(long now) {
        return chosePassed
                ? passed.expiry(at) != Reference.NEVER && now > passed.expiry(at)
                : waiting.nextIsExpired(now);
    }

    /** As {@link DeliveryMachine#examine}. */
    boolean examine(long messageMeets, long groupHash, Consumers consumers) {
        long sequence = waiting.nextSequence();
        GroupTable table = groups;
        int known = table == null || groupHash == 0 ? 0 : table.find(groupHash);
        if (isFree(known, sequence, messageMeets, consumers)) {
            examined = true;
            meets = messageMeets;
            hash = groupHash;
            group = known;
            return true;
        }
        if (waiting.nextIsFresh() && !hasRoom()) {
            stuckAt = sequence;
            skip(known, sequence);
            return false;
        }
        int entered = table == null ? 0 : table.enter(groupHash);
        if (table != null) {
            table.pass(entered);
        }
        skip(entered, sequence);
        int before = passed.end();
        int index = waiting.passNext(messageMeets, entered);
        if (index == at || index < at && passed.end() > before) {
            at++;
        }
        return false;
    }

    /** Takes the chosen message out, for the consumer that is answered; {@link #group} is the one that it is in flight for. */
    int take(Consumers consumers) {
        GroupTable table = groups;
        if (chosePassed) {
            meets = passed.matches(at);
            group = passed.group(at);
        }
        int taker = table == null ? GroupTable.FREE : table.taker(group);
        int leaves = chosePassed ? group : 0;
        if (chosePassed) {
            waiting.takePassed(at);
        } else {
            waiting.takeNext();
        }
        int consumer = consumers.next(meets, taker);
        if (table != null) {
            if (consumers.autoSettles(consumer)) {
                group = 0;
            } else {
                group = chosePassed ? group : table.enter(hash);
                table.deliver(group, consumer);
            }
            table.endPass(leaves);
        }
        return consumer;
    }

    /** Group of the message that was taken last, 0 if it is not in flight or has none. */
    int group() {
        return group;
    }

    /** Takes out what {@link #nextPosition} answered, for nobody. */
    void drop() {
        if (chosePassed) {
            waiting.takePassed(at);
        } else {
            waiting.takeNext();
        }
    }

    /** A waiting message, of this group if it had been passed over, went to nobody. */
    void left(int ofGroup) {
        stale = true;
        if (groups != null) {
            groups.endPass(ofGroup);
        }
    }

    /** Nothing is passed over any more, all is looked at again. */
    void restart() {
        stale = true;
        for (int i = 0; i < passed.end(); i++) {
            if (groups != null && !passed.isHole(i)) {
                groups.endPass(passed.group(i));
            }
        }
        waiting.unpass();
    }

    private boolean isFree(int of, long sequence, long messageMeets, Consumers consumers) {
        GroupTable table = groups;
        if (table == null || of == 0) {
            return consumers.mayTake(messageMeets, GroupTable.FREE);
        }
        int taker = table.taker(of);
        return taker != GroupTable.BLOCKED
                && !table.isSkipped(of, walk, sequence)
                && consumers.mayTake(messageMeets, taker);
    }

    private void skip(int of, long sequence) {
        if (groups != null) {
            groups.skip(of, walk, sequence);
        }
    }
}
