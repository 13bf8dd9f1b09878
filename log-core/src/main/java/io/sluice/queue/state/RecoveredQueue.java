package io.sluice.queue.state;

import io.sluice.queue.DeliveryMachine.ReferenceVisitor;
import io.sluice.queue.Reference;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.roaringbitmap.longlong.Roaring64Bitmap;

/** A queue that is being put together from a checkpoint, the journal behind it and the records behind that. */
final class RecoveredQueue {
    private static final int TRIPLE = 3;

    /** Waiting ones of the checkpoint; after {@link #finish} all, in queue order. */
    private long[] positions = new long[16];

    private long[] states = new long[16];
    private int size;
    // those of the checkpoint that were delivered: sequence, position, state
    private long[] delivered = new long[0];
    private int deliveredSize;
    // replayed ones with their order
    private long[] replayedPositions = new long[16];
    private int[] replayedSizes = new int[16];
    private int[] orders = new int[16];
    private int replayed;

    private Roaring64Bitmap settled = new Roaring64Bitmap();
    private Map<Long, Integer> failures = new HashMap<>();
    private final long[] deliveredBelow;

    RecoveredQueue(int partitions) {
        deliveredBelow = new long[partitions];
    }

    int size() {
        return size;
    }

    void addWaiting(long position, long state) {
        if (size == positions.length) {
            positions = Arrays.copyOf(positions, size * 2);
            states = Arrays.copyOf(states, size * 2);
        }
        positions[size] = position;
        states[size++] = state;
    }

    void addDelivered(long sequence, long position, long state) {
        if (deliveredSize == delivered.length) {
            delivered = Arrays.copyOf(delivered, Math.max(16 * TRIPLE, deliveredSize * 2));
        }
        delivered[deliveredSize++] = sequence;
        delivered[deliveredSize++] = position;
        delivered[deliveredSize++] = state;
    }

    void replay(long position, int bytes, int order) {
        if (settled.contains(position)) {
            return;
        }
        if (replayed == orders.length) {
            replayedPositions = Arrays.copyOf(replayedPositions, replayed * 2);
            replayedSizes = Arrays.copyOf(replayedSizes, replayed * 2);
            orders = Arrays.copyOf(orders, replayed * 2);
        }
        replayedPositions[replayed] = position;
        replayedSizes[replayed] = bytes;
        orders[replayed++] = order;
    }

    void settle(long first, long last) {
        settled.addRange(first, last + 1);
    }

    void failed(long position, int count) {
        failures.put(position, count);
    }

    void deliveredBelow(int partition, long offset) {
        deliveredBelow[partition] = Math.max(deliveredBelow[partition], offset);
    }

    /** Hands over references from an index on; answers the index to go on with, -1 after the last. */
    long visit(long from, int max, ReferenceVisitor visitor) {
        int end = (int) Math.min(size, from + max);
        for (int i = (int) from; i < end; i++) {
            visitor.visit(positions[i], states[i]);
        }
        return end == size ? -1 : end;
    }

    /**
     * Puts all in order, without what is settled or not within the log.
     *
     * @param base orders are compared relative to this one
     */
    void finish(long[] start, long[] end, int base) {
        long[] waitingPositions = positions;
        long[] waitingStates = states;
        int waiting = size;
        size = 0;
        positions = new long[Math.max(16, waiting + deliveredSize / TRIPLE + replayed)];
        states = new long[positions.length];
        Set<Long> before = new HashSet<>();
        for (long at : sorted(deliveredSize / TRIPLE, i -> delivered[TRIPLE * i])) {
            long position = delivered[TRIPLE * (int) at + 1];
            before.add(position);
            keep(position, delivered[TRIPLE * (int) at + 2], start, end);
        }
        for (int i = 0; i < waiting; i++) {
            if (before.isEmpty() || !before.contains(waitingPositions[i])) {
                keep(waitingPositions[i], waitingStates[i], start, end);
            }
        }
        for (long at : sorted(replayed, i -> orders[i] - base)) {
            keep(replayedPositions[(int) at], Reference.state(replayedSizes[(int) at], 0, false), start, end);
        }
        delivered = new long[0];
        deliveredSize = 0;
        replayedPositions = new long[0];
        replayedSizes = new int[0];
        orders = new int[0];
        replayed = 0;
        settled = new Roaring64Bitmap();
        failures = Map.of();
    }

    private void keep(long position, long state, long[] start, long[] end) {
        int partition = Reference.partition(position);
        long offset = Reference.offset(position);
        if (settled.contains(position) || offset < start[partition] || offset >= end[partition]) {
            return;
        }
        Integer failed = failures.get(position);
        int count = Math.max(Reference.deliveryCount(state), failed == null ? 0 : failed);
        boolean redelivered = Reference.redelivered(state) || offset < deliveredBelow[partition] || failed != null;
        positions[size] = position;
        states[size++] = Reference.state(Reference.size(state), count, redelivered);
    }

    private interface Keys {
        long key(int index);
    }

    /** Indexes by rising key; they mostly are in this order already. Keys differ by less than 2^32. */
    private static long[] sorted(int count, Keys keys) {
        long[] order = new long[count];
        long smallest = Long.MAX_VALUE;
        boolean rising = true;
        for (int i = 0; i < count; i++) {
            smallest = Math.min(smallest, keys.key(i));
            rising &= i == 0 || keys.key(i - 1) < keys.key(i);
        }
        for (int i = 0; i < count; i++) {
            order[i] = rising ? i : keys.key(i) - smallest << Integer.SIZE | i;
        }
        if (!rising) {
            Arrays.sort(order);
            for (int i = 0; i < count; i++) {
                order[i] &= 0xFFFF_FFFFL;
            }
        }
        return order;
    }
}
