package io.sluice.kafka.produce;

import io.netty.buffer.ByteBuf;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.StreamConfig;
import java.util.zip.CRC32C;

/**
 * Checks what a client produced for one partition: exactly one v2 batch (as Kafka demands of producers), whole, of the size
 * the stream accepts, with the CRC it claims, neither transactional nor a control batch.
 *
 * <pre>
 * base offset 8 | length 4 | leader epoch 4 | magic 1 | crc 4 | attributes 2 | last offset delta 4 | base timestamp 8 |
 * max timestamp 8 | producer id 8 | producer epoch 2 | base sequence 4 | record count 4 | records
 * </pre>
 */
final class ProducedBatches {
    private static final int LENGTH_AT = 8;
    private static final int MAGIC_AT = 16;
    private static final int CRC_AT = 17;
    private static final int ATTRIBUTES_AT = 21;
    private static final int LAST_DELTA_AT = 23;
    private static final int COUNT_AT = 57;
    private static final int HEADER_BYTES = 61;
    private static final int PREFIX_BYTES = 12;
    private static final int TRANSACTIONAL = 0x10;
    private static final int CONTROL = 0x20;
    private static final int CODEC_MASK = 0x07;
    private static final int MAX_CODEC = 4;

    private ProducedBatches() {}

    /** Checks without moving indexes. */
    static void check(ByteBuf batches, StreamConfig config) {
        int start = batches.readerIndex();
        int bytes = batches.readableBytes();
        if (bytes > MAGIC_AT && batches.getByte(start + MAGIC_AT) < 2) {
            throw new LogException(Reason.UNSUPPORTED_FORMAT, "only record batches of version 2 are accepted");
        }
        if (bytes < HEADER_BYTES) {
            throw new LogException(Reason.CORRUPT_BATCH, "batch of " + bytes + " bytes is shorter than its header");
        }
        if (batches.getByte(start + MAGIC_AT) != 2) {
            throw new LogException(Reason.UNSUPPORTED_FORMAT, "unknown record batch version");
        }
        int length = batches.getInt(start + LENGTH_AT);
        if (length + PREFIX_BYTES != bytes) {
            throw new LogException(
                    Reason.CORRUPT_BATCH,
                    "a partition must be sent exactly one batch: " + bytes + " bytes hold one of "
                            + (length + (long) PREFIX_BYTES));
        }
        if (bytes > config.maxBatchBytes()) {
            throw new LogException(
                    Reason.BATCH_TOO_LARGE,
                    "batch of " + bytes + " bytes exceeds max.message.bytes " + config.maxBatchBytes());
        }
        CRC32C crc = new CRC32C();
        crc.update(batches.nioBuffer(start + ATTRIBUTES_AT, bytes - ATTRIBUTES_AT));
        if ((int) crc.getValue() != batches.getInt(start + CRC_AT)) {
            throw new LogException(Reason.CORRUPT_BATCH, "checksum does not match");
        }
        int attributes = batches.getShort(start + ATTRIBUTES_AT);
        int count = batches.getInt(start + COUNT_AT);
        if ((attributes & (TRANSACTIONAL | CONTROL)) != 0) {
            throw new LogException(Reason.UNSUPPORTED_FORMAT, "transactional and control batches are not accepted");
        }
        if ((attributes & CODEC_MASK) > MAX_CODEC
                || count <= 0
                || batches.getInt(start + LAST_DELTA_AT) != count - 1) {
            throw new LogException(Reason.CORRUPT_BATCH, "batch header contradicts itself");
        }
    }
}
