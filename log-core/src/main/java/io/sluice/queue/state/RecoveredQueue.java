package io.sluice.queue.state;

import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.Reference;
import io.sluice.queue.ReferenceVisitor;
import io.sluice.queue.TargetSet;
import io.sluice.queue.index.BlockStore;
import io.sluice.queue.index.QueueIndex;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;
import org.roaringbitmap.longlong.Roaring64Bitmap;

/** A queue that is being put together from a checkpoint, the journal behind it and the records behind that. */
final class RecoveredQueue {
    private static final int QUAD = 4;
    private static final long[] EMPTY = new long[0];

    private final BlockStore blocks;
    private final boolean delayed;
    /** Waiting ones of the checkpoint; after {@link #finish} also those delivered before, in queue order. */
    private QueueIndex waiting;
    // those of the checkpoint that were delivered: sequence, position, state, expiry
    private long[] delivered = EMPTY;
    private int deliveredSize;
    // those behind the waiting ones: position, state, expiry, arrival
    private long[] arrived = EMPTY;
    private int arrivedSize;
    // replayed ones as above, with their order
    private long[] replayed = EMPTY;
    private int[] orders = new int[0];
    private int replayedCount;

    private Roaring64Bitmap settled = new Roaring64Bitmap();
    private Map<Long, Integer> failures = new HashMap<>();
    private Set<Long> rejected = new HashSet<>();
    private final Map<Long, Long> dues = new HashMap<>();
    private final Map<Long, long[]> deliveredBelow = new HashMap<>();
    private final long[] purgedBelow;
    private Set<Long> notPurged = Set.of();

    /**
     * Nothing recovered yet.
     *
     * @param delayed true if a checkpoint may show a reference twice
     */
    RecoveredQueue(int partitions, BlockStore blocks, boolean delayed) {
        this.delayed = delayed;
        this.blocks = blocks;
        waiting = new QueueIndex(blocks, 0);
        purgedBelow = new long[partitions];
    }

    void addWaiting(long position, long state, long expiry) {
        waiting.add(position, state, expiry);
    }

    void addDelivered(long sequence, long position, long state, long expiry) {
        delivered = room(delivered, deliveredSize);
        deliveredSize = put(delivered, deliveredSize, sequence, position, state, expiry);
    }

    void addArrived(long position, long state, long expiry, long arrival) {
        arrived = room(arrived, arrivedSize);
        arrivedSize = put(arrived, arrivedSize, position, state, expiry, arrival);
    }

    void replay(long position, int bytes, TargetSet.Stamp stamp) {
        if (settled.contains(position)) {
            return;
        }
        if (replayedCount == orders.length) {
            orders = Arrays.copyOf(orders, Math.max(16, replayedCount * 2));
        }
        replayed = room(replayed, replayedCount * QUAD);
        put(
                replayed,
                replayedCount * QUAD,
                position,
                Reference.fresh(bytes, stamp.priority()),
                stamp.expiry(),
                stamp.arrival());
        orders[replayedCount++] = stamp.order();
    }

    void settle(long first, long last) {
        // not addRange: out of order it takes milliseconds a call (RoaringBitmap 1.6.29)
        for (long position = first; position <= last; position++) {
            settled.addLong(position);
        }
    }

    void failed(long position, int count) {
        // counts only rise, and a transaction may be written before what the queue had to tell earlier
        failures.merge(position, count, Math::max);
    }

    void postponed(long position, long due) {
        dues.put(position, due);
    }

    /** Epoch ms before which the message is not to be delivered, 0 = any time. */
    long due(long position) {
        return dues.isEmpty() ? 0 : dues.getOrDefault(position, 0L);
    }

    void visitPostponed(DeliveryMachine.PostponedVisitor visitor) {
        dues.forEach(visitor::visit);
    }

    void rejected(long position) {
        rejected.add(position);
    }

    void deliveredBelow(int partition, int priority, long offset) {
        long[] below = deliveredBelow.computeIfAbsent((long) priority, absent -> new long[purgedBelow.length]);
        below[partition] = Math.max(below[partition], offset);
    }

    /** All below these offsets is done with, but for the given positions. */
    void purged(long[] below, Set<Long> except) {
        for (int i = 0; i < below.length; i++) {
            purgedBelow[i] = Math.max(purgedBelow[i], below[i]);
        }
        notPurged = except;
    }

    /** Shows references from a place on; answers the place to go on with, -1 after the last. */
    long visitWaiting(long from, int max, ReferenceVisitor visitor) {
        return waiting.visit(from, max, visitor);
    }

    /** As {@link #visitWaiting} for those behind. */
    long visitArrived(long from, int max, ArrivedVisitor visitor) {
        int end = (int) Math.min(arrivedSize / QUAD, from + max);
        for (int i = (int) from; i < end; i++) {
            int at = i * QUAD;
            visitor.arrived(arrived[at], arrived[at + 1], arrived[at + 2], arrived[at + 3]);
        }
        return end == arrivedSize / QUAD ? -1 : end;
    }

    /** Frees what it holds. */
    void close() {
        waiting.clear();
    }

    /**
     * Puts all in order, without what is settled or not within the log.
     *
     * @param base orders are compared relative to this one
     */
    void finish(long[] start, long[] end, int base) {
        QueueIndex old = waiting;
        waiting = new QueueIndex(blocks, 0);
        Set<Long> before = new HashSet<>();
        for (long at : sorted(deliveredSize / QUAD, i -> delivered[QUAD * i])) {
            int i = QUAD * (int) at;
            long position = delivered[i + 1];
            before.add(position);
            if (isKept(position, start, end)) {
                waiting.add(position, stateOf(position, delivered[i + 2]), delivered[i + 3]);
            }
        }
        Roaring64Bitmap seen = new Roaring64Bitmap();
        while (!old.isEmpty()) {
            long position = old.firstPosition();
            if ((!delayed || isNew(position, seen))
                    && (before.isEmpty() || !before.contains(position))
                    && isKept(position, start, end)) {
                waiting.add(position, stateOf(position, old.firstState()), old.firstExpiry());
            }
            old.removeFirst();
        }
        long[] behind = arrived;
        int behindSize = arrivedSize;
        arrived = EMPTY;
        arrivedSize = 0;
        for (int i = 0; i < behindSize; i += QUAD) {
            keepArrived(behind, i, start, end);
        }
        for (long at : sorted(replayedCount, i -> orders[i] - base)) {
            keepArrived(replayed, QUAD * (int) at, start, end);
        }
        dues.keySet().removeIf(position -> !isKept(position, start, end));
        delivered = EMPTY;
        deliveredSize = 0;
        replayed = EMPTY;
        orders = new int[0];
        replayedCount = 0;
        settled = new Roaring64Bitmap();
        failures = Map.of();
        rejected = Set.of();
        deliveredBelow.clear();
        notPurged = Set.of();
    }

    private static boolean isNew(long position, Roaring64Bitmap seen) {
        if (seen.contains(position)) {
            return false;
        }
        seen.addLong(position);
        return true;
    }

    private void keepArrived(long[] from, int i, long[] start, long[] end) {
        if (isKept(from[i], start, end)) {
            addArrived(from[i], stateOf(from[i], from[i + 1]), from[i + 2], from[i + 3]);
        }
    }

    private boolean isKept(long position, long[] start, long[] end) {
        int partition = Reference.partition(position);
        long offset = Reference.offset(position);
        return !settled.contains(position)
                && offset >= start[partition]
                && offset < end[partition]
                && (offset >= purgedBelow[partition] || notPurged.contains(position));
    }

    private long stateOf(long position, long state) {
        Integer failed = failures.get(position);
        long now = failed == null || failed <= Reference.deliveryCount(state)
                ? state
                : Reference.withDeliveryCount(state, failed);
        boolean out = rejected.contains(position);
        if (out) {
            now = Reference.asRejected(now);
        }
        return failed != null
                        || out
                        || wasDelivered(position, QueueDelta.ALL_PRIORITIES)
                        || wasDelivered(position, Reference.priority(state))
                ? Reference.asRedelivered(now)
                : now;
    }

    private boolean wasDelivered(long position, int priority) {
        long[] below = deliveredBelow.get((long) priority);
        return below != null && Reference.offset(position) < below[Reference.partition(position)];
    }

    private static long[] room(long[] quads, int size) {
        return size < quads.length ? quads : Arrays.copyOf(quads, Math.max(16 * QUAD, size * 2));
    }

    private static int put(long[] quads, int at, long a, long b, long c, long d) {
        quads[at] = a;
        quads[at + 1] = b;
        quads[at + 2] = c;
        quads[at + 3] = d;
        return at + QUAD;
    }

    private interface Keys {
        long key(int index);
    }

    /** Indexes by rising key; they mostly are in this order already. */
    private static long[] sorted(int count, Keys keys) {
        long[] order = new long[count];
        long smallest = Long.MAX_VALUE;
        long largest = Long.MIN_VALUE;
        boolean rising = true;
        for (int i = 0; i < count; i++) {
            long key = keys.key(i);
            rising &= i == 0 || keys.key(i - 1) < key;
            smallest = Math.min(smallest, key);
            largest = Math.max(largest, key);
            order[i] = i;
        }
        if (rising) {
            return order;
        }
        if (largest - smallest >= 0 && largest - smallest < 1L << Integer.SIZE - 1) {
            for (int i = 0; i < count; i++) {
                order[i] |= keys.key(i) - smallest << Integer.SIZE;
            }
            Arrays.sort(order);
            for (int i = 0; i < count; i++) {
                order[i] &= 0xFFFF_FFFFL;
            }
            return order;
        }
        // several priorities: few, as they were delivered
        return LongStream.of(order)
                .boxed()
                .sorted(Comparator.comparingLong(i -> keys.key(i.intValue())))
                .mapToLong(Long::longValue)
                .toArray();
    }
}
