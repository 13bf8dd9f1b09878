package io.sluice.queue;

import io.sluice.queue.index.BlockStore;
import io.sluice.queue.index.MemoryBlocks;
import io.sluice.queue.index.QueueIndex;
import org.jspecify.annotations.Nullable;

/**
 * References that nobody looked at yet, by priority level, each level in the order of enqueueing. Knows the places of a queue: a
 * sequence orders all its messages, by level, highest first, then by number within the level.
 */
final class FreshReferences {
    /** Priority levels that are told apart. */
    static final int LEVELS = 32;

    /** Bits of the place within a level; the bits above order the levels. */
    private static final int LEVEL_SHIFT = 58;
    /** Low bits of a sequence: the highest value for a message of the index, those below for what a restart found before it. */
    private static final int BETWEEN_BITS = 8;

    private static final int IN_INDEX = (1 << BETWEEN_BITS) - 1;
    private static final @Nullable QueueIndex[] NO_LEVELS = {};

    private final BlockStore blocks;
    private final int maxPriority;
    private @Nullable QueueIndex[] levels = NO_LEVELS;
    private int occupied;
    /** By level, messages restored before the next one since the last that was restored to wait; null until one was. */
    private int @Nullable [] restoredBetween;

    /** References of a queue without any; nothing is ever added to them. */
    static FreshReferences none() {
        return new FreshReferences(new MemoryBlocks(), 0);
    }

    FreshReferences(BlockStore blocks, int maxPriority) {
        this.blocks = blocks;
        this.maxPriority = maxPriority;
    }

    boolean isEmpty() {
        return occupied == 0;
    }

    /** Levels that have messages, as bits. */
    int occupied() {
        return occupied;
    }

    void add(long position, long state, long expiry) {
        int level = level(state);
        QueueIndex index = ownLevels()[level];
        if (index == null) {
            index = new QueueIndex(blocks, 0);
            levels[level] = index;
        }
        index.add(position, state, expiry);
        if (restoredBetween != null) {
            restoredBetween[level] = 0;
        }
        occupied |= 1 << level;
    }

    /** A place of its own before whatever of its level is added next. */
    long sequenceBeforeNext(long state) {
        int level = level(state);
        QueueIndex index = ownLevels()[level];
        long next = index == null ? 0 : index.first() + index.size();
        int[] between = restoredBetween;
        if (between == null) {
            between = new int[levels.length];
            restoredBetween = between;
        }
        return place(level, next << BETWEEN_BITS | Math.min(between[level]++, IN_INDEX - 1));
    }

    /** The highest level that has messages, -1 if none does. */
    int highest() {
        return Integer.SIZE - 1 - Integer.numberOfLeadingZeros(occupied);
    }

    long firstSequence(int level) {
        return sequence(level, index(level).first());
    }

    long firstPosition(int level) {
        return index(level).firstPosition();
    }

    long firstState(int level) {
        return index(level).firstState();
    }

    long firstExpiry(int level) {
        return index(level).firstExpiry();
    }

    /** Removes the first of a level; nothing has changed if that throws. */
    void removeFirst(int level) {
        QueueIndex index = index(level);
        index.removeFirst();
        if (index.isEmpty()) {
            occupied &= ~(1 << level);
        }
    }

    /** Hands all indexes over and is empty then. */
    void purge(DeliveryEffects effects) {
        for (int left = occupied; left != 0; left &= left - 1) {
            int level = Integer.numberOfTrailingZeros(left);
            QueueIndex index = index(level);
            levels[level] = new QueueIndex(blocks, index.first() + index.size());
            effects.purged(index);
        }
        occupied = 0;
    }

    /**
     * Shows references, highest level first, from a place on.
     *
     * @param from 0, or what the last call answered
     * @return where to go on; -1 after the last
     */
    long visit(long from, int max, ReferenceVisitor visitor) {
        // places order like sequences do, and are places in the indexes
        for (int level = Math.min(levels.length - 1, levelOf(from)); level >= 0; level--) {
            QueueIndex index = levels[level];
            if (index != null && !index.isEmpty()) {
                long start = levelOf(from) == level ? from & (1L << LEVEL_SHIFT) - 1 : 0;
                long next = index.visit(start, max, visitor);
                if (next >= 0) {
                    return place(level, next);
                }
                if (level > 0) {
                    return place(level - 1, 0);
                }
            }
        }
        return -1;
    }

    /** By level, the number that comes behind its last message. */
    long[] ends() {
        long[] ends = new long[levels.length];
        for (int level = 0; level < levels.length; level++) {
            QueueIndex index = levels[level];
            ends[level] = index == null ? 0 : index.first() + index.size();
        }
        return ends;
    }

    /**
     * Shows references of one level in order.
     *
     * @param from sequence to begin at
     * @param end number in the level to stop before
     * @return sequence to go on with, -1 if there are no more
     */
    long visitLevel(int level, long from, long end, int max, DeliveryMachine.DeliveredVisitor visitor) {
        QueueIndex index = level < levels.length ? levels[level] : null;
        if (index == null || index.isEmpty()) {
            return -1;
        }
        long start = Math.max(index.first(), (from & (1L << LEVEL_SHIFT) - 1) >>> BETWEEN_BITS);
        if (start >= end) {
            return -1;
        }
        long[] number = {start};
        long next = index.visit(start, (int) Math.min(max, end - start), (position, state, expiry) -> {
            if (number[0] < end) {
                visitor.visit(sequence(level, number[0]++), position, state, expiry);
            }
        });
        return next < 0 || number[0] >= end ? -1 : place(level, next << BETWEEN_BITS);
    }

    /** First sequence of a level; lower levels stand behind. */
    static long start(int level) {
        return place(level, 0);
    }

    /** The first sequence of a level that is not before this number. */
    static long endOf(int level, long number) {
        return place(level, number << BETWEEN_BITS);
    }

    private static long place(int level, long number) {
        return (long) (LEVELS - 1 - level) << LEVEL_SHIFT | number;
    }

    private static long sequence(int level, long number) {
        return place(level, number << BETWEEN_BITS | IN_INDEX);
    }

    static int levelOf(long sequence) {
        return LEVELS - 1 - (int) (sequence >>> LEVEL_SHIFT);
    }

    private int level(long state) {
        int asked = Math.min(Reference.priority(state), maxPriority);
        return maxPriority < LEVELS ? asked : asked * LEVELS / (maxPriority + 1);
    }

    private QueueIndex index(int level) {
        QueueIndex index = levels[level];
        if (index == null) {
            throw new IllegalStateException("no message of level " + level);
        }
        return index;
    }

    private @Nullable QueueIndex[] ownLevels() {
        if (levels == NO_LEVELS) {
            levels = new QueueIndex[Math.min(LEVELS, maxPriority + 1)];
        }
        return levels;
    }
}
