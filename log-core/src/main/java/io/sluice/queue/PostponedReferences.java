package io.sluice.queue;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** References that came back and may not be delivered yet, the soonest due first: a binary heap over primitive arrays. */
final class PostponedReferences {
    /** More are not kept: 6 MiB of heap. */
    static final int MAX = 131_072;

    private static final int INITIAL = 16;

    private long[] dues = new long[INITIAL];
    private long[] sequences = new long[INITIAL];
    private long[] positions = new long[INITIAL];
    private long[] states = new long[INITIAL];
    private long[] expiries = new long[INITIAL];
    // only if a message is of a group
    private int @Nullable [] groups;
    private int size;

    int size() {
        return size;
    }

    boolean isFull() {
        return size == MAX;
    }

    /** When the first may be delivered, epoch ms; {@link Long#MAX_VALUE} if there is none. */
    long firstDue() {
        return size == 0 ? Long.MAX_VALUE : dues[0];
    }

    long due(int index) {
        return dues[index];
    }

    long sequence(int index) {
        return sequences[index];
    }

    long position(int index) {
        return positions[index];
    }

    long state(int index) {
        return states[index];
    }

    long expiry(int index) {
        return expiries[index];
    }

    /** Number of the message's group, 0 = none. */
    int group(int index) {
        return groups == null ? 0 : groups[index];
    }

    void add(long due, long sequence, long position, long state, long expiry, int group) {
        if (group != 0 && groups == null) {
            groups = new int[dues.length];
        }
        if (size == dues.length) {
            resize(size * 2);
        }
        int at = size++;
        while (at > 0) {
            int parent = (at - 1) >>> 1;
            if (dues[parent] <= due) {
                break;
            }
            move(parent, at);
            at = parent;
        }
        set(at, due, sequence, position, state, expiry, group);
    }

    void removeFirst() {
        size--;
        int at = 0;
        int half = size >>> 1;
        long due = dues[size];
        while (at < half) {
            int child = 2 * at + 1;
            if (child + 1 < size && dues[child + 1] < dues[child]) {
                child++;
            }
            if (due <= dues[child]) {
                break;
            }
            move(child, at);
            at = child;
        }
        move(size, at);
        if (size == 0 && dues.length > INITIAL) {
            resize(INITIAL);
        }
    }

    private void resize(int capacity) {
        dues = Arrays.copyOf(dues, capacity);
        sequences = Arrays.copyOf(sequences, capacity);
        positions = Arrays.copyOf(positions, capacity);
        states = Arrays.copyOf(states, capacity);
        expiries = Arrays.copyOf(expiries, capacity);
        if (groups != null) {
            groups = Arrays.copyOf(groups, capacity);
        }
    }

    private void move(int from, int to) {
        set(to, dues[from], sequences[from], positions[from], states[from], expiries[from], group(from));
    }

    private void set(int at, long due, long sequence, long position, long state, long expiry, int group) {
        dues[at] = due;
        sequences[at] = sequence;
        positions[at] = position;
        states[at] = state;
        expiries[at] = expiry;
        if (groups != null) {
            groups[at] = group;
        }
    }
}
