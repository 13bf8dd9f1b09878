package io.sluice.log;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Which records of a partition are still wanted, as of one moment: a set of runs of {@link #RUN} offsets below {@link #end}. It
 * takes one bit per run around what is live and next to nothing elsewhere. Immutable.
 */
public final class LiveOffsets {
    /** Bits of an offset within a run. */
    public static final int RUN_SHIFT = 6;

    /** Offsets that are live or dead together. */
    public static final int RUN = 1 << RUN_SHIFT;

    private static final int WORD_SHIFT = RUN_SHIFT + 6;
    private static final int WORDS = 16;
    private static final int PAGE_SHIFT = WORD_SHIFT + 4;

    private final long end;
    private final long firstPage;
    private final long[] @Nullable [] pages;

    private LiveOffsets(long end, long firstPage, long[] @Nullable [] pages) {
        this.end = end;
        this.firstPage = firstPage;
        this.pages = pages;
    }

    /** Nothing is known about offsets from here on: they count as live. */
    public long end() {
        return end;
    }

    /** True if a record from {@code first} to {@code last}, both included, may be live. */
    public boolean anyLive(long first, long last) {
        return last >= end || count(first, last, 1) > 0;
    }

    /** Number of live runs that reach into the offsets from {@code from} up to {@code to} or {@link #end}, excluded. */
    public long liveRuns(long from, long to) {
        return count(from, Math.min(to, end) - 1, Long.MAX_VALUE);
    }

    /** Counts live runs up to {@code enough}. */
    private long count(long first, long last, long enough) {
        long word = Math.max(first, firstPage << PAGE_SHIFT) >>> WORD_SHIFT;
        long lastWord = Math.min(last, (firstPage + pages.length << PAGE_SHIFT) - 1) >> WORD_SHIFT;
        long count = 0;
        while (word <= lastWord && count < enough) {
            long[] page = pages[(int) (word / WORDS - firstPage)];
            if (page == null) {
                word = (word / WORDS + 1) * WORDS;
                continue;
            }
            long bits = page[(int) (word % WORDS)];
            if (first >>> WORD_SHIFT == word) {
                bits &= -1L << (first >>> RUN_SHIFT);
            }
            if (last >>> WORD_SHIFT == word) {
                bits &= -1L >>> ~(last >>> RUN_SHIFT);
            }
            count += Long.bitCount(bits);
            word++;
        }
        return count;
    }

    /** Collects live offsets. Not thread-safe. */
    public static final class Builder {
        private long[] @Nullable [] pages = new long[0][];
        private long firstPage;
        private int size;

        /** This offset, and with it its run, is live. Offsets come in ascending order. */
        public Builder add(long offset) {
            long page = offset >>> PAGE_SHIFT;
            if (size == 0) {
                firstPage = page;
            }
            int index = (int) (page - firstPage);
            if (index < size - 1) {
                throw new IllegalArgumentException("offset " + offset + " is below others");
            }
            if (index >= pages.length) {
                pages = Arrays.copyOf(pages, Math.max(index + 1, pages.length * 2));
            }
            size = index + 1;
            long[] words = pages[index];
            if (words == null) {
                words = new long[WORDS];
                pages[index] = words;
            }
            words[(int) (offset >>> WORD_SHIFT) % WORDS] |= 1L << (offset >>> RUN_SHIFT);
            return this;
        }

        /** All other offsets below {@code end} are dead. */
        public LiveOffsets build(long end) {
            return new LiveOffsets(end, firstPage, Arrays.copyOf(pages, size));
        }
    }
}
