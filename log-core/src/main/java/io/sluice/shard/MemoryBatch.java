package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.AbstractReferenceCounted;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import java.util.Arrays;

/** Transient messages of one pass: record fields one behind the other, never framed and never written to disk. */
final class MemoryBatch extends AbstractReferenceCounted implements BatchView {
    private final long baseOffset;
    private final ByteBuf buffer;
    private int[] starts = new int[8];
    private long[] timestamps = new long[8];
    private int count;

    MemoryBatch(long baseOffset, int sizeHint) {
        this.baseOffset = baseOffset;
        buffer = PooledByteBufAllocator.DEFAULT.directBuffer(Math.max(256, sizeHint));
    }

    /** Adds a message and answers its size in bytes. Shard thread, before any reader has the batch. */
    int add(PublishBatch from, int message) {
        if (count == starts.length) {
            starts = Arrays.copyOf(starts, count * 2);
            timestamps = Arrays.copyOf(timestamps, count * 2);
        }
        int start = buffer.writerIndex();
        starts[count] = start;
        timestamps[count] = from.timestamp(message);
        count++;
        int headers = from.headerStart(message);
        buffer.writeBytes(from.buffer(), from.start(message), headers - from.start(message));
        RecordFields.writeVarint(buffer, from.headerCount(message));
        buffer.writeBytes(from.buffer(), headers, from.end(message) - headers);
        return buffer.writerIndex() - start;
    }

    int sizeInBytes() {
        return buffer.readableBytes();
    }

    @Override
    public long baseOffset() {
        return baseOffset;
    }

    @Override
    public long lastOffset() {
        return baseOffset + count - 1;
    }

    @Override
    public int recordCount() {
        return count;
    }

    @Override
    public boolean record(long offset, RecordView into) {
        if (offset < baseOffset || offset > lastOffset()) {
            return false;
        }
        recordAt((int) (offset - baseOffset), into);
        return true;
    }

    @Override
    public void recordAt(int index, RecordView into) {
        into.wrap(buffer, starts[index], baseOffset + index, timestamps[index]);
    }

    @Override
    public MemoryBatch retain() {
        super.retain();
        return this;
    }

    @Override
    public MemoryBatch touch(Object hint) {
        buffer.touch(hint);
        return this;
    }

    @Override
    protected void deallocate() {
        buffer.release();
    }
}
