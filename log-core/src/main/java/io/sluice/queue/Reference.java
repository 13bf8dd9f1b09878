package io.sluice.queue;

/**
 * A queue's 16-byte reference to a message, as two longs.
 *
 * <pre>
 * position  partition (8 bits) | offset (56 bits)
 * state     redelivered (1 bit) | failed deliveries (31 bits) | size in bytes (32 bits)
 * </pre>
 *
 * Positions of one partition compare like their offsets.
 */
public final class Reference {
    /** No position. */
    public static final long NONE = -1;

    /** Partition index that stands for the memory-only log; never persisted. */
    public static final int MEMORY_PARTITION = 127;

    private static final int OFFSET_BITS = 56;
    private static final long OFFSET_MASK = (1L << OFFSET_BITS) - 1;
    private static final long REDELIVERED = 1L << 63;
    private static final long COUNT_MASK = 0x7FFF_FFFFL;

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

    /** Packs a state. */
    public static long state(int size, int deliveryCount, boolean redelivered) {
        return (redelivered ? REDELIVERED : 0) | (deliveryCount & COUNT_MASK) << 32 | (size & 0xFFFF_FFFFL);
    }

    /** Encoded size of the message, bytes. */
    public static int size(long state) {
        return (int) state;
    }

    /** Failed deliveries so far. */
    public static int deliveryCount(long state) {
        return (int) (state >>> 32 & COUNT_MASK);
    }

    /** True if it was handed to some consumer before. */
    public static boolean redelivered(long state) {
        return state < 0;
    }

    static long asRedelivered(long state) {
        return state | REDELIVERED;
    }

    static long countFailure(long state) {
        return deliveryCount(state) == COUNT_MASK ? state : state + (1L << 32);
    }
}
