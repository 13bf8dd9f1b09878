package io.sluice.queue;

import java.util.Arrays;

/** First-in, first-out ring of references in two primitive arrays, 16 bytes each; grows by doubling, shrinks when emptied. */
final class ReferenceQueue {
    private static final int INITIAL = 16;
    private static final int KEEP = 4096;

    private long[] positions = new long[INITIAL];
    private long[] states = new long[INITIAL];
    private int head;
    private int size;

    int size() {
        return size;
    }

    void add(long position, long state) {
        if (size == positions.length) {
            grow();
        }
        int at = (head + size) & (positions.length - 1);
        positions[at] = position;
        states[at] = state;
        size++;
    }

    long position(int index) {
        return positions[(head + index) & (positions.length - 1)];
    }

    long state(int index) {
        return states[(head + index) & (states.length - 1)];
    }

    void removeFirst() {
        head = (head + 1) & (positions.length - 1);
        size--;
        if (size == 0 && positions.length > KEEP) {
            clear();
        }
    }

    void clear() {
        positions = new long[INITIAL];
        states = new long[INITIAL];
        head = 0;
        size = 0;
    }

    private void grow() {
        int capacity = positions.length * 2;
        if (capacity < 0) {
            throw new IllegalStateException("more than 2^30 references in one queue");
        }
        positions = unroll(positions, capacity);
        states = unroll(states, capacity);
        head = 0;
    }

    private long[] unroll(long[] from, int capacity) {
        long[] to = Arrays.copyOfRange(from, head, head + capacity);
        // what copyOfRange could not reach: the part that had wrapped to the front
        System.arraycopy(from, 0, to, from.length - head, head);
        return to;
    }
}
