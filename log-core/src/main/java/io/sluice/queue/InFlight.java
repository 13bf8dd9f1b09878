package io.sluice.queue;

import org.jspecify.annotations.Nullable;

/**
 * Delivered and unsettled references by delivery id: open addressing over primitive arrays, with linear probing in the order of home
 * slots (Celis, "Robin Hood Hashing", 1986): ids that rise one by one fill one long run, and in this order a removal ends at the
 * first entry that stands at home instead of walking to the end of the run. Ids are positive; 0 marks an empty slot. A slot index is valid until the next change.
 */
final class InFlight {
    private static final int INITIAL = 16;
    private static final long[] EMPTY = new long[0];
    private static final int[] NOBODY = new int[0];
    /** Those of a queue without any; nothing is ever added to it. */
    static final InFlight NONE = new InFlight();

    private long[] ids = EMPTY;
    private long[] sequences = EMPTY;
    private long[] positions = EMPTY;
    private long[] states = EMPTY;
    // only if a message expires
    private long @Nullable [] expiries;
    private int[] consumers = NOBODY;
    // only if a message is of a group
    private int @Nullable [] groups;
    // only if a consumer has a lock
    private long @Nullable [] deadlines;
    private int size;

    int size() {
        return size;
    }

    /** Slots, empty ones included. */
    int capacity() {
        return ids.length;
    }

    boolean occupied(int slot) {
        return ids[slot] != 0;
    }

    long id(int slot) {
        return ids[slot];
    }

    long sequence(int slot) {
        return sequences[slot];
    }

    long position(int slot) {
        return positions[slot];
    }

    long state(int slot) {
        return states[slot];
    }

    long expiry(int slot) {
        return expiries == null ? Reference.NEVER : expiries[slot];
    }

    int consumer(int slot) {
        return consumers[slot];
    }

    /** Number of the message's group, 0 = none. */
    int group(int slot) {
        return groups == null ? 0 : groups[slot];
    }

    void group(int slot, int group) {
        if (groups == null) {
            if (group == 0) {
                return;
            }
            groups = new int[ids.length];
        }
        groups[slot] = group;
    }

    /** When the consumer's lock ends, epoch ms; 0 = it has none. */
    long deadline(int slot) {
        return deadlines == null ? 0 : deadlines[slot];
    }

    void deadline(int slot, long at) {
        if (deadlines == null) {
            if (at == 0) {
                return;
            }
            deadlines = new long[ids.length];
        }
        deadlines[slot] = at;
    }

    void update(int slot, long state, int consumer) {
        states[slot] = state;
        consumers[slot] = consumer;
    }

    /** Answers the slot. */
    int put(long id, long sequence, long position, long state, long expiry, int consumer) {
        if (size * 2 >= ids.length) {
            rehash(Math.max(INITIAL, ids.length * 2));
        }
        if (expiry != Reference.NEVER && expiries == null) {
            expiries = new long[ids.length];
        }
        size++;
        return insert(id, sequence, position, state, expiry, consumer);
    }

    /** Slot of the id, -1 if unknown. */
    int find(long id) {
        if (size == 0) {
            return -1;
        }
        int mask = ids.length - 1;
        int slot = home(id, mask);
        for (int distance = 0; ids[slot] != id; distance++) {
            if (ids[slot] == 0 || distance(slot, mask) < distance) {
                return -1;
            }
            slot = (slot + 1) & mask;
        }
        return slot;
    }

    void remove(int slot) {
        int mask = ids.length - 1;
        int hole = slot;
        int next = (hole + 1) & mask;
        while (ids[next] != 0 && distance(next, mask) > 0) {
            copy(next, hole);
            hole = next;
            next = (next + 1) & mask;
        }
        ids[hole] = 0;
        size--;
        if (size == 0 && ids.length > 4096) {
            rehash(INITIAL);
        }
    }

    private int insert(long id, long sequence, long position, long state, long expiry, int consumer) {
        int mask = ids.length - 1;
        int slot = home(id, mask);
        int distance = 0;
        while (ids[slot] != 0 && distance(slot, mask) >= distance) {
            slot = (slot + 1) & mask;
            distance++;
        }
        // what stands from here to the end of the run is nearer to its home: it moves up by one
        int end = slot;
        while (ids[end] != 0) {
            end = (end + 1) & mask;
        }
        while (end != slot) {
            int before = (end - 1) & mask;
            copy(before, end);
            end = before;
        }
        ids[slot] = id;
        sequences[slot] = sequence;
        positions[slot] = position;
        states[slot] = state;
        if (expiries != null) {
            expiries[slot] = expiry;
        }
        consumers[slot] = consumer;
        group(slot, 0);
        deadline(slot, 0);
        return slot;
    }

    private void copy(int from, int to) {
        ids[to] = ids[from];
        sequences[to] = sequences[from];
        positions[to] = positions[from];
        states[to] = states[from];
        if (expiries != null) {
            expiries[to] = expiries[from];
        }
        consumers[to] = consumers[from];
        if (groups != null) {
            groups[to] = groups[from];
        }
        if (deadlines != null) {
            deadlines[to] = deadlines[from];
        }
    }

    private void rehash(int capacity) {
        long[] oldIds = ids;
        long[] oldSequences = sequences;
        long[] oldPositions = positions;
        long[] oldStates = states;
        long[] oldExpiries = expiries;
        int[] oldConsumers = consumers;
        int[] oldGroups = groups;
        long[] oldDeadlines = deadlines;
        ids = new long[capacity];
        sequences = new long[capacity];
        positions = new long[capacity];
        states = new long[capacity];
        expiries = oldExpiries == null || size == 0 ? null : new long[capacity];
        consumers = new int[capacity];
        groups = oldGroups == null || size == 0 ? null : new int[capacity];
        deadlines = oldDeadlines == null || size == 0 ? null : new long[capacity];
        for (int i = 0; i < oldIds.length; i++) {
            if (oldIds[i] != 0) {
                long expiry = oldExpiries == null ? Reference.NEVER : oldExpiries[i];
                int slot = insert(oldIds[i], oldSequences[i], oldPositions[i], oldStates[i], expiry, oldConsumers[i]);
                group(slot, oldGroups == null ? 0 : oldGroups[i]);
                deadline(slot, oldDeadlines == null ? 0 : oldDeadlines[i]);
            }
        }
    }

    /** Slots between an entry and its home. */
    private int distance(int slot, int mask) {
        return (slot - home(ids[slot], mask)) & mask;
    }

    /** Ids rise one by one, so their low bits spread them perfectly. */
    private static int home(long id, int mask) {
        return (int) id & mask;
    }
}
