package io.sluice.queue;

import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Deliveries of one shard pass to one consumer, as parallel arrays. Filled on the shard thread, then owned by the event loop,
 * which releases it once after encoding.
 */
public final class DeliveryBatch extends AbstractReferenceCounted {
    private int size;
    private long[] ids = new long[8];
    private long[] offsets = new long[8];
    private int[] counts = new int[8];
    private boolean[] redelivered = new boolean[8];
    private @Nullable BatchView[] sources = new BatchView[8];

    /**
     * Adds a delivery.
     *
     * @param deliveryId id within the consumer, rising
     * @param source batch that holds the record; this object retains it
     * @param deliveryCount failed deliveries so far
     */
    public void add(long deliveryId, BatchView source, long offset, int deliveryCount, boolean redeliveredBefore) {
        if (size == ids.length) {
            int capacity = size * 2;
            ids = Arrays.copyOf(ids, capacity);
            offsets = Arrays.copyOf(offsets, capacity);
            counts = Arrays.copyOf(counts, capacity);
            redelivered = Arrays.copyOf(redelivered, capacity);
            sources = Arrays.copyOf(sources, capacity);
        }
        ids[size] = deliveryId;
        offsets[size] = offset;
        counts[size] = deliveryCount;
        redelivered[size] = redeliveredBefore;
        sources[size] = source.retain();
        size++;
    }

    public int size() {
        return size;
    }

    public long deliveryId(int i) {
        return ids[i];
    }

    /** Offset in the home partition (or stream). */
    public long offset(int i) {
        return offsets[i];
    }

    /** Failed deliveries before this one. */
    public int deliveryCount(int i) {
        return counts[i];
    }

    /** True if it was handed to some consumer before. */
    public boolean redelivered(int i) {
        return redelivered[i];
    }

    /** Wraps the record of the {@code i}-th delivery. */
    public void record(int i, RecordView into) {
        BatchView source = sources[i];
        if (source == null || !source.record(offsets[i], into)) {
            throw new IllegalStateException("delivery " + i + " has no record at offset " + offsets[i]);
        }
    }

    @Override
    protected void deallocate() {
        for (int i = 0; i < size; i++) {
            BatchView source = sources[i];
            if (source != null) {
                source.release();
                sources[i] = null;
            }
        }
        size = 0;
    }

    @Override
    public ReferenceCounted touch(Object hint) {
        return this;
    }
}
