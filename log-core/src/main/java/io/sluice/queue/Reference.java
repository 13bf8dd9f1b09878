package io.sluice.queue;

/**
 * A queue's reference to a message, as two longs and the time at which it expires.
 *
 * <pre>
 * position  partition (8 bits) | offset (56 bits)
 * state     redelivered (1 bit) | rejected (1 bit) | 6 bits unused | priority (8 bits) | failed deliveries (16 bits) |
 *           size in bytes (32 bits)
 * expiry    epoch milliseconds, {@link #NEVER} = none
 * </pre>
 *
 * Positions of one partition compare like their offsets.
 */
public final class Reference {
    /** No position. */
    public static final long NONE = -1;

    /** No expiry. */
    public static final long NEVER = 0;

    /** Partition index that stands for the memory-only log; never persisted. */
    public static final int MEMORY_PARTITION = 127;

    /** Failed deliveries are counted up to here. */
    public static final int MAX_DELIVERY_COUNT = 0xFFFF;

    private static final int OFFSET_BITS = 56;
    private static final long OFFSET_MASK = (1L << OFFSET_BITS) - 1;
    private static final long REDELIVERED = 1L << 63;
    private static final long REJECTED = 1L << 62;
    private static final int PRIORITY_SHIFT = 48;
    private static final int COUNT_SHIFT = 32;

    private Reference() {}

    /** Packs a position. */
    public static long position(int partition, long offset) {
        return (long) partition << OFFSET_BITS | offset;
    }

    public static int partition(long position) {
        return (int) (position >>> OFFSET_BITS);
    }

    public static long offset(long position) {
        return position & OFFSET_MASK;
    }

    /**
     * Packs the state of a message that nobody got yet.
     *
     * @param priority 0 to 255 as the publisher asked
     */
    public static long fresh(int size, int priority) {
        return (priority & 0xFFL) << PRIORITY_SHIFT | (size & 0xFFFF_FFFFL);
    }

    /** Encoded size of the message, bytes. */
    public static int size(long state) {
        return (int) state;
    }

    /** Priority 0 to 255 as the publisher asked. */
    public static int priority(long state) {
        return (int) (state >>> PRIORITY_SHIFT) & 0xFF;
    }

    /** Failed deliveries so far, at most {@link #MAX_DELIVERY_COUNT}. */
    public static int deliveryCount(long state) {
        return (int) (state >>> COUNT_SHIFT) & MAX_DELIVERY_COUNT;
    }

    /** True if it was handed to some consumer before. */
    public static boolean redelivered(long state) {
        return state < 0;
    }

    /** The state with the redelivered flag. */
    public static long asRedelivered(long state) {
        return state | REDELIVERED;
    }

    /** True if a consumer rejected it for good: it waits for nothing but its copy among the dead letters. */
    public static boolean rejected(long state) {
        return (state & REJECTED) != 0;
    }

    /** The state with the rejected flag. */
    public static long asRejected(long state) {
        return state | REJECTED;
    }

    /** The state with this number of failed deliveries, or as many as can be counted. */
    public static long withDeliveryCount(long state, int count) {
        long counted = Math.min(count, MAX_DELIVERY_COUNT);
        return state & ~((long) MAX_DELIVERY_COUNT << COUNT_SHIFT) | counted << COUNT_SHIFT;
    }

    static long countFailure(long state) {
        return withDeliveryCount(state, deliveryCount(state) + 1);
    }

    /** The earlier of two expiries. */
    static long earlier(long a, long b) {
        return a == NEVER ? b : b == NEVER ? a : Math.min(a, b);
    }
}
