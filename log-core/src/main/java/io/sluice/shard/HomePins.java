package io.sluice.shard;

import io.sluice.log.LiveOffsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Counts, per run of 64 offsets of one home partition, the references that queues hold: a run without any can be deleted, and
 * never gets one again. The counts lie in pages for 65,536 offsets, four bytes per run, which exist only while something in them is
 * referred to: what a consumer leaves behind for good costs its page, and not the distance to the end. Shard thread.
 */
final class HomePins {
    private static final int PAGE_RUNS = 1024;

    private int[] @Nullable [] pages = new int[4][];
    /** Runs with references, per page. */
    private int[] used = new int[4];

    private long firstPage;
    private int pageCount;
    private long liveRuns;
    /** An empty page for the next that is needed. */
    private int @Nullable [] spare;

    /** A queue refers to this offset. Offsets below everything that was already deleted cannot come. */
    void add(long offset) {
        long run = offset >>> LiveOffsets.RUN_SHIFT;
        long page = run / PAGE_RUNS;
        if (pageCount == 0) {
            firstPage = page;
        } else if (page < firstPage) {
            prepend(page);
        }
        int index = (int) (page - firstPage);
        if (index >= used.length) {
            int wider = Math.max(index + 1, used.length * 2);
            pages = Arrays.copyOf(pages, wider);
            used = Arrays.copyOf(used, wider);
        }
        pageCount = Math.max(pageCount, index + 1);
        int[] counts = pages[index];
        if (counts == null) {
            counts = spare == null ? new int[PAGE_RUNS] : spare;
            spare = null;
            pages[index] = counts;
        }
        if (counts[(int) (run % PAGE_RUNS)]++ == 0) {
            used[index]++;
            liveRuns++;
        }
    }

    /** A queue is done with this offset. */
    void remove(long offset) {
        long run = offset >>> LiveOffsets.RUN_SHIFT;
        int index = (int) (run / PAGE_RUNS - firstPage);
        int[] counts = pages[index];
        if (counts == null || counts[(int) (run % PAGE_RUNS)] == 0) {
            throw new IllegalStateException("nothing refers to offset " + offset);
        }
        if (--counts[(int) (run % PAGE_RUNS)] == 0) {
            liveRuns--;
            if (--used[index] == 0) {
                pages[index] = null;
                spare = counts;
            }
        }
    }

    /** No queue refers to anything below; at most {@code bound}. */
    long floor(long bound) {
        int empty = 0;
        while (empty < pageCount && used[empty] == 0) {
            empty++;
        }
        if (empty > 0) {
            int left = pageCount - empty;
            System.arraycopy(pages, empty, pages, 0, left);
            System.arraycopy(used, empty, used, 0, left);
            Arrays.fill(pages, left, pageCount, null);
            Arrays.fill(used, left, pageCount, 0);
            firstPage += empty;
            pageCount = left;
        }
        int[] counts = pageCount == 0 ? null : pages[0];
        if (counts == null) {
            return bound;
        }
        int run = 0;
        while (counts[run] == 0) {
            run++;
        }
        return Math.min(bound, firstPage * PAGE_RUNS + run << LiveOffsets.RUN_SHIFT);
    }

    /** Number of runs with references. */
    long liveRuns() {
        return liveRuns;
    }

    /** What is referred to now. */
    LiveOffsets live(long end) {
        LiveOffsets.Builder live = new LiveOffsets.Builder();
        for (int i = 0; i < pageCount; i++) {
            int[] counts = pages[i];
            if (counts == null) {
                continue;
            }
            long first = (firstPage + i) * PAGE_RUNS;
            for (int run = 0; run < PAGE_RUNS; run++) {
                if (counts[run] > 0) {
                    live.add(first + run << LiveOffsets.RUN_SHIFT);
                }
            }
        }
        return live.build(end);
    }

    private void prepend(long page) {
        int more = (int) (firstPage - page);
        int[][] widerPages = new int[Math.max(used.length, pageCount + more)][];
        int[] widerUsed = new int[widerPages.length];
        System.arraycopy(pages, 0, widerPages, more, pageCount);
        System.arraycopy(used, 0, widerUsed, more, pageCount);
        pages = widerPages;
        used = widerUsed;
        firstPage = page;
        pageCount += more;
    }
}
