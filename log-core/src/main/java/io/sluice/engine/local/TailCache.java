package io.sluice.engine.local;

import io.sluice.log.record.BuiltBatch;
import java.util.ArrayDeque;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The batches that a lease built last, in memory within a budget, oldest out first. Writer thread.
 */
final class TailCache {
    private final long budget;
    private final ArrayDeque<Ring> order = new ArrayDeque<>();
    private long bytes;

    TailCache(long budget) {
        this.budget = budget;
    }

    /** Takes a reference of its own. */
    void add(Ring ring, BuiltBatch batch) {
        batch.retain();
        ring.add(batch);
        order.addLast(ring);
        bytes += weight(batch);
        while (bytes > budget && order.size() > 1) {
            drop(order.removeFirst());
        }
    }

    void clear() {
        while (!order.isEmpty()) {
            drop(order.removeFirst());
        }
    }

    private void drop(Ring ring) {
        BuiltBatch oldest = ring.removeFirst();
        bytes -= weight(oldest);
        oldest.release();
    }

    private static long weight(BuiltBatch batch) {
        return batch.buffer().capacity() + 4L * batch.recordCount();
    }

    /** Batches of one partition, ascending. */
    static final class Ring {
        private @Nullable BuiltBatch[] batches = new BuiltBatch[8];
        private int head;
        private int size;

        private void add(BuiltBatch batch) {
            if (size == batches.length) {
                BuiltBatch[] larger = Arrays.copyOf(batches, size * 2);
                for (int i = 0; i < size; i++) {
                    larger[i] = batches[(head + i) & (batches.length - 1)];
                }
                batches = larger;
                head = 0;
            }
            batches[(head + size++) & (batches.length - 1)] = batch;
        }

        private BuiltBatch removeFirst() {
            BuiltBatch first = at(0);
            batches[head] = null;
            head = (head + 1) & (batches.length - 1);
            size--;
            return first;
        }

        private BuiltBatch at(int i) {
            BuiltBatch batch = batches[(head + i) & (batches.length - 1)];
            if (batch == null) {
                throw new IllegalStateException("tail cache ring is inconsistent");
            }
            return batch;
        }

        /** The batch holding {@code offset}, unretained. */
        @Nullable
        BuiltBatch find(long offset) {
            int low = 0;
            int high = size - 1;
            while (low <= high) {
                int middle = (low + high) >>> 1;
                BuiltBatch batch = at(middle);
                if (offset < batch.baseOffset()) {
                    high = middle - 1;
                } else if (offset > batch.lastOffset()) {
                    low = middle + 1;
                } else {
                    return batch;
                }
            }
            return null;
        }
    }
}
