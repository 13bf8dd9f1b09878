package io.sluice.queue;

import java.util.Arrays;

/** References that came back, smallest queue sequence first: a binary heap over three primitive arrays. */
final class ReturnedReferences {
    private static final int INITIAL = 16;
    private static final int KEEP = 4096;

    private long[] sequences = new long[INITIAL];
    private long[] positions = new long[INITIAL];
    private long[] states = new long[INITIAL];
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

    long sequence(int index) {
        return sequences[index];
    }

    long position(int index) {
        return positions[index];
    }

    long state(int index) {
        return states[index];
    }

    void add(long sequence, long position, long state) {
        if (size == sequences.length) {
            int capacity = size * 2;
            sequences = Arrays.copyOf(sequences, capacity);
            positions = Arrays.copyOf(positions, capacity);
            states = Arrays.copyOf(states, capacity);
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
        set(at, sequence, position, state);
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
        set(at, sequence, position, state);
    }

    void clear() {
        sequences = new long[INITIAL];
        positions = new long[INITIAL];
        states = new long[INITIAL];
        size = 0;
    }

    private void move(int from, int to) {
        set(to, sequences[from], positions[from], states[from]);
    }

    private void set(int at, long sequence, long position, long state) {
        sequences[at] = sequence;
        positions[at] = position;
        states[at] = state;
    }
}
