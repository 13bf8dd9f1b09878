package io.sluice.log.segment;

import io.sluice.io.StorageFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Sparse index of a segment in memory: about every 4 KiB one entry (last offset of a batch, its position), beside it the
 * largest timestamp so far and its batch's last offset. The files have Kafka's layout: {@code .index} 4-byte relative offset, 4-byte
 * position; {@code .timeindex} 8-byte timestamp, 4-byte relative offset.
 *
 * <p>One writer; readers on any thread (the count is published after the entry).
 */
final class SegmentIndex {
    static final int INTERVAL_BYTES = 4096;
    private static final int OFFSET_ENTRY = 8;
    private static final int TIME_ENTRY = 12;

    /** Relative offset in the high half, position in the low one. */
    private volatile long[] entries;

    private volatile int count;
    private volatile long[] times;
    private volatile int[] timeOffsets;
    private volatile int timeCount;

    SegmentIndex() {
        this(new long[16], 0, new long[16], new int[16], 0);
    }

    private SegmentIndex(long[] entries, int count, long[] times, int[] timeOffsets, int timeCount) {
        this.entries = entries;
        this.count = count;
        this.times = times;
        this.timeOffsets = timeOffsets;
        this.timeCount = timeCount;
    }

    int count() {
        return count;
    }

    int timeCount() {
        return timeCount;
    }

    void add(int relativeOffset, int position) {
        int n = count;
        long[] array = entries;
        if (n == array.length) {
            array = Arrays.copyOf(array, n * 2);
            entries = array;
        }
        array[n] = (long) relativeOffset << 32 | position;
        count = n + 1;
    }

    /** Adds only what is later than the last entry. */
    void addTime(long timestamp, int relativeOffset) {
        int n = timeCount;
        if (n > 0 && (timestamp <= times[n - 1] || relativeOffset <= timeOffsets[n - 1])) {
            return;
        }
        long[] array = times;
        int[] offsets = timeOffsets;
        if (n == array.length) {
            array = Arrays.copyOf(array, n * 2);
            offsets = Arrays.copyOf(offsets, n * 2);
            times = array;
            timeOffsets = offsets;
        }
        array[n] = timestamp;
        offsets[n] = relativeOffset;
        timeCount = n + 1;
    }

    /** Position of the last indexed batch whose last offset is not above; 0 if none. */
    int positionOf(long relativeOffset) {
        int n = count;
        long[] array = entries;
        int found = lastNotAbove(array, n, relativeOffset);
        return found < 0 ? 0 : (int) array[found];
    }

    /** Position of the last indexed batch that starts at or before {@code limit} and ends below {@code relativeBound}. */
    int lastPosition(long limit, long relativeBound) {
        int n = count;
        long[] array = entries;
        int found = lastNotAbove(array, n, relativeBound - 1);
        int low = 0;
        int high = found;
        int best = 0;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            int position = (int) array[middle];
            if (position <= limit) {
                best = position;
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return best;
    }

    /** Relative offset from which to look for the first record at or after {@code timestamp}. */
    int offsetBefore(long timestamp) {
        int low = 0;
        int high = timeCount - 1;
        int best = 0;
        long[] array = times;
        int[] offsets = timeOffsets;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (array[middle] < timestamp) {
                best = offsets[middle];
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return best;
    }

    /** Largest timestamp indexed, -1 if none. */
    long lastTime() {
        int n = timeCount;
        return n == 0 ? -1 : times[n - 1];
    }

    private static int lastNotAbove(long[] array, int n, long relativeOffset) {
        int low = 0;
        int high = n - 1;
        int best = -1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if ((array[middle] >>> 32) <= relativeOffset) {
                best = middle;
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return best;
    }

    /** Drops entries at or beyond a position, or at or above a relative offset. For recovery only. */
    void truncate(long position, long relativeOffset) {
        int n = count;
        while (n > 0 && ((int) entries[n - 1] >= position || entries[n - 1] >>> 32 >= relativeOffset)) {
            n--;
        }
        count = n;
        int t = timeCount;
        while (t > 0 && timeOffsets[t - 1] >= relativeOffset) {
            t--;
        }
        timeCount = t;
    }

    /** Writes offset entries from {@code from} on and returns their number. */
    int writeOffsets(StorageFile file, int from) throws IOException {
        int n = count;
        long[] array = entries;
        ByteBuffer bytes = ByteBuffer.allocate(Math.max(0, n - from) * OFFSET_ENTRY);
        for (int i = from; i < n; i++) {
            bytes.putLong(array[i]);
        }
        file.write((long) from * OFFSET_ENTRY, bytes.flip());
        file.truncate((long) n * OFFSET_ENTRY);
        return n;
    }

    /** Writes time entries from {@code from} on and returns their number. */
    int writeTimes(StorageFile file, int from) throws IOException {
        int n = timeCount;
        long[] array = times;
        int[] offsets = timeOffsets;
        ByteBuffer bytes = ByteBuffer.allocate(Math.max(0, n - from) * TIME_ENTRY);
        for (int i = from; i < n; i++) {
            bytes.putLong(array[i]).putInt(offsets[i]);
        }
        file.write((long) from * TIME_ENTRY, bytes.flip());
        file.truncate((long) n * TIME_ENTRY);
        return n;
    }

    /**
     * Reads both files as far as they are plausible: rising entries within the segment.
     *
     * @param limit size of the segment's log file, bytes
     */
    static SegmentIndex read(StorageFile offsets, StorageFile times, long limit) throws IOException {
        ByteBuffer bytes = readAll(offsets, OFFSET_ENTRY);
        int n = bytes.remaining() / OFFSET_ENTRY;
        long[] entries = new long[Math.max(16, n)];
        int count = 0;
        long lastOffset = -1;
        long lastPosition = -1;
        while (count < n) {
            long entry = bytes.getLong();
            long offset = entry >>> 32;
            long position = entry & 0xFFFF_FFFFL;
            if (offset <= lastOffset || position <= lastPosition || position >= limit) {
                break;
            }
            entries[count++] = entry;
            lastOffset = offset;
            lastPosition = position;
        }
        bytes = readAll(times, TIME_ENTRY);
        int t = bytes.remaining() / TIME_ENTRY;
        long[] stamps = new long[Math.max(16, t)];
        int[] stampOffsets = new int[stamps.length];
        int timeCount = 0;
        while (timeCount < t) {
            long timestamp = bytes.getLong();
            int offset = bytes.getInt();
            if (timeCount > 0 && (timestamp <= stamps[timeCount - 1] || offset <= stampOffsets[timeCount - 1])
                    || offset < 0) {
                break;
            }
            stamps[timeCount] = timestamp;
            stampOffsets[timeCount++] = offset;
        }
        return new SegmentIndex(entries, count, stamps, stampOffsets, timeCount);
    }

    private static ByteBuffer readAll(StorageFile file, int entry) throws IOException {
        int size = (int) Math.min(file.size(), 64 << 20);
        ByteBuffer bytes = ByteBuffer.allocate(size / entry * entry);
        file.readFully(0, bytes);
        return bytes.flip();
    }
}
