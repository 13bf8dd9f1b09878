package io.sluice.queue.index;

import io.sluice.queue.Reference;
import io.sluice.queue.ReferenceVisitor;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * References by the time at which they are due: a hierarchical timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing
 * Wheels", 1987) whose buckets are {@link QueueIndex}es, so that what is due later than within a second costs the heap next to
 * nothing, however much it is. Buckets are of 1 s, 1 min, 1 h and 3 d, 64 of each; what is due later still waits in one more.
 * A reference moves to a finer bucket at most four times, and to a heap of primitives for its last second. The third
 * number of a reference is its due time, epoch ms. Not thread-safe.
 */
public final class DelayIndex {
    private static final int SLOT_BITS = 6;
    private static final int SLOTS = 1 << SLOT_BITS;
    private static final int WHEELS = 4;
    private static final int STAGE_SHIFT = 56;
    /** A tick is 2^10 ms. */
    private static final int TICK_BITS = 10;

    private final BlockStore store;
    private final @Nullable QueueIndex[] buckets = new QueueIndex[WHEELS * SLOTS];
    private final long[] occupied = new long[WHEELS];
    private @Nullable QueueIndex later;
    /** Ticks up to this one are open: what is due in them is in the heap; in this one only after the stages are done. */
    private long tick;

    /** What is left to be opened of the tick: what is later, the wheels from the coarsest on; below 0 = nothing. */
    private int stage = -1;
    /** Was {@link #later} when the tick came that looks at it again; not sorted in yet. */
    private @Nullable QueueIndex sorting;

    private long size;

    // heap by due time
    private long[] dues = new long[0];
    private long[] positions = new long[0];
    private long[] states = new long[0];
    private int near;

    /** An empty index; {@code now} is epoch ms. */
    public DelayIndex(BlockStore store, long now) {
        this.store = store;
        tick = now >> TICK_BITS;
    }

    public long size() {
        return size;
    }

    public void add(long position, long state, long due) {
        size++;
        place(position, state, due);
    }

    /**
     * Opens what is due until {@code now}, epoch ms. Time does not go back.
     *
     * @throws io.sluice.log.LogException if a block cannot be read: the next call goes on from there
     */
    public void advance(long now) {
        long until = now >> TICK_BITS;
        if (size == near) {
            tick = Math.max(tick, until);
            stage = -1;
            return;
        }
        while (stage >= 0 || tick < until) {
            if (stage < 0) {
                tick++;
                stage = WHEELS;
            }
            while (stage >= 0) {
                int shift = Math.min(stage, WHEELS - 1) * SLOT_BITS;
                if ((tick & (1L << shift) - 1) == 0) {
                    if (stage == WHEELS) {
                        spreadLater();
                    } else {
                        spread(stage, (int) (tick >> shift) & SLOTS - 1);
                    }
                }
                stage--;
            }
        }
    }

    /** True if the first reference is due; after {@link #advance}. */
    public boolean isDue(long now) {
        return near > 0 && dues[0] <= now;
    }

    /** When there is something to do, epoch ms; {@link Long#MAX_VALUE} if empty. */
    public long next() {
        long next = near > 0 ? dues[0] : Long.MAX_VALUE;
        for (int wheel = 0; wheel < WHEELS; wheel++) {
            if (occupied[wheel] != 0) {
                next = Math.min(next, nextStart(wheel, tick >> wheel * SLOT_BITS));
            }
        }
        if (sorting != null) {
            next = Math.min(next, tick << TICK_BITS);
        }
        return later == null ? next : Math.min(next, nextLater() << TICK_BITS);
    }

    public long firstPosition() {
        return positions[0];
    }

    public long firstState() {
        return states[0];
    }

    public long firstDue() {
        return dues[0];
    }

    /** Removes the first reference; there must be one that is due. */
    public void removeFirst() {
        size--;
        near--;
        if (near == 0) {
            if (dues.length > 4096) {
                dues = new long[0];
                positions = new long[0];
                states = new long[0];
            }
            return;
        }
        sink(dues[near], positions[near], states[near]);
    }

    /**
     * Shows references, the latest first, a bucket at a time: so none is missed that moves to a finer bucket between two calls,
     * but it may be shown twice.
     *
     * @param from 0, or what the last call answered
     * @return where to go on; -1 after the last
     */
    public long visit(long from, int max, ReferenceVisitor visitor) {
        // a place is a stage (the latest, the wheels from the coarsest on, the heap) and the number of a bucket
        long place = from;
        if (place == 0) {
            visitAll(sorting, visitor);
            visitAll(later, visitor);
            place = 1L << STAGE_SHIFT;
        }
        int seen = 0;
        while (seen < max) {
            int at = (int) (place >> STAGE_SHIFT);
            int wheel = WHEELS - at;
            if (wheel < 0) {
                for (int i = 0; i < near; i++) {
                    visitor.visit(positions[i], states[i], dues[i]);
                }
                return -1;
            }
            int shift = wheel * SLOT_BITS;
            long start = nextStart(wheel, Math.max(place & (1L << STAGE_SHIFT) - 1, tick >> shift));
            if (start == Long.MAX_VALUE) {
                place = at + 1L << STAGE_SHIFT;
                continue;
            }
            long number = start >> shift + TICK_BITS;
            QueueIndex bucket = buckets[wheel * SLOTS + (int) (number & SLOTS - 1)];
            if (bucket != null) {
                seen += (int) bucket.size();
                bucket.visit(bucket.first(), Integer.MAX_VALUE, visitor);
            }
            place = (long) at << STAGE_SHIFT | number + 1;
        }
        return place;
    }

    private static void visitAll(@Nullable QueueIndex index, ReferenceVisitor visitor) {
        if (index != null && !index.isEmpty()) {
            index.visit(index.first(), Integer.MAX_VALUE, visitor);
        }
    }

    /** Hands everything over, in no particular order, and is empty then. Reads nothing, however much it is. */
    public void clear(Consumer<QueueIndex> taker) {
        if (near > 0) {
            QueueIndex last = new QueueIndex(store, 0);
            for (int i = 0; i < near; i++) {
                last.add(positions[i], states[i], dues[i]);
            }
            taker.accept(last);
        }
        near = 0;
        for (int at = 0; at < buckets.length; at++) {
            give(buckets[at], taker);
            buckets[at] = null;
        }
        give(sorting, taker);
        sorting = null;
        give(later, taker);
        later = null;
        Arrays.fill(occupied, 0);
        size = 0;
    }

    private static void give(@Nullable QueueIndex index, Consumer<QueueIndex> taker) {
        if (index != null) {
            taker.accept(index);
        }
    }

    private void place(long position, long state, long due) {
        long at = due >> TICK_BITS;
        if (at <= tick) {
            push(due, position, state);
            return;
        }
        for (int wheel = 0; wheel < WHEELS; wheel++) {
            int shift = wheel * SLOT_BITS;
            if ((at >> shift) - (tick >> shift) < SLOTS) {
                int slot = (int) (at >> shift) & SLOTS - 1;
                QueueIndex bucket = buckets[wheel * SLOTS + slot];
                if (bucket == null) {
                    bucket = new QueueIndex(store, 0);
                    buckets[wheel * SLOTS + slot] = bucket;
                    occupied[wheel] |= 1L << slot;
                }
                bucket.add(position, state, due);
                return;
            }
        }
        if (later == null) {
            later = new QueueIndex(store, 0);
        }
        later.add(position, state, due);
    }

    private void spread(int wheel, int slot) {
        QueueIndex bucket = buckets[wheel * SLOTS + slot];
        if (bucket != null) {
            spread(bucket);
            buckets[wheel * SLOTS + slot] = null;
            occupied[wheel] &= ~(1L << slot);
        }
    }

    private void spreadLater() {
        if (sorting == null) {
            sorting = later;
            later = null;
        }
        QueueIndex all = sorting;
        if (all != null) {
            spread(all);
            sorting = null;
        }
    }

    /** No reference goes back to where it comes from: it is placed in something finer. */
    private void spread(QueueIndex bucket) {
        while (!bucket.isEmpty()) {
            long position = bucket.firstPosition();
            long state = bucket.firstState();
            long due = bucket.firstExpiry();
            bucket.removeFirst();
            place(position, state, due);
        }
        bucket.clear();
    }

    /** Tick at which {@link #later} is looked at again. */
    private long nextLater() {
        int shift = (WHEELS - 1) * SLOT_BITS;
        return (tick >> shift) + 1 << shift;
    }

    /** When the first bucket of the wheel begins whose number is at least {@code number}; {@link Long#MAX_VALUE} if none does. */
    private long nextStart(int wheel, long number) {
        int shift = wheel * SLOT_BITS;
        long end = (tick >> shift) + SLOTS;
        for (long at = number; at < end; at++) {
            if ((occupied[wheel] & 1L << (at & SLOTS - 1)) != 0) {
                return at << shift + TICK_BITS;
            }
        }
        return Long.MAX_VALUE;
    }

    private void push(long due, long position, long state) {
        if (near == dues.length) {
            int capacity = Math.max(16, near * 2);
            dues = Arrays.copyOf(dues, capacity);
            positions = Arrays.copyOf(positions, capacity);
            states = Arrays.copyOf(states, capacity);
        }
        int at = near++;
        while (at > 0) {
            int parent = (at - 1) >>> 1;
            if (!isAfter(parent, due, position)) {
                break;
            }
            move(parent, at);
            at = parent;
        }
        set(at, due, position, state);
    }

    private void sink(long due, long position, long state) {
        int at = 0;
        int half = near >>> 1;
        while (at < half) {
            int child = 2 * at + 1;
            if (child + 1 < near && isAfter(child, dues[child + 1], positions[child + 1])) {
                child++;
            }
            if (isAfter(child, due, position)) {
                break;
            }
            move(child, at);
            at = child;
        }
        set(at, due, position, state);
    }

    /** Due at the same time, the one that was stored first goes first. */
    private boolean isAfter(int index, long due, long position) {
        return dues[index] != due ? dues[index] > due : Reference.offset(positions[index]) > Reference.offset(position);
    }

    private void move(int from, int to) {
        set(to, dues[from], positions[from], states[from]);
    }

    private void set(int at, long due, long position, long state) {
        dues[at] = due;
        positions[at] = position;
        states[at] = state;
    }
}
