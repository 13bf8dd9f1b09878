package io.sluice.log.record;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.sluice.message.RecordFields;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Encodes records into one uncompressed batch in a pooled direct buffer. Reusable: {@link #finish} hands the batch over and the
 * builder starts anew. Not thread-safe. No allocation per record.
 */
public final class BatchBuilder {
    private static final int SMALLEST = 512;
    private static final int LARGEST_GUESS = 256 * 1024;

    private final ByteBufAllocator allocator;
    private @Nullable ByteBuf buffer;
    private int[] starts = new int[16];
    private int count;
    private int guess = SMALLEST;
    private long baseTimestamp;
    private long maxTimestamp;

    public BatchBuilder(ByteBufAllocator allocator) {
        this.allocator = allocator;
    }

    /** Records added since the last {@link #finish}. */
    public int recordCount() {
        return count;
    }

    public boolean isEmpty() {
        return count == 0;
    }

    /** Size of the batch so far, bytes. */
    public int sizeInBytes() {
        return buffer == null ? 0 : buffer.writerIndex();
    }

    /**
     * Adds a record whose fields are already encoded: {@code [start, headersStart)} key and value with their lengths, {@code
     * [headersStart, end)} headers without their count.
     *
     * @param timestamp epoch ms
     * @return offset delta of the record
     */
    public int add(long timestamp, ByteBuf fields, int start, int headersStart, int end, int headerCount) {
        return add(timestamp, fields, start, headersStart, end, headerCount, null, 0, 0, 0);
    }

    /**
     * As {@link #add(long, ByteBuf, int, int, int, int)} with further encoded headers behind the record's own.
     *
     * @param extra buffer of the further headers, null if none
     * @param extraStart their absolute index
     * @param extraLength their size, bytes
     * @param extraCount their number
     */
    public int add(
            long timestamp,
            ByteBuf fields,
            int start,
            int headersStart,
            int end,
            int headerCount,
            @Nullable ByteBuf extra,
            int extraStart,
            int extraLength,
            int extraCount) {
        ByteBuf out = open(timestamp);
        int keyAndValue = headersStart - start;
        int headers = end - headersStart;
        int headerTotal = headerCount + extraCount;
        long timestampDelta = timestamp - baseTimestamp;
        int body = 1
                + RecordFields.sizeOfVarlong(timestampDelta)
                + RecordFields.sizeOfVarint(count)
                + keyAndValue
                + RecordFields.sizeOfVarint(headerTotal)
                + headers
                + extraLength;
        begin(out, body, timestampDelta);
        out.writeBytes(fields, start, keyAndValue);
        RecordFields.writeVarint(out, headerTotal);
        if (headers > 0) {
            out.writeBytes(fields, headersStart, headers);
        }
        if (extra != null && extraLength > 0) {
            out.writeBytes(extra, extraStart, extraLength);
        }
        return ended(timestamp);
    }

    /** Adds a record without headers, for the broker's own state. */
    public int add(long timestamp, byte @Nullable [] key, byte @Nullable [] value) {
        ByteBuf out = open(timestamp);
        long timestampDelta = timestamp - baseTimestamp;
        int body = 1
                + RecordFields.sizeOfVarlong(timestampDelta)
                + RecordFields.sizeOfVarint(count)
                + sizeOf(key)
                + sizeOf(value)
                + 1;
        begin(out, body, timestampDelta);
        RecordFields.writeBytes(out, key);
        RecordFields.writeBytes(out, value);
        RecordFields.writeVarint(out, 0);
        return ended(timestamp);
    }

    /** Encoded size of the record with this delta, bytes. */
    public int recordSize(int delta) {
        int next = delta + 1 < count ? starts[delta + 1] : sizeInBytes();
        return next - starts[delta];
    }

    /**
     * Completes the batch but for its checksum, and hands it over with one reference.
     *
     * @throws IllegalStateException if no record was added
     */
    public BuiltBatch finish() {
        ByteBuf out = buffer;
        if (out == null || count == 0) {
            throw new IllegalStateException("batch without records");
        }
        int size = out.writerIndex();
        out.setLong(0, 0);
        out.setInt(BatchFormat.LENGTH, size - BatchFormat.PREFIX_BYTES);
        out.setInt(BatchFormat.LEADER_EPOCH, -1);
        out.setByte(BatchFormat.MAGIC, 2);
        out.setShort(BatchFormat.ATTRIBUTES, 0);
        out.setInt(BatchFormat.LAST_OFFSET_DELTA, count - 1);
        out.setLong(BatchFormat.BASE_TIMESTAMP, baseTimestamp);
        out.setLong(BatchFormat.MAX_TIMESTAMP, maxTimestamp);
        out.setLong(BatchFormat.PRODUCER_ID, -1);
        out.setShort(BatchFormat.PRODUCER_EPOCH, -1);
        out.setInt(BatchFormat.BASE_SEQUENCE, -1);
        out.setInt(BatchFormat.RECORD_COUNT, count);
        BuiltBatch batch = new BuiltBatch(out, Arrays.copyOf(starts, count), count, baseTimestamp, maxTimestamp);
        guess = Math.max(SMALLEST, Math.min(LARGEST_GUESS, size + size / 8));
        buffer = null;
        count = 0;
        return batch;
    }

    /** Drops what was added. */
    public void discard() {
        if (buffer != null) {
            buffer.release();
            buffer = null;
        }
        count = 0;
    }

    private ByteBuf open(long timestamp) {
        ByteBuf out = buffer;
        if (out == null) {
            out = allocator.directBuffer(guess);
            out.writerIndex(BatchFormat.HEADER_BYTES);
            buffer = out;
            baseTimestamp = timestamp;
            maxTimestamp = timestamp;
        }
        if (count == starts.length) {
            starts = Arrays.copyOf(starts, count * 2);
        }
        return out;
    }

    private void begin(ByteBuf out, int body, long timestampDelta) {
        starts[count] = out.writerIndex();
        out.ensureWritable(body + 5);
        RecordFields.writeVarint(out, body);
        out.writeByte(0);
        RecordFields.writeVarlong(out, timestampDelta);
        RecordFields.writeVarint(out, count);
    }

    private int ended(long timestamp) {
        if (timestamp > maxTimestamp) {
            maxTimestamp = timestamp;
        }
        return count++;
    }

    private static int sizeOf(byte @Nullable [] bytes) {
        return bytes == null ? 1 : RecordFields.sizeOfVarint(bytes.length) + bytes.length;
    }
}
