package io.sluice.queue;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** References that came back, smallest queue sequence first: a binary heap over three primitive arrays. */
final class ReturnedReferences {
    private static final long[] EMPTY = new long[0];
    /** Those of a queue without any; nothing is ever added to them. */
    static final ReturnedReferences NONE = new ReturnedReferences();

    private static final int INITIAL = 16;
    private static final int KEEP = 4096;

    private long[] sequences = EMPTY;
    private long[] positions = EMPTY;
    private long[] states = EMPTY;
    // only if a message expires
    private long @Nullable [] expiries;
    private int size;

    int size() {
        return size;
    }

    long firstSequence() {
        return sequences[0];
    }

    long firstPosition() {
        return positions[0];
    }

    long firstState() {
        return states[0];
    }

    long firstExpiry() {
        return expiry(0);
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
        return expiries == null ? Reference.NEVER : expiries[index];
    }

    void add(long sequence, long position, long state, long expiry) {
        if (expiry != Reference.NEVER && expiries == null) {
            expiries = new long[sequences.length];
        }
        if (size == sequences.length) {
            int capacity = Math.max(INITIAL, size * 2);
            sequences = Arrays.copyOf(sequences, capacity);
            positions = Arrays.copyOf(positions, capacity);
            states = Arrays.copyOf(states, capacity);
            if (expiries != null) {
                expiries = Arrays.copyOf(expiries, capacity);
            }
        }
        int at = size++;
        while (at > 0) {
            int parent = (at - 1) >>> 1;
            if (sequences[parent] <= sequence) {
                break;
            }
            move(parent, at);
            at = parent;
        }
        set(at, sequence, position, state, expiry);
    }

    void removeFirst() {
        size--;
        if (size == 0) {
            if (sequences.length > KEEP) {
                clear();
            }
            return;
        }
        long sequence = sequences[size];
        long position = positions[size];
        long state = states[size];
        long expiry = expiry(size);
        int at = 0;
        int half = size >>> 1;
        while (at < half) {
            int child = 2 * at + 1;
            if (child + 1 < size && sequences[child + 1] < sequences[child]) {
                child++;
            }
            if (sequence <= sequences[child]) {
                break;
            }
            move(child, at);
            at = child;
        }
        set(at, sequence, position, state, expiry);
    }

    void clear() {
        sequences = EMPTY;
        positions = EMPTY;
        states = EMPTY;
        expiries = null;
        size = 0;
    }

    private void move(int from, int to) {
        set(to, sequences[from], positions[from], states[from], expiry(from));
    }

    private void set(int at, long sequence, long position, long state, long expiry) {
        sequences[at] = sequence;
        positions[at] = position;
        states[at] = state;
        if (expiries != null) {
            expiries[at] = expiry;
        }
    }
}
