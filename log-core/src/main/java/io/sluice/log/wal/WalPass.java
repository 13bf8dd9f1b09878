package io.sluice.log.wal;

import io.netty.buffer.ByteBuf;
import io.sluice.log.PartitionId;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The group commit of one pass: batches of any number of partitions that become durable together. Filled by the writer, then
 * owned by the log until {@link Listener#passesDurable}.
 */
public final class WalPass {
    /** Told on the sync thread, in order of submission. */
    public interface Listener {
        /** All passes up to {@code number} are on disk. */
        void passesDurable(long number, Runnable wakeUp);

        /** Nothing submitted will become durable any more. */
        void passesFailed(Runnable wakeUp);
    }

    private final Listener listener;
    private final long number;
    private final Runnable wakeUp;
    private PartitionId[] partitions = new PartitionId[4];
    private @Nullable ByteBuf[] buffers = new ByteBuf[4];
    private int[] positions = new int[4];
    private int[] lengths = new int[4];
    private int size;
    private long bytes;

    public WalPass(Listener listener, long number, Runnable wakeUp) {
        this.listener = listener;
        this.number = number;
        this.wakeUp = wakeUp;
    }

    /** Adds a batch; retains it until it is encoded. */
    public void add(PartitionId partition, ByteBuf buffer, int index, int length) {
        if (size == positions.length) {
            int capacity = size * 2;
            partitions = Arrays.copyOf(partitions, capacity);
            buffers = Arrays.copyOf(buffers, capacity);
            positions = Arrays.copyOf(positions, capacity);
            lengths = Arrays.copyOf(lengths, capacity);
        }
        partitions[size] = partition;
        buffers[size] = buffer.retain();
        positions[size] = index;
        lengths[size] = length;
        size++;
        bytes += length;
    }

    public boolean isEmpty() {
        return size == 0;
    }

    int size() {
        return size;
    }

    long bytes() {
        return bytes;
    }

    long number() {
        return number;
    }

    Listener listener() {
        return listener;
    }

    Runnable wakeUp() {
        return wakeUp;
    }

    PartitionId partition(int i) {
        return partitions[i];
    }

    ByteBuf buffer(int i) {
        ByteBuf buffer = buffers[i];
        if (buffer == null) {
            throw new IllegalStateException("pass already encoded");
        }
        return buffer;
    }

    int position(int i) {
        return positions[i];
    }

    int length(int i) {
        return lengths[i];
    }

    void release() {
        for (int i = 0; i < size; i++) {
            ByteBuf buffer = buffers[i];
            if (buffer != null) {
                buffer.release();
                buffers[i] = null;
            }
        }
    }
}
