package io.sluice.mqtt.connection;

import java.util.Arrays;

/**
 * PUBACKs that are owed, in the order of their PUBLISH packets (MQTT 5.0 section 4.6): each waits for a stored batch, or for
 * those before it. A ring of parallel arrays; not thread-safe.
 */
final class AckQueue {
    private long[] batches = new long[8];
    private int[] entries = new int[8];
    private int head;
    private int size;

    int size() {
        return size;
    }

    /**
     * Adds one.
     *
     * @param batch number of the batch that must complete first; 0 = none
     * @param ownResult true if the result of that batch is the result of this message
     * @param reason reason code that is already known, 0 = success
     */
    void add(int packetId, long batch, boolean ownResult, int reason) {
        if (size == entries.length) {
            grow();
        }
        int slot = (head + size) & (entries.length - 1);
        batches[slot] = batch;
        entries[slot] = packetId | (reason << 16) | (ownResult ? 1 << 24 : 0);
        size++;
    }

    /** True if the oldest may go once {@code completed} batches are done. */
    boolean isReady(long completed) {
        return size > 0 && batches[head] <= completed;
    }

    /** Batch of the oldest. */
    long batch() {
        return batches[head];
    }

    int packetId() {
        return entries[head] & 0xFFFF;
    }

    int reason() {
        return (entries[head] >>> 16) & 0xFF;
    }

    boolean ownResult() {
        return (entries[head] & (1 << 24)) != 0;
    }

    void remove() {
        head = (head + 1) & (entries.length - 1);
        size--;
    }

    private void grow() {
        int old = entries.length;
        long[] b = Arrays.copyOf(batches, old * 2);
        int[] e = Arrays.copyOf(entries, old * 2);
        for (int i = 0; i < size; i++) {
            b[i] = batches[(head + i) & (old - 1)];
            e[i] = entries[(head + i) & (old - 1)];
        }
        batches = b;
        entries = e;
        head = 0;
    }
}
