package io.sluice.queue.state;

import io.netty.buffer.ByteBuf;
import io.sluice.queue.Reference;
import java.util.Arrays;

/**
 * What changed in a queue since its last journal entry. Reused; allocates nothing per message once grown. Not thread-safe.
 */
public final class QueueDelta {
    private static final int KEEP = 4096;

    /** Stands for all priorities, in a queue that does not tell them apart. */
    public static final int ALL_PRIORITIES = 256;

    private static final long[] EMPTY = new long[0];
    private static final int PRIORITY_SHIFT = 8;

    private long[] settled = EMPTY;
    private int settledCount;
    private long[] failedPositions = EMPTY;
    private int[] failedCounts = new int[0];
    private int failedCount;
    private long[] rejected = EMPTY;
    private int rejectedCount;
    // pairs of position and time
    private long[] postponed = EMPTY;
    private int postponedSize;
    // by priority and partition
    private int[] deliveredPlaces = new int[0];
    private long[] deliveredBelow = EMPTY;
    private boolean[] deliveredChanged = new boolean[0];
    private int places;
    private int lastPlace;
    private long[] purgedBelow = EMPTY;
    private long[] notPurged = EMPTY;

    /** The message at this position is done with. */
    public void settled(long position) {
        if (settledCount == settled.length) {
            settled = Arrays.copyOf(settled, Math.max(16, settledCount * 2));
        }
        settled[settledCount++] = position;
    }

    /** The delivery count of an unsettled message is now this. */
    public void failed(long position, int deliveryCount) {
        if (failedCount == failedCounts.length) {
            int capacity = Math.max(4, failedCount * 2);
            failedPositions = Arrays.copyOf(failedPositions, capacity);
            failedCounts = Arrays.copyOf(failedCounts, capacity);
        }
        failedPositions[failedCount] = position;
        failedCounts[failedCount++] = deliveryCount;
    }

    /** The message at this position is not delivered again before this time, epoch ms. */
    public void postponed(long position, long due) {
        if (postponedSize == postponed.length) {
            postponed = Arrays.copyOf(postponed, Math.max(8, postponedSize * 2));
        }
        postponed[postponedSize++] = position;
        postponed[postponedSize++] = due;
    }

    /** The message at this position goes to the dead letters and to nobody else. */
    public void rejected(long position) {
        if (rejectedCount == rejected.length) {
            rejected = Arrays.copyOf(rejected, Math.max(4, rejectedCount * 2));
        }
        rejected[rejectedCount++] = position;
    }

    /**
     * The message at this position was handed to a consumer. First deliveries of one priority and partition come in offset
     * order, so one offset for each tells all.
     *
     * @param priority as in the reference, or {@link #ALL_PRIORITIES}
     * @return false if that was known
     */
    public boolean delivered(long position, int priority) {
        int place = place(Reference.partition(position) | priority << PRIORITY_SHIFT);
        long below = Reference.offset(position) + 1;
        if (below <= deliveredBelow[place]) {
            return false;
        }
        deliveredBelow[place] = below;
        deliveredChanged[place] = true;
        return true;
    }

    /**
     * All messages below these offsets are done with.
     *
     * @param below offset by home partition
     * @param except positions of those that are not
     */
    public void purged(long[] below, long[] except) {
        purgedBelow = below;
        notPurged = except;
    }

    /** Writes the journal entry. */
    public void write(ByteBuf out, long queueId) {
        StateCodec.begin(out, StateCodec.DELTA, queueId);
        int changed = 0;
        for (int place = 0; place < places; place++) {
            changed += deliveredChanged[place] ? 1 : 0;
        }
        StateCodec.writeLong(out, changed);
        for (int place = 0; place < places; place++) {
            if (deliveredChanged[place]) {
                StateCodec.writeLong(out, deliveredPlaces[place] & (1 << PRIORITY_SHIFT) - 1);
                StateCodec.writeLong(out, deliveredPlaces[place] >>> PRIORITY_SHIFT);
                StateCodec.writeLong(out, deliveredBelow[place]);
            }
        }
        StateCodec.writeLong(out, failedCount);
        for (int i = 0; i < failedCount; i++) {
            StateCodec.writeLong(out, failedPositions[i]);
            StateCodec.writeLong(out, failedCounts[i]);
        }
        writeRanges(out);
        StateCodec.writeLong(out, purgedBelow.length);
        for (int partition = 0; partition < purgedBelow.length; partition++) {
            StateCodec.writeLong(out, partition);
            StateCodec.writeLong(out, purgedBelow[partition]);
        }
        if (purgedBelow.length > 0) {
            StateCodec.writeLong(out, notPurged.length);
            for (long position : notPurged) {
                StateCodec.writeLong(out, position);
            }
        }
        StateCodec.writeLong(out, rejectedCount);
        for (int i = 0; i < rejectedCount; i++) {
            StateCodec.writeLong(out, rejected[i]);
        }
        StateCodec.writeLong(out, postponedSize / 2);
        for (int i = 0; i < postponedSize; i++) {
            StateCodec.writeLong(out, postponed[i]);
        }
    }

    /** Forgets what was written. */
    public void clear() {
        settledCount = 0;
        failedCount = 0;
        rejectedCount = 0;
        postponedSize = 0;
        Arrays.fill(deliveredChanged, false);
        purgedBelow = EMPTY;
        notPurged = EMPTY;
        if (settled.length > KEEP) {
            settled = EMPTY;
        }
        if (postponed.length > KEEP) {
            postponed = EMPTY;
        }
    }

    private int place(int key) {
        if (lastPlace < places && deliveredPlaces[lastPlace] == key) {
            return lastPlace;
        }
        int place = 0;
        while (place < places && deliveredPlaces[place] != key) {
            place++;
        }
        if (place == places) {
            if (places == deliveredPlaces.length) {
                int capacity = Math.max(2, places * 2);
                deliveredPlaces = Arrays.copyOf(deliveredPlaces, capacity);
                deliveredBelow = Arrays.copyOf(deliveredBelow, capacity);
                deliveredChanged = Arrays.copyOf(deliveredChanged, capacity);
            }
            deliveredPlaces[places++] = key;
        }
        lastPlace = place;
        return place;
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
