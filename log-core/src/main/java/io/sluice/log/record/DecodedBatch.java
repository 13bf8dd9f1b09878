package io.sluice.log.record;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import java.util.Arrays;

/** A batch read back from a log, decompressed if need be. */
public final class DecodedBatch extends AbstractBatch {
    private final long baseOffset;
    private final long lastOffset;
    private final long baseTimestamp;
    private final long appendTime;

    private DecodedBatch(ByteBuf buffer, int[] starts, int count, ByteBuf header, int at) {
        super(buffer, starts, count);
        this.baseOffset = BatchFormat.baseOffset(header, at);
        this.lastOffset = BatchFormat.lastOffset(header, at);
        this.baseTimestamp = BatchFormat.baseTimestamp(header, at);
        this.appendTime = BatchFormat.isLogAppendTime(header, at) ? BatchFormat.maxTimestamp(header, at) : -1;
    }

    /**
     * Decodes the whole batch at the reader index of {@code batch}; takes over one reference. A control batch has no records.
     *
     * @param maxBytes largest accepted size of the decompressed records, bytes
     * @throws LogException CORRUPT_BATCH if lengths do not fit or the data does not decompress, BATCH_TOO_LARGE above the bound;
     *     the reference is released then, too
     */
    public static DecodedBatch decode(ByteBuf batch, ByteBufAllocator allocator, int maxBytes) {
        ByteBuf records = batch;
        boolean own = false;
        try {
            int at = batch.readerIndex();
            int size = BatchFormat.sizeInBytes(batch, at);
            int from = at + BatchFormat.HEADER_BYTES;
            int end = at + size;
            int codec = BatchFormat.codec(batch, at);
            if (codec != 0) {
                records = Compression.decompress(codec, batch, from, end - from, allocator, maxBytes);
                own = true;
                from = 0;
                end = records.writerIndex();
            }
            int count = BatchFormat.isControl(batch, at) ? 0 : BatchFormat.recordCount(batch, at);
            int[] starts = positions(records, from, end, count);
            DecodedBatch decoded = new DecodedBatch(records, starts, starts.length, batch, at);
            if (own) {
                batch.release();
            }
            return decoded;
        } catch (RuntimeException e) {
            if (own) {
                records.release();
            }
            batch.release();
            if (e instanceof LogException refusal) {
                throw refusal;
            }
            throw new LogException(Reason.CORRUPT_BATCH, "record batch does not decode: " + e.getMessage(), e);
        }
    }

    private static int[] positions(ByteBuf records, int from, int end, int count) {
        // A count that the bytes cannot hold (a record takes 7 at least) must not decide an allocation.
        if (count < 0 || count > (end - from) / 7 + 1) {
            throw new LogException(Reason.CORRUPT_BATCH, "record count " + count + " in " + (end - from) + " bytes");
        }
        int[] starts = new int[count];
        int at = from;
        int found = 0;
        for (; found < count; found++) {
            starts[found] = at;
            at = BatchValidator.checkRecord(records, at, end);
        }
        return found == count ? starts : Arrays.copyOf(starts, found);
    }

    @Override
    public long baseOffset() {
        return baseOffset;
    }

    @Override
    public long lastOffset() {
        return lastOffset;
    }

    @Override
    long baseTimestamp() {
        return baseTimestamp;
    }

    @Override
    long appendTime() {
        return appendTime;
    }

    /** Bytes kept in memory. */
    public int sizeInBytes() {
        return bytes().capacity() + 4 * recordCount();
    }
}
