package io.sluice.log.segment;

import io.netty.buffer.ByteBuf;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.record.BatchFormat;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Fills a segment that will take the place of others, batch by batch, in large writes. Not thread-safe. */
final class SegmentCopy {
    private static final int OUT_BYTES = 256 << 10;

    private final ByteBuffer out = ByteBuffer.allocateDirect(OUT_BYTES);
    private long position;

    /** Starts with an empty file. */
    void begin() {
        position = 0;
        out.clear();
    }

    /** Bytes put. */
    long position() {
        return position;
    }

    /** Appends a batch. */
    void put(Segment target, ByteBuf bytes, int at, int length) throws IOException {
        if (position + length > Integer.MAX_VALUE) {
            throw new LogException(
                    Reason.BATCH_TOO_LARGE, "compacted segment " + target.baseOffset() + " grows beyond 2 GiB");
        }
        int from = at;
        int left = length;
        while (left > 0) {
            if (!out.hasRemaining()) {
                flush(target, position + length - left);
            }
            int piece = Math.min(left, out.remaining());
            int limit = out.limit();
            out.limit(out.position() + piece);
            bytes.getBytes(from, out);
            out.limit(limit);
            from += piece;
            left -= piece;
        }
        target.note(
                position,
                length,
                BatchFormat.baseOffset(bytes, at),
                BatchFormat.lastOffset(bytes, at),
                BatchFormat.maxTimestamp(bytes, at));
        position += length;
    }

    /** Writes what was put and is not in the file yet. */
    void flush(Segment target) throws IOException {
        flush(target, position);
    }

    /** Writes the buffer, which ends at {@code end} of the file. */
    private void flush(Segment target, long end) throws IOException {
        out.flip();
        if (out.hasRemaining()) {
            target.write(end - out.remaining(), out);
        }
        out.clear();
    }
}
