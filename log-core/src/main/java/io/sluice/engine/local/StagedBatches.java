package io.sluice.engine.local;

import io.netty.buffer.ByteBuf;
import io.sluice.log.PartitionId;
import io.sluice.log.record.BuiltBatch;
import io.sluice.log.wal.WalPass;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Batches appended to a partition since the last pass, in offset order. Owns a reference of each. Writer thread. */
final class StagedBatches {
    private @Nullable ByteBuf[] buffers = new ByteBuf[4];
    private int[] positions = new int[4];
    private int[] lengths = new int[4];
    private long[] firstOffsets = new long[4];
    private long[] lastOffsets = new long[4];
    private long[] timestamps = new long[4];
    private boolean[] logged = new boolean[4];
    private @Nullable BuiltBatch[] built = new BuiltBatch[4];
    private int size;
    private int builtCount;
    private boolean builtLogged;
    private int written;
    private boolean unlogged;

    void add(ByteBuf buffer, int position, int length, long first, long last, long maxTimestamp, boolean group) {
        if (size == positions.length) {
            int capacity = size * 2;
            buffers = Arrays.copyOf(buffers, capacity);
            positions = Arrays.copyOf(positions, capacity);
            lengths = Arrays.copyOf(lengths, capacity);
            firstOffsets = Arrays.copyOf(firstOffsets, capacity);
            lastOffsets = Arrays.copyOf(lastOffsets, capacity);
            timestamps = Arrays.copyOf(timestamps, capacity);
            logged = Arrays.copyOf(logged, capacity);
            built = Arrays.copyOf(built, capacity);
        }
        buffers[size] = buffer;
        positions[size] = position;
        lengths[size] = length;
        firstOffsets[size] = first;
        lastOffsets[size] = last;
        timestamps[size] = maxTimestamp;
        logged[size] = group;
        unlogged |= !group;
        size++;
    }

    /** Adds a batch that {@link #seal} completes. */
    void add(BuiltBatch batch, long first, long last, boolean group) {
        ByteBuf bytes = batch.unsealed();
        add(bytes, bytes.readerIndex(), batch.sizeInBytes(), first, last, batch.maxTimestamp(), group);
        built[size - 1] = batch;
        builtCount++;
        builtLogged |= group;
    }

    /** Batches that wait for {@link #seal}. */
    int builtCount() {
        return builtCount;
    }

    /** True if one of them goes to the write-ahead log. */
    boolean isBuiltLogged() {
        return builtLogged;
    }

    /**
     * Completes the batches that the broker built.
     *
     * @param mark of their group; {@link io.sluice.log.record.GroupMark#NONE} without one
     * @param log true if all of them go to the write-ahead log, whatever was asked for
     */
    void seal(long mark, boolean log) {
        unlogged = false;
        for (int i = 0; i < size; i++) {
            BuiltBatch batch = built[i];
            if (batch != null) {
                batch.seal(mark);
                built[i] = null;
                logged[i] |= log;
            }
            unlogged |= !logged[i];
        }
        builtCount = 0;
        builtLogged = false;
    }

    int size() {
        return size;
    }

    /** Number of batches, from the first on, that are in the segments. */
    int written() {
        return written;
    }

    void written(int count) {
        written = count;
    }

    /** Bytes of all batches. */
    long bytes() {
        long bytes = 0;
        for (int i = 0; i < size; i++) {
            bytes += lengths[i];
        }
        return bytes;
    }

    /** True if a batch does not go to the write-ahead log. */
    boolean hasUnlogged() {
        return unlogged;
    }

    ByteBuf buffer(int i) {
        ByteBuf buffer = buffers[i];
        if (buffer == null) {
            throw new IllegalStateException("no staged batch " + i);
        }
        return buffer;
    }

    int position(int i) {
        return positions[i];
    }

    int length(int i) {
        return lengths[i];
    }

    long firstOffset(int i) {
        return firstOffsets[i];
    }

    long lastOffset(int i) {
        return lastOffsets[i];
    }

    long maxTimestamp(int i) {
        return timestamps[i];
    }

    void collect(PartitionId id, WalPass pass) {
        for (int i = 0; i < size; i++) {
            if (logged[i]) {
                pass.add(id, buffer(i), positions[i], lengths[i]);
            }
        }
    }

    void clear() {
        for (int i = 0; i < size; i++) {
            buffer(i).release();
            buffers[i] = null;
            built[i] = null;
        }
        builtCount = 0;
        builtLogged = false;
        size = 0;
        written = 0;
        unlogged = false;
    }
}
