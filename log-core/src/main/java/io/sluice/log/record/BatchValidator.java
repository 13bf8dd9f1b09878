package io.sluice.log.record;

import io.netty.buffer.ByteBuf;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;

/** Checks record batches that a client produced before they go to a partition. Stateless; any thread. */
public final class BatchValidator {
    private BatchValidator() {}

    /**
     * What a produced buffer holds.
     *
     * @param batches number of batches
     * @param records number of records
     * @param transactional true if any batch belongs to a transaction
     * @param idempotent true if any batch carries a producer id
     * @param zstd true if any batch is compressed with zstd, which needs Produce version 7
     */
    public record Summary(int batches, int records, boolean transactional, boolean idempotent, boolean zstd) {}

    /**
     * Checks all readable bytes: whole batches of magic 2, size, checksum, counts, codec, and for uncompressed batches the
     * framing of every record.
     *
     * @param maxBatchBytes largest accepted batch, bytes
     * @throws LogException CORRUPT_BATCH, BATCH_TOO_LARGE or UNSUPPORTED_FORMAT
     */
    public static Summary validate(ByteBuf batches, int maxBatchBytes) {
        int at = batches.readerIndex();
        int end = batches.writerIndex();
        int number = 0;
        int records = 0;
        boolean transactional = false;
        boolean idempotent = false;
        boolean zstd = false;
        if (at == end) {
            throw corrupt("no record batch");
        }
        while (at < end) {
            int size = size(batches, at, end, maxBatchBytes);
            check(batches, at, size);
            number++;
            records += BatchFormat.recordCount(batches, at);
            transactional |= BatchFormat.isTransactional(batches, at);
            idempotent |= BatchFormat.producerId(batches, at) >= 0;
            zstd |= BatchFormat.codec(batches, at) == Compression.ZSTD;
            at += size;
        }
        return new Summary(number, records, transactional, idempotent, zstd);
    }

    private static int size(ByteBuf batches, int at, int end, int maxBatchBytes) {
        if (end - at <= BatchFormat.MAGIC) {
            throw corrupt("record batch cut short");
        }
        int magic = batches.getByte(at + BatchFormat.MAGIC);
        if (magic != 2) {
            throw new LogException(Reason.UNSUPPORTED_FORMAT, "record batch has magic " + magic + ", 2 is supported");
        }
        int length = batches.getInt(at + BatchFormat.LENGTH);
        if (length < BatchFormat.HEADER_BYTES - BatchFormat.PREFIX_BYTES
                || length > end - at - BatchFormat.PREFIX_BYTES) {
            throw corrupt("record batch length " + length + " does not fit");
        }
        int size = length + BatchFormat.PREFIX_BYTES;
        if (size > maxBatchBytes) {
            throw new LogException(
                    Reason.BATCH_TOO_LARGE, "record batch of " + size + " bytes, limit is " + maxBatchBytes);
        }
        return size;
    }

    private static void check(ByteBuf batches, int at, int size) {
        if (!BatchFormat.isCrcValid(batches, at, size)) {
            throw corrupt("record batch checksum does not match");
        }
        int count = BatchFormat.recordCount(batches, at);
        int lastDelta = batches.getInt(at + BatchFormat.LAST_OFFSET_DELTA);
        if (count <= 0 || lastDelta != count - 1) {
            throw corrupt("record count " + count + " does not fit last offset delta " + lastDelta);
        }
        if (BatchFormat.isControl(batches, at)) {
            throw corrupt("clients must not write control batches");
        }
        int codec = BatchFormat.codec(batches, at);
        if (codec > Compression.ZSTD) {
            throw new LogException(Reason.UNSUPPORTED_FORMAT, "unknown compression codec " + codec);
        }
        if (GroupMark.isMark(BatchFormat.producerId(batches, at))) {
            throw corrupt("producer id " + BatchFormat.producerId(batches, at));
        }
        if (BatchFormat.producerId(batches, at) >= 0
                && (BatchFormat.producerEpoch(batches, at) < 0 || BatchFormat.baseSequence(batches, at) < 0)) {
            throw corrupt("producer id without epoch or sequence");
        }
        if (codec == 0) {
            int position = at + BatchFormat.HEADER_BYTES;
            int end = at + size;
            for (int i = 0; i < count; i++) {
                position = checkRecord(batches, position, end);
            }
            if (position != end) {
                throw corrupt("bytes behind the last record");
            }
        }
    }

    /**
     * Checks the framing of the record at {@code at}: lengths are those of its parts and all lie before {@code end}.
     *
     * @return index after the record
     */
    static int checkRecord(ByteBuf records, int at, int end) {
        try {
            int length = Varints.readInt(records, at);
            int position = Varints.skip(records, at);
            if (length < 6 || length > end - position) {
                throw corrupt("record length " + length + " does not fit");
            }
            int recordEnd = position + length;
            position = Varints.skip(records, position + 1);
            position = Varints.skip(records, position);
            position = skipBytes(records, position, recordEnd, -1);
            position = skipBytes(records, position, recordEnd, -1);
            int headers = Varints.readInt(records, position);
            position = Varints.skip(records, position);
            if (headers < 0 || headers > recordEnd - position) {
                throw corrupt("header count " + headers + " does not fit");
            }
            for (int i = 0; i < headers; i++) {
                position = skipBytes(records, position, recordEnd, 0);
                position = skipBytes(records, position, recordEnd, -1);
            }
            if (position != recordEnd) {
                throw corrupt("record length is not that of its fields");
            }
            return recordEnd;
        } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
            throw corrupt("record framing: " + e.getMessage());
        }
    }

    private static int skipBytes(ByteBuf records, int at, int end, int smallest) {
        int length = Varints.readInt(records, at);
        int position = Varints.skip(records, at);
        if (length < smallest || length > end - position) {
            throw corrupt("field length " + length + " does not fit");
        }
        return position + Math.max(0, length);
    }

    private static LogException corrupt(String message) {
        return new LogException(Reason.CORRUPT_BATCH, message);
    }
}
