package io.sluice.log.record;

/**
 * Says in a batch that the broker built that it is one of several which stand in the log all or none: the batches of one pass. It
 * stands where clients put their producer id, and is below any id and below the -1 of batches without one, so nobody who reads
 * the batch takes it for a producer.
 *
 * <pre>
 * bit 63      1
 * bit 20-62   number of the pass, from 1 on since the start
 * bit 0-19    batches of the pass that carry it
 * </pre>
 */
public final class GroupMark {
    /** Not a mark. */
    public static final long NONE = -1;

    private static final int PARTS_BITS = 20;
    private static final long PARTS_MASK = (1L << PARTS_BITS) - 1;

    private GroupMark() {}

    /**
     * The mark of each of these batches.
     *
     * @throws IllegalArgumentException above a million batches
     */
    public static long of(long pass, int parts) {
        if (parts > PARTS_MASK) {
            throw new IllegalArgumentException("a pass of " + parts + " batches");
        }
        return Long.MIN_VALUE | pass << PARTS_BITS | parts;
    }

    /** True if what stands in the place of the producer id is a mark. */
    public static boolean isMark(long producerId) {
        return producerId < NONE;
    }

    /** Number of the pass. */
    public static long pass(long mark) {
        return (mark & Long.MAX_VALUE) >>> PARTS_BITS;
    }

    /** Batches that carry it, once each. */
    public static int parts(long mark) {
        return (int) (mark & PARTS_MASK);
    }
}
