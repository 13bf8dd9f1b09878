package io.sluice.queue;

import java.util.Arrays;

/**
 * The message groups of a queue that have a message in flight, postponed or passed over, each with a small number: open addressing
 * over the hashes, linear probing. Two groups whose names have the same 64-bit hash are one here: that keeps more order than asked
 * for, never less. Group 0 stands for none and is always free.
 */
final class GroupTable {
    /** Anybody may take the group's next message. */
    static final int FREE = -1;
    /** Nobody may. */
    static final int BLOCKED = -2;

    private static final int INITIAL = 16;

    private final boolean oneInFlight;
    // by group
    private long[] hashes = new long[INITIAL];
    private int[] holders = new int[INITIAL];
    private int[] inFlight = new int[INITIAL];
    private int[] postponed = new int[INITIAL];
    private int[] passed = new int[INITIAL];
    private long[] skippedIn = new long[INITIAL];
    private long[] skippedFrom = new long[INITIAL];
    /** Where unused numbers begin that were never used. */
    private int end = 1;
    /** Last number that was given back; the one before it is its holder. 0 = none. */
    private int unused;

    /** Groups by home slot of their hash; 0 = empty. */
    private int[] table = new int[2 * INITIAL];

    private int size;
    private long changes;

    /** {@code oneInFlight}: while a message of a group is in flight, nobody gets another. */
    GroupTable(boolean oneInFlight) {
        this.oneInFlight = oneInFlight;
    }

    int size() {
        return size;
    }

    /** Rises whenever somebody may take what he might not take before. */
    long changes() {
        return changes;
    }

    /** Number of the group, 0 if nothing is known of it. */
    int find(long hash) {
        int mask = table.length - 1;
        int slot = home(hash, mask);
        while (table[slot] != 0 && hashes[table[slot]] != hash) {
            slot = (slot + 1) & mask;
        }
        return table[slot];
    }

    /** Number of the group, which is taken up if need be and stays while it has messages; 0 for hash 0. */
    int enter(long hash) {
        if (hash == 0) {
            return 0;
        }
        int known = find(hash);
        if (known != 0) {
            return known;
        }
        if (++size * 2 > table.length) {
            rehash(table.length * 2);
        }
        int group = unused;
        if (group != 0) {
            unused = holders[group];
        } else {
            group = end++;
            if (group == hashes.length) {
                grow();
            }
        }
        hashes[group] = hash;
        holders[group] = FREE;
        skippedIn[group] = 0;
        link(group);
        return group;
    }

    /** Who may take the next message: a consumer, {@link #FREE} or {@link #BLOCKED}. */
    int taker(int group) {
        if (group == 0 || inFlight[group] + postponed[group] == 0) {
            return FREE;
        }
        return oneInFlight || postponed[group] > 0 ? BLOCKED : holders[group];
    }

    /** A message of the group goes to the consumer. */
    void deliver(int group, int consumer) {
        if (group != 0) {
            inFlight[group]++;
            holders[group] = consumer;
        }
    }

    /** A message of the group is in flight no more. */
    void leave(int group) {
        if (group != 0) {
            if (--inFlight[group] == 0) {
                changes++;
            }
            drop(group);
        }
    }

    /** A message of the group that is in flight waits for its time from here on: nothing passes it. */
    void postpone(int group) {
        if (group != 0) {
            postponed[group]++;
            inFlight[group]--;
        }
    }

    /** A message of the group waits for its time no more. */
    void endPostponement(int group) {
        if (group != 0) {
            if (--postponed[group] == 0) {
                changes++;
            }
            drop(group);
        }
    }

    /** A message of the group is passed over. */
    void pass(int group) {
        if (group != 0) {
            passed[group]++;
        }
    }

    /** A message of the group is passed over no more. */
    void endPass(int group) {
        if (group != 0) {
            passed[group]--;
            drop(group);
        }
    }

    /** What the consumer still seems to hold, a transaction does: nobody gets more of these groups until it is over. */
    void forget(int consumer) {
        for (int group = 1; group < end; group++) {
            if (inFlight[group] > 0 && holders[group] == consumer) {
                holders[group] = BLOCKED;
            }
        }
    }

    /** In this walk along the queue the message at this place was not taken, so none of its group behind it may be. */
    void skip(int group, long walk, long sequence) {
        if (group != 0) {
            skippedFrom[group] = skippedIn[group] == walk ? Math.min(skippedFrom[group], sequence) : sequence;
            skippedIn[group] = walk;
        }
    }

    /** True if one of the group before this place was skipped in this walk. */
    boolean isSkipped(int group, long walk, long sequence) {
        return group != 0 && skippedIn[group] == walk && skippedFrom[group] < sequence;
    }

    private void drop(int group) {
        if (inFlight[group] + postponed[group] + passed[group] > 0) {
            return;
        }
        int mask = table.length - 1;
        int hole = home(hashes[group], mask);
        while (table[hole] != group) {
            hole = (hole + 1) & mask;
        }
        int next = (hole + 1) & mask;
        while (table[next] != 0) {
            int distance = (next - home(hashes[table[next]], mask)) & mask;
            if (distance >= ((next - hole) & mask)) {
                table[hole] = table[next];
                hole = next;
            }
            next = (next + 1) & mask;
        }
        table[hole] = 0;
        holders[group] = unused;
        unused = group;
        size--;
    }

    private void link(int group) {
        int mask = table.length - 1;
        int slot = home(hashes[group], mask);
        while (table[slot] != 0) {
            slot = (slot + 1) & mask;
        }
        table[slot] = group;
    }

    private void rehash(int capacity) {
        int[] old = table;
        table = new int[capacity];
        for (int group : old) {
            if (group != 0) {
                link(group);
            }
        }
    }

    private void grow() {
        int capacity = hashes.length * 2;
        hashes = Arrays.copyOf(hashes, capacity);
        holders = Arrays.copyOf(holders, capacity);
        inFlight = Arrays.copyOf(inFlight, capacity);
        postponed = Arrays.copyOf(postponed, capacity);
        passed = Arrays.copyOf(passed, capacity);
        skippedIn = Arrays.copyOf(skippedIn, capacity);
        skippedFrom = Arrays.copyOf(skippedFrom, capacity);
    }

    private static int home(long hash, int mask) {
        return (int) (hash ^ hash >>> 32) & mask;
    }
}
