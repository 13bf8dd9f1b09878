package io.sluice.log.recovery;

import io.sluice.log.LogPartition.EpochEnd;
import java.util.Arrays;

/** Leader epochs of a partition with their start offsets, ascending. Immutable. */
public final class EpochHistory {
    public static final EpochHistory EMPTY = new EpochHistory(new int[0], new long[0]);

    private final int[] epochs;
    private final long[] starts;

    private EpochHistory(int[] epochs, long[] starts) {
        this.epochs = epochs;
        this.starts = starts;
    }

    public int size() {
        return epochs.length;
    }

    public int epoch(int i) {
        return epochs[i];
    }

    public long start(int i) {
        return starts[i];
    }

    /** The newest epoch, -1 if none. */
    public int last() {
        return epochs.length == 0 ? -1 : epochs[epochs.length - 1];
    }

    /** Adds an epoch; one that started at or after {@code start} held no record and goes. */
    public EpochHistory with(int epoch, long start) {
        int keep = epochs.length;
        while (keep > 0 && (epochs[keep - 1] >= epoch || starts[keep - 1] >= start)) {
            keep--;
        }
        int[] e = Arrays.copyOf(epochs, keep + 1);
        long[] s = Arrays.copyOf(starts, keep + 1);
        e[keep] = epoch;
        s[keep] = start;
        return new EpochHistory(e, s);
    }

    /** Forgets epochs that ended at or below the log start. */
    public EpochHistory from(long logStart) {
        int first = 0;
        while (first + 1 < epochs.length && starts[first + 1] <= logStart) {
            first++;
        }
        if (first == 0) {
            return this;
        }
        return new EpochHistory(
                Arrays.copyOfRange(epochs, first, epochs.length), Arrays.copyOfRange(starts, first, starts.length));
    }

    /** The largest epoch at or below {@code epoch} and where it ended; (-1, -1) if unknown. */
    public EpochEnd endOf(int epoch, long logEnd) {
        if (epoch < 0 || epoch > last()) {
            return new EpochEnd(-1, -1);
        }
        for (int i = epochs.length - 1; i >= 0; i--) {
            if (epochs[i] <= epoch) {
                return new EpochEnd(epochs[i], i + 1 < epochs.length ? starts[i + 1] : logEnd);
            }
        }
        return new EpochEnd(-1, -1);
    }

    /** The epoch of the record at {@code offset}, -1 if unknown. */
    public int epochOf(long offset) {
        for (int i = epochs.length - 1; i >= 0; i--) {
            if (starts[i] <= offset) {
                return epochs[i];
            }
        }
        return -1;
    }
}
