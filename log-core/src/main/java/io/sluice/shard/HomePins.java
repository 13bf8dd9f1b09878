package io.sluice.shard;

import java.util.Arrays;

/**
 * Counts, per run of 1,024 offsets of one home partition, the references that queues hold: what lies below the first counted
 * run can be deleted. Coarse on purpose: four bytes per run. Shard thread.
 */
final class HomePins {
    private static final int SHIFT = 10;

    private int[] counts = new int[16];
    private long firstRun;
    private int runs;

    /** A queue refers to this offset. Offsets below everything that was already deleted cannot come. */
    void add(long offset) {
        long run = offset >>> SHIFT;
        if (runs == 0) {
            firstRun = run;
        } else if (run < firstRun) {
            prepend(run);
        }
        int index = (int) (run - firstRun);
        if (index >= counts.length) {
            counts = Arrays.copyOf(counts, Math.max(index + 1, counts.length * 2));
        }
        runs = Math.max(runs, index + 1);
        counts[index]++;
    }

    /** A queue is done with this offset. */
    void remove(long offset) {
        counts[(int) ((offset >>> SHIFT) - firstRun)]--;
    }

    /** No queue refers to anything below; at most {@code bound}. */
    long floor(long bound) {
        int empty = 0;
        while (empty < runs && counts[empty] == 0) {
            empty++;
        }
        if (empty > 0) {
            System.arraycopy(counts, empty, counts, 0, runs - empty);
            Arrays.fill(counts, runs - empty, runs, 0);
            firstRun += empty;
            runs -= empty;
        }
        return runs == 0 ? bound : Math.min(bound, firstRun << SHIFT);
    }

    private void prepend(long run) {
        int more = (int) (firstRun - run);
        int[] wider = new int[Math.max(counts.length, runs + more)];
        System.arraycopy(counts, 0, wider, more, runs);
        counts = wider;
        firstRun = run;
        runs += more;
    }
}
