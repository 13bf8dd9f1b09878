package io.sluice.queue;

import java.util.Arrays;

/**
 * When the locks of deliveries end, the soonest first: a binary heap over two primitive arrays. A lock that was renewed, or whose
 * delivery is settled, stays until its old time, or until most of them are such.
 */
final class LockDeadlines {
    private static final int INITIAL = 16;

    private long[] deadlines = new long[INITIAL];
    private long[] ids = new long[INITIAL];
    private int size;

    int size() {
        return size;
    }

    /** Epoch ms; {@link Long#MAX_VALUE} if there is none. */
    long first() {
        return size == 0 ? Long.MAX_VALUE : deadlines[0];
    }

    long firstId() {
        return ids[0];
    }

    void add(long deadline, long id) {
        if (size == ids.length) {
            resize(size * 2);
        }
        int at = size++;
        while (at > 0) {
            int parent = (at - 1) >>> 1;
            if (deadlines[parent] <= deadline) {
                break;
            }
            set(at, deadlines[parent], ids[parent]);
            at = parent;
        }
        set(at, deadline, id);
    }

    void removeFirst() {
        size--;
        sink(0, deadlines[size], ids[size]);
        if (size == 0 && ids.length > 4096) {
            resize(INITIAL);
        }
    }

    /** Drops those that are in force no more. */
    void keep(InFlight deliveries) {
        int kept = 0;
        for (int i = 0; i < size; i++) {
            int slot = deliveries.find(ids[i]);
            if (slot >= 0 && deliveries.deadline(slot) == deadlines[i]) {
                set(kept++, deadlines[i], ids[i]);
            }
        }
        size = kept;
        for (int at = (size >>> 1) - 1; at >= 0; at--) {
            sink(at, deadlines[at], ids[at]);
        }
    }

    private void sink(int from, long deadline, long id) {
        int at = from;
        int half = size >>> 1;
        while (at < half) {
            int child = 2 * at + 1;
            if (child + 1 < size && deadlines[child + 1] < deadlines[child]) {
                child++;
            }
            if (deadline <= deadlines[child]) {
                break;
            }
            set(at, deadlines[child], ids[child]);
            at = child;
        }
        set(at, deadline, id);
    }

    private void resize(int capacity) {
        deadlines = Arrays.copyOf(deadlines, capacity);
        ids = Arrays.copyOf(ids, capacity);
    }

    private void set(int at, long deadline, long id) {
        deadlines[at] = deadline;
        ids[at] = id;
    }
}
