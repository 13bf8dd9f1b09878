package io.sluice.engine.local;

import io.netty.buffer.ByteBuf;
import io.sluice.io.Clock;
import io.sluice.log.StreamConfig;
import io.sluice.log.segment.Segment;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Writes the staged batches of a partition with as few system calls as may be. One per writer thread. */
final class SegmentWriter {
    private static final int STAGING_BYTES = 256 * 1024;

    private final Clock clock;
    private final ByteBuffer staging = ByteBuffer.allocateDirect(STAGING_BYTES);

    SegmentWriter(Clock clock) {
        this.clock = clock;
    }

    /**
     * Writes what is not written yet.
     *
     * @throws io.sluice.io.NoSpaceException if space ran out: what was written is noted, the same call goes on from there
     */
    void write(SegmentList segments, StagedBatches staged, StreamConfig config) throws IOException {
        int from = staged.written();
        while (from < staged.size()) {
            Segment segment = segments.forAppend(
                    staged.firstOffset(from), staged.lastOffset(from), staged.length(from), config, clock);
            long start = segment.size();
            long bytes = staged.length(from);
            int to = from + 1;
            while (to < staged.size() && segments.fits(segment, start + bytes, staged, to, config)) {
                bytes += staged.length(to);
                to++;
            }
            writeRun(segment, start, staged, from, to);
            long position = start;
            for (int i = from; i < to; i++) {
                segment.note(
                        position,
                        staged.length(i),
                        staged.firstOffset(i),
                        staged.lastOffset(i),
                        staged.maxTimestamp(i));
                position += staged.length(i);
            }
            staged.written(to);
            from = to;
        }
    }

    private void writeRun(Segment segment, long start, StagedBatches staged, int from, int to) throws IOException {
        long position = start;
        staging.clear();
        for (int i = from; i < to; i++) {
            int length = staged.length(i);
            ByteBuf buffer = staged.buffer(i);
            boolean alone = to - from == 1 && buffer.nioBufferCount() == 1;
            if (alone || length > staging.capacity() && buffer.nioBufferCount() == 1) {
                position = flush(segment, position);
                segment.write(position, buffer.nioBuffer(staged.position(i), length));
                position += length;
                continue;
            }
            int at = staged.position(i);
            int left = length;
            while (left > 0) {
                if (!staging.hasRemaining()) {
                    position = flush(segment, position);
                }
                int piece = Math.min(left, staging.remaining());
                staging.limit(staging.position() + piece);
                buffer.getBytes(at, staging);
                staging.limit(staging.capacity());
                at += piece;
                left -= piece;
            }
        }
        flush(segment, position);
    }

    private long flush(Segment segment, long position) throws IOException {
        staging.flip();
        int bytes = staging.remaining();
        if (bytes > 0) {
            segment.write(position, staging);
        }
        staging.clear();
        return position + bytes;
    }
}
