package io.sluice.log.segment;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.io.StorageFile;
import io.sluice.log.record.BatchFormat;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Reads a segment from end to end and checks every batch: what recovery trusts. Reads large pieces. */
final class SegmentScan {
    private static final int PIECE = 1 << 20;

    private final StorageFile file;
    private final long limit;
    private ByteBuffer bytes;
    private ByteBuf view;
    private long from;
    private int available;
    private long position;
    private int size;

    SegmentScan(StorageFile file, long start, long limit) {
        this.file = file;
        this.from = start;
        this.position = start;
        this.limit = limit;
        // Direct, or each read would be copied twice.
        this.bytes =
                ByteBuffer.allocateDirect((int) Math.max(BatchFormat.HEADER_BYTES, Math.min(PIECE, limit - start)));
        this.view = Unpooled.wrappedBuffer(bytes);
    }

    /** Moves to the next whole, valid batch whose offsets do not fall below {@code expected}; false at the first that is not. */
    boolean next(long expected) throws IOException {
        position += size;
        size = 0;
        if (position + BatchFormat.HEADER_BYTES > limit || !load(BatchFormat.HEADER_BYTES)) {
            return false;
        }
        int at = batchIndex();
        long found = BatchFormat.baseOffset(view, at);
        int length = view.getInt(at + BatchFormat.LENGTH);
        if (view.getByte(at + BatchFormat.MAGIC) != 2
                || length < BatchFormat.HEADER_BYTES - BatchFormat.PREFIX_BYTES
                || length > limit - position - BatchFormat.PREFIX_BYTES
                || view.getInt(at + BatchFormat.LAST_OFFSET_DELTA) < 0
                || found < expected) {
            return false;
        }
        int whole = length + BatchFormat.PREFIX_BYTES;
        if (!load(whole) || !BatchFormat.isCrcValid(view, batchIndex(), whole)) {
            return false;
        }
        size = whole;
        return true;
    }

    private boolean load(int wanted) throws IOException {
        if (position + wanted <= from + available) {
            return true;
        }
        if (wanted > bytes.capacity()) {
            bytes = ByteBuffer.allocateDirect(wanted);
            view = Unpooled.wrappedBuffer(bytes);
        }
        bytes.clear().limit((int) Math.min(bytes.capacity(), limit - position));
        boolean whole = file.readFully(position, bytes);
        from = position;
        available = bytes.position();
        return whole && available >= wanted;
    }

    long position() {
        return position;
    }

    int size() {
        return size;
    }

    ByteBuf batch() {
        return view;
    }

    int batchIndex() {
        return (int) (position - from);
    }

    long baseOffset() {
        return BatchFormat.baseOffset(view, batchIndex());
    }

    long lastOffset() {
        return BatchFormat.lastOffset(view, batchIndex());
    }

    long maxTimestamp() {
        return BatchFormat.maxTimestamp(view, batchIndex());
    }
}
