package io.sluice.queue.index;

import io.sluice.queue.Reference;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** First-in, first-out ring of references in primitive arrays; empty ones own none, and expiries take space only where used. */
final class ReferenceRing {
    private static final long[] EMPTY = new long[0];
    private static final int INITIAL = 8;

    private long[] positions = EMPTY;
    private long[] states = EMPTY;
    private long @Nullable [] expiries;
    private int head;
    private int size;
    // most there were since it was last emptied
    private int peak;

    int size() {
        return size;
    }

    void add(long position, long state, long expiry) {
        if (size == positions.length) {
            grow();
        }
        int at = (head + size) & (positions.length - 1);
        positions[at] = position;
        states[at] = state;
        if (expiry != Reference.NEVER && expiries == null) {
            expiries = new long[positions.length];
        }
        if (expiries != null) {
            expiries[at] = expiry;
        }
        size++;
        if (size > peak) {
            peak = size;
        }
    }

    long position(int index) {
        return positions[(head + index) & (positions.length - 1)];
    }

    long state(int index) {
        return states[(head + index) & (states.length - 1)];
    }

    long expiry(int index) {
        return expiries == null ? Reference.NEVER : expiries[(head + index) & (positions.length - 1)];
    }

    void removeFirst() {
        head = (head + 1) & (positions.length - 1);
        size--;
    }

    /** Forgets all references, and the arrays if they are larger than {@code keep} and were mostly unused since the last time. */
    void clear(int keep) {
        boolean roomy = peak < positions.length / 4;
        head = 0;
        size = 0;
        peak = 0;
        expiries = null;
        if (positions.length > keep && (roomy || keep == 0)) {
            positions = EMPTY;
            states = EMPTY;
        }
    }

    private void grow() {
        int capacity = Math.max(INITIAL, positions.length * 2);
        positions = unroll(positions, capacity);
        states = unroll(states, capacity);
        if (expiries != null) {
            expiries = unroll(expiries, capacity);
        }
        head = 0;
    }

    private long[] unroll(long[] from, int capacity) {
        long[] to = Arrays.copyOfRange(from, head, head + capacity);
        // what copyOfRange could not reach: the part that had wrapped to the front
        System.arraycopy(from, 0, to, from.length - head, head);
        return to;
    }
}
