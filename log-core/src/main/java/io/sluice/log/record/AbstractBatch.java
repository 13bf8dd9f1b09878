package io.sluice.log.record;

import io.netty.buffer.ByteBuf;
import io.sluice.message.RecordView;

/** Records at known positions of a buffer; the buffer's reference count is the view's. */
abstract class AbstractBatch implements BatchView {
    private final ByteBuf buffer;
    /** Absolute index of each record's length varint. */
    private final int[] starts;

    private final int count;

    AbstractBatch(ByteBuf buffer, int[] starts, int count) {
        this.buffer = buffer;
        this.starts = starts;
        this.count = count;
    }

    /** Absolute index of a record's length varint. */
    final int start(int index) {
        return starts[index];
    }

    final ByteBuf bytes() {
        return buffer;
    }

    /** Timestamp that record deltas count from. */
    abstract long baseTimestamp();

    /** Timestamp of all records under log append time, else -1. */
    abstract long appendTime();

    @Override
    public final int recordCount() {
        return count;
    }

    @Override
    public final boolean record(long offset, RecordView into) {
        long base = baseOffset();
        long delta = offset - base;
        if (delta < 0 || offset > lastOffset() || count == 0) {
            return false;
        }
        if (count == lastOffset() - base + 1) {
            recordAt((int) delta, into);
            return true;
        }
        int low = 0;
        int high = count - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            long found = offsetDelta(middle);
            if (found == delta) {
                recordAt(middle, into);
                return true;
            }
            if (found < delta) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return false;
    }

    @Override
    public final void recordAt(int index, RecordView into) {
        if (index < 0 || index >= count) {
            throw new IndexOutOfBoundsException("record " + index + " of " + count);
        }
        int at = starts[index];
        at = Varints.skip(buffer, at) + 1;
        long timestampDelta = Varints.readLong(buffer, at);
        at = Varints.skip(buffer, at);
        int offsetDelta = Varints.readInt(buffer, at);
        at = Varints.skip(buffer, at);
        long appendTime = appendTime();
        into.wrap(
                buffer,
                at,
                baseOffset() + offsetDelta,
                appendTime >= 0 ? appendTime : baseTimestamp() + timestampDelta);
    }

    private int offsetDelta(int index) {
        int at = Varints.skip(buffer, starts[index]) + 1;
        return Varints.readInt(buffer, Varints.skip(buffer, at));
    }

    @Override
    public final int refCnt() {
        return buffer.refCnt();
    }

    @Override
    public final BatchView retain() {
        buffer.retain();
        return this;
    }

    @Override
    public final BatchView retain(int increment) {
        buffer.retain(increment);
        return this;
    }

    @Override
    public final BatchView touch() {
        buffer.touch();
        return this;
    }

    @Override
    public final BatchView touch(Object hint) {
        buffer.touch(hint);
        return this;
    }

    @Override
    public final boolean release() {
        return buffer.release();
    }

    @Override
    public final boolean release(int decrement) {
        return buffer.release(decrement);
    }
}
