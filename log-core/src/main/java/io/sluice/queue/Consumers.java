package io.sluice.queue;

import java.util.Arrays;

/**
 * The consumers of a queue by slot, and whose turn it is: those of the highest priority that have credit take turns; of a queue
 * with a single active consumer it is the one that attached first. Whoever pulls comes before all of them, and is not one of them
 * where a consumer wants to be alone or the only active one.
 */
final class Consumers {
    private static final int VACANT = -1;
    private static final int NOBODY = -1;
    /** Bit of the messages that every selector, and none, lets through: set in all of them. */
    static final long ANY = 1;

    /** Those of a queue that nobody is attached to; nothing is ever added to them. */
    static final Consumers NONE = new Consumers(false);

    private final boolean singleActive;
    private int[] credits = new int[0];
    private int[] priorities = new int[0];
    private boolean[] autoSettles = new boolean[0];
    private boolean[] pulls = new boolean[0];
    private long[] arrivals = new long[0];
    private long[] accepts = new long[0];
    private long[] locks = new long[0];
    private int slots;
    private int taken;
    private int count;
    private int withCredit;
    private int pullsWithCredit;
    private int turn;
    private int active = NOBODY;
    private long attached;
    private boolean exclusive;
    private int selective;
    private long changes;
    private long open;
    private boolean openKnown;
    // all consumers there ever were had the same one
    private boolean onePriority = true;

    Consumers(boolean singleActive) {
        this.singleActive = singleActive;
    }

    /** Without those that pull. */
    int count() {
        return count;
    }

    /** True if no slot is in use. */
    boolean isEmpty() {
        return taken == 0;
    }

    /** Slots in use are below this. */
    int slots() {
        return slots;
    }

    /** Answers the slot; -1 if refused: one of the two sides wants to be alone. */
    int attach(boolean autoSettle, boolean alone, int priority) {
        if (exclusive || alone && count > 0) {
            return -1;
        }
        int slot = takeSlot(autoSettle, priority, false);
        exclusive = alone;
        count++;
        if (active == NOBODY) {
            active = slot;
        }
        return slot;
    }

    /** Adds one that is never refused; answers its slot. */
    int attachPull(boolean autoSettle) {
        return takeSlot(autoSettle, 0, true);
    }

    private int takeSlot(boolean autoSettle, int priority, boolean pull) {
        int slot = 0;
        while (slot < slots && credits[slot] != VACANT) {
            slot++;
        }
        if (slot == credits.length) {
            int from = credits.length;
            int capacity = Math.max(2, from * 2);
            credits = Arrays.copyOf(credits, capacity);
            priorities = Arrays.copyOf(priorities, capacity);
            autoSettles = Arrays.copyOf(autoSettles, capacity);
            pulls = Arrays.copyOf(pulls, capacity);
            arrivals = Arrays.copyOf(arrivals, capacity);
            accepts = Arrays.copyOf(accepts, capacity);
            locks = Arrays.copyOf(locks, capacity);
            Arrays.fill(credits, from, capacity, VACANT);
        }
        if (count == 0) {
            onePriority = true;
        } else if (!pull) {
            for (int other = 0; other < slots; other++) {
                onePriority &= credits[other] == VACANT || pulls[other] || priorities[other] == priority;
            }
        }
        slots = Math.max(slots, slot + 1);
        taken++;
        credits[slot] = 0;
        priorities[slot] = priority;
        autoSettles[slot] = autoSettle;
        pulls[slot] = pull;
        arrivals[slot] = attached++;
        accepts[slot] = ANY;
        locks[slot] = 0;
        return slot;
    }

    /** False if there is no such consumer. */
    boolean isAttached(int slot) {
        return slot >= 0 && slot < slots && credits[slot] != VACANT;
    }

    void detach(int slot) {
        retire(slot);
        accept(slot, ANY);
        taken--;
        credits[slot] = VACANT;
    }

    /** Keeps the slot, which is that of no consumer any more. */
    void retire(int slot) {
        stop(slot);
        if (!isAttached(slot) || pulls[slot]) {
            return;
        }
        pulls[slot] = true;
        count--;
        exclusive = false;
        changed();
        if (active == slot) {
            active = NOBODY;
            for (int other = 0; other < slots; other++) {
                if (credits[other] != VACANT && !pulls[other] && (active == NOBODY || precedes(other, active))) {
                    active = other;
                }
            }
        }
    }

    boolean autoSettles(int slot) {
        return autoSettles[slot];
    }

    /** True for the consumer that gets messages of a queue with a single active consumer; for others of any. */
    boolean isActive(int slot) {
        return !singleActive || active == slot || pulls[slot];
    }

    int credit(int slot) {
        return credits[slot];
    }

    void credit(int slot, int more) {
        if (more <= 0 || !isAttached(slot)) {
            return;
        }
        int now = credits[slot];
        if (now == 0) {
            withCredit++;
            changed();
            pullsWithCredit += pulls[slot] ? 1 : 0;
        }
        credits[slot] = more > DeliveryMachine.UNLIMITED - now ? DeliveryMachine.UNLIMITED : now + more;
    }

    void stop(int slot) {
        if (isAttached(slot) && credits[slot] > 0) {
            withoutCredit(slot);
            credits[slot] = 0;
        }
    }

    /** True if somebody may get a message. */
    boolean areReady() {
        return withCredit > 0 && (!singleActive || pullsWithCredit > 0 || active != NOBODY && credits[active] > 0);
    }

    /** The consumer gets only messages with this bit among those that they meet. */
    void accept(int slot, long selector) {
        if (isAttached(slot) && accepts[slot] != selector) {
            selective += (selector == ANY ? 0 : 1) - (accepts[slot] == ANY ? 0 : 1);
            accepts[slot] = selector;
            changed();
        }
    }

    /** How long the consumer may keep a delivery, ms, 0 = any time. */
    long lock(int slot) {
        return locks[slot];
    }

    void lock(int slot, long millis) {
        locks[slot] = millis;
    }

    /** True if there is one that does not take every message. */
    boolean areSelective() {
        return selective > 0;
    }

    /** Rises whenever somebody may take what nobody might take before. */
    long changes() {
        return changes;
    }

    /**
     * True if somebody may get the message now.
     *
     * @param meets selectors that it meets
     * @param only the one consumer that may have it, or below 0 any
     */
    boolean mayTake(long meets, int only) {
        return only >= 0 ? mayGet(only, meets) : (open() & meets) != 0;
    }

    /** All that somebody with credit lets through. */
    private long open() {
        if (!openKnown) {
            open = 0;
            for (int slot = 0; slot < slots; slot++) {
                open |= mayGet(slot, accepts[slot]) ? accepts[slot] : 0;
            }
            openKnown = true;
        }
        return open;
    }

    private void changed() {
        changes++;
        openKnown = false;
    }

    /** As {@link #next()} among those that {@link #mayTake} the message. */
    int next(long meets, int only) {
        int slot = only >= 0 ? only : choose(meets);
        spend(slot);
        return slot;
    }

    private int choose(long meets) {
        int best = NOBODY;
        // from the one behind the last in turn on
        for (int i = 0; i < slots; i++) {
            int slot = (turn + i) % slots;
            if (mayGet(slot, meets)
                    && (best == NOBODY
                            || pulls[slot] && !pulls[best]
                            || pulls[slot] == pulls[best] && priorities[slot] > priorities[best])) {
                best = slot;
            }
        }
        if (best == NOBODY) {
            throw new IllegalStateException("nobody may get the message");
        }
        if (!pulls[best]) {
            turn = best + 1;
        }
        return best;
    }

    private boolean mayGet(int slot, long meets) {
        return credits[slot] > 0 && (accepts[slot] & meets) != 0 && isActive(slot);
    }

    private void spend(int slot) {
        if (credits[slot] != DeliveryMachine.UNLIMITED && --credits[slot] == 0) {
            withoutCredit(slot);
        }
    }

    /** Whose turn it is, with one credit taken; {@link #areReady} must hold. */
    int next() {
        int slot;
        if (pullsWithCredit > 0) {
            slot = nextPull();
        } else {
            slot = singleActive ? active : onePriority ? nextInTurn(Integer.MIN_VALUE) : nextInTurn(highest());
        }
        spend(slot);
        return slot;
    }

    private void withoutCredit(int slot) {
        openKnown = false;
        withCredit--;
        pullsWithCredit -= pulls[slot] ? 1 : 0;
    }

    private int nextPull() {
        int slot = 0;
        while (!pulls[slot] || credits[slot] <= 0) {
            slot++;
        }
        return slot;
    }

    private int highest() {
        int highest = Integer.MIN_VALUE;
        for (int slot = 0; slot < slots; slot++) {
            if (credits[slot] > 0) {
                highest = Math.max(highest, priorities[slot]);
            }
        }
        return highest;
    }

    private int nextInTurn(int priority) {
        int slot = turn;
        for (int i = 0; i <= slots; i++) {
            if (slot >= slots) {
                slot = 0;
            }
            if (credits[slot] > 0 && priorities[slot] >= priority) {
                turn = slot + 1;
                return slot;
            }
            slot++;
        }
        throw new IllegalStateException("nobody has credit");
    }

    /** Of two waiting consumers the one of higher priority takes over, else the one that came first. */
    private boolean precedes(int slot, int other) {
        return priorities[slot] != priorities[other]
                ? priorities[slot] > priorities[other]
                : arrivals[slot] < arrivals[other];
    }
}
