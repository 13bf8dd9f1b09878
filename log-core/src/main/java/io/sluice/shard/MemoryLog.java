package io.sluice.shard;

import io.sluice.log.record.BatchView;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The log of transient messages: batches in memory, each kept while a queue refers to one of its records. Offsets rise and are
 * never reused in the life of the process. Shard thread.
 */
final class MemoryLog {
    private @Nullable MemoryBatch[] batches = new MemoryBatch[16];
    private long[] bases = new long[16];
    private int[] references = new int[16];
    private int head;
    private int size;
    private long nextOffset;
    private long bytes;

    /** Bytes held. */
    long sizeInBytes() {
        return bytes;
    }

    /** A batch to fill; {@link #add} it before opening another. */
    MemoryBatch open(int sizeHint) {
        return new MemoryBatch(nextOffset, sizeHint);
    }

    /** Keeps a filled batch. Takes over its reference; held by nobody until {@link #refer}. */
    void add(MemoryBatch batch) {
        if (size == batches.length) {
            grow();
        }
        int at = (head + size) & (batches.length - 1);
        batches[at] = batch;
        bases[at] = batch.baseOffset();
        references[at] = 0;
        size++;
        nextOffset = batch.lastOffset() + 1;
        bytes += batch.sizeInBytes();
    }

    /** A queue refers to this record. */
    void refer(long offset) {
        references[indexOf(offset)]++;
    }

    /** A queue is done with this record. */
    void settle(long offset) {
        int at = indexOf(offset);
        if (--references[at] == 0) {
            free(at);
        }
    }

    /** The batch holding a record that some queue refers to, retained for the caller. */
    @Nullable
    BatchView batch(long offset) {
        MemoryBatch batch = batches[indexOf(offset)];
        return batch == null ? null : batch.retain();
    }

    /** Frees everything. */
    void close() {
        for (int i = 0; i < size; i++) {
            MemoryBatch batch = batches[(head + i) & (batches.length - 1)];
            if (batch != null) {
                batch.release();
            }
        }
        Arrays.fill(batches, null);
        size = 0;
        bytes = 0;
    }

    private void free(int at) {
        MemoryBatch batch = batches[at];
        if (batch == null) {
            throw new IllegalStateException("transient batch freed twice");
        }
        bytes -= batch.sizeInBytes();
        batch.release();
        batches[at] = null;
        while (size > 0 && batches[head] == null) {
            head = (head + 1) & (batches.length - 1);
            size--;
        }
    }

    private int indexOf(long offset) {
        int low = 0;
        int high = size - 1;
        int mask = batches.length - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (bases[(head + middle) & mask] <= offset) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return (head + low) & mask;
    }

    private void grow() {
        int length = batches.length;
        MemoryBatch[] newBatches = new MemoryBatch[length * 2];
        long[] newBases = new long[length * 2];
        int[] newReferences = new int[length * 2];
        for (int i = 0; i < size; i++) {
            int from = (head + i) & (length - 1);
            newBatches[i] = batches[from];
            newBases[i] = bases[from];
            newReferences[i] = references[from];
        }
        batches = newBatches;
        bases = newBases;
        references = newReferences;
        head = 0;
    }
}
