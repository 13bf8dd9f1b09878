package io.sluice.queue.state;

import io.netty.buffer.ByteBuf;
import io.sluice.queue.Reference;
import java.util.Arrays;

/**
 * What changed in a queue since its last journal entry. Reused; allocates nothing per message once grown. Not thread-safe.
 */
public final class QueueDelta {
    private static final int KEEP = 4096;

    private long[] settled = new long[16];
    private int settledCount;
    private long[] failedPositions = new long[4];
    private int[] failedCounts = new int[4];
    private int failedCount;
    private long[] deliveredBelow = new long[8];
    private int deliveredChanged;

    /** The message at this position is done with. */
    public void settled(long position) {
        if (settledCount == settled.length) {
            settled = Arrays.copyOf(settled, settledCount * 2);
        }
        settled[settledCount++] = position;
    }

    /** The delivery count of an unsettled message is now this. */
    public void failed(long position, int deliveryCount) {
        if (failedCount == failedCounts.length) {
            failedPositions = Arrays.copyOf(failedPositions, failedCount * 2);
            failedCounts = Arrays.copyOf(failedCounts, failedCount * 2);
        }
        failedPositions[failedCount] = position;
        failedCounts[failedCount++] = deliveryCount;
    }

    /**
     * The message at this position was handed to a consumer. First deliveries of a partition come in offset order, so one
     * offset per partition tells all.
     *
     * @return false if that was known
     */
    public boolean delivered(long position) {
        int partition = Reference.partition(position);
        if (partition >= deliveredBelow.length) {
            deliveredBelow = Arrays.copyOf(deliveredBelow, partition + 1);
        }
        long below = Reference.offset(position) + 1;
        if (below <= deliveredBelow[partition]) {
            return false;
        }
        deliveredBelow[partition] = below;
        deliveredChanged |= 1 << partition;
        return true;
    }

    /** Writes the journal entry. */
    public void write(ByteBuf out, long queueId) {
        StateCodec.begin(out, StateCodec.DELTA, queueId);
        StateCodec.writeLong(out, Integer.bitCount(deliveredChanged));
        for (int partition = 0; partition < deliveredBelow.length; partition++) {
            if ((deliveredChanged & 1 << partition) != 0) {
                StateCodec.writeLong(out, partition);
                StateCodec.writeLong(out, deliveredBelow[partition]);
            }
        }
        StateCodec.writeLong(out, failedCount);
        for (int i = 0; i < failedCount; i++) {
            StateCodec.writeLong(out, failedPositions[i]);
            StateCodec.writeLong(out, failedCounts[i]);
        }
        writeRanges(out);
    }

    /** Forgets what was written. */
    public void clear() {
        settledCount = 0;
        failedCount = 0;
        deliveredChanged = 0;
        if (settled.length > KEEP) {
            settled = new long[16];
        }
    }

    private void writeRanges(ByteBuf out) {
        if (!sorted()) {
            Arrays.sort(settled, 0, settledCount);
        }
        int ranges = 0;
        for (int i = 0; i < settledCount; i++) {
            if (i == 0 || settled[i] != settled[i - 1] + 1) {
                ranges++;
            }
        }
        StateCodec.writeLong(out, ranges);
        long previous = 0;
        int i = 0;
        while (i < settledCount) {
            int first = i;
            while (i + 1 < settledCount && settled[i + 1] == settled[i] + 1) {
                i++;
            }
            StateCodec.writeLong(out, settled[first] - previous);
            StateCodec.writeLong(out, i - first);
            previous = settled[i];
            i++;
        }
    }

    private boolean sorted() {
        for (int i = 1; i < settledCount; i++) {
            if (settled[i] < settled[i - 1]) {
                return false;
            }
        }
        return true;
    }
}
