package io.sluice.log.record;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * Layout of a record batch, magic 2 (KIP-98, big endian):
 *
 * <pre>
 *  0 base offset 8 | 8 length of what follows 4 | 12 leader epoch 4 | 16 magic 1 | 17 CRC-32C of all from 21 on 4
 * 21 attributes 2 | 23 last offset delta 4 | 27 base timestamp 8 | 35 max timestamp 8
 * 43 producer id 8 | 51 producer epoch 2 | 53 base sequence 4 | 57 record count 4 | 61 records
 * </pre>
 *
 * Stateless accessors; {@code at} is the absolute index of the batch.
 */
public final class BatchFormat {
    public static final int HEADER_BYTES = 61;
    /** Base offset and length: what precedes the counted bytes. */
    public static final int PREFIX_BYTES = 12;

    public static final int LENGTH = 8;
    public static final int LEADER_EPOCH = 12;
    public static final int MAGIC = 16;
    public static final int CRC = 17;
    public static final int ATTRIBUTES = 21;
    public static final int LAST_OFFSET_DELTA = 23;
    public static final int BASE_TIMESTAMP = 27;
    public static final int MAX_TIMESTAMP = 35;
    public static final int PRODUCER_ID = 43;
    public static final int PRODUCER_EPOCH = 51;
    public static final int BASE_SEQUENCE = 53;
    public static final int RECORD_COUNT = 57;

    static final int CODEC_MASK = 0x07;
    static final int LOG_APPEND_TIME = 0x08;
    static final int TRANSACTIONAL = 0x10;
    static final int CONTROL = 0x20;
    static final int DELETE_HORIZON = 0x40;

    private BatchFormat() {}

    public static long baseOffset(ByteBuf batch, int at) {
        return batch.getLong(at);
    }

    /** Whole size in bytes, header included. */
    public static int sizeInBytes(ByteBuf batch, int at) {
        return PREFIX_BYTES + batch.getInt(at + LENGTH);
    }

    public static long lastOffset(ByteBuf batch, int at) {
        return batch.getLong(at) + batch.getInt(at + LAST_OFFSET_DELTA);
    }

    public static int leaderEpoch(ByteBuf batch, int at) {
        return batch.getInt(at + LEADER_EPOCH);
    }

    public static int recordCount(ByteBuf batch, int at) {
        return batch.getInt(at + RECORD_COUNT);
    }

    public static long maxTimestamp(ByteBuf batch, int at) {
        return batch.getLong(at + MAX_TIMESTAMP);
    }

    public static long baseTimestamp(ByteBuf batch, int at) {
        return batch.getLong(at + BASE_TIMESTAMP);
    }

    public static long producerId(ByteBuf batch, int at) {
        return batch.getLong(at + PRODUCER_ID);
    }

    public static short producerEpoch(ByteBuf batch, int at) {
        return batch.getShort(at + PRODUCER_EPOCH);
    }

    public static int baseSequence(ByteBuf batch, int at) {
        return batch.getInt(at + BASE_SEQUENCE);
    }

    /** Compression: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
    public static int codec(ByteBuf batch, int at) {
        return batch.getShort(at + ATTRIBUTES) & CODEC_MASK;
    }

    public static boolean isControl(ByteBuf batch, int at) {
        return (batch.getShort(at + ATTRIBUTES) & CONTROL) != 0;
    }

    public static boolean isTransactional(ByteBuf batch, int at) {
        return (batch.getShort(at + ATTRIBUTES) & TRANSACTIONAL) != 0;
    }

    public static boolean isLogAppendTime(ByteBuf batch, int at) {
        return (batch.getShort(at + ATTRIBUTES) & LOG_APPEND_TIME) != 0;
    }

    /** True if the base timestamp says until when compaction keeps the tombstones (KIP-534). */
    public static boolean hasDeleteHorizon(ByteBuf batch, int at) {
        return (batch.getShort(at + ATTRIBUTES) & DELETE_HORIZON) != 0;
    }

    /** Sets what the broker assigns; the checksum does not cover it. */
    public static void assign(ByteBuf batch, int at, long baseOffset, int leaderEpoch) {
        batch.setLong(at, baseOffset);
        batch.setInt(at + LEADER_EPOCH, leaderEpoch);
    }

    /** Stamps the broker's time on the batch and renews the checksum. */
    public static void stampAppendTime(ByteBuf batch, int at, long timestamp) {
        setAppendTime(batch, at, timestamp);
        batch.setInt(at + CRC, computeCrc(batch, at, sizeInBytes(batch, at)));
    }

    /** As {@link #stampAppendTime} where the checksum follows later. */
    static void setAppendTime(ByteBuf batch, int at, long timestamp) {
        batch.setShort(at + ATTRIBUTES, batch.getShort(at + ATTRIBUTES) | LOG_APPEND_TIME);
        batch.setLong(at + MAX_TIMESTAMP, timestamp);
    }

    /** True if the stored checksum fits the bytes. */
    public static boolean isCrcValid(ByteBuf batch, int at, int size) {
        return batch.getInt(at + CRC) == computeCrc(batch, at, size);
    }

    static int computeCrc(ByteBuf batch, int at, int size) {
        return crc32c(batch, at + ATTRIBUTES, size - ATTRIBUTES);
    }

    /** As {@link #computeCrc} of a whole batch in one piece of memory that nobody else reads yet: makes no view of it. */
    static int computeCrcOfOwn(ByteBuf batch, int size) {
        CRC32C crc = new CRC32C();
        crc.update(batch.internalNioBuffer(ATTRIBUTES, size - ATTRIBUTES));
        return (int) crc.getValue();
    }

    /** CRC-32C of a range. */
    public static int crc32c(ByteBuf bytes, int index, int length) {
        CRC32C crc = new CRC32C();
        if (bytes.nioBufferCount() == 1) {
            crc.update(bytes.nioBuffer(index, length));
        } else {
            for (ByteBuffer part : bytes.nioBuffers(index, length)) {
                crc.update(part);
            }
        }
        return (int) crc.getValue();
    }
}
