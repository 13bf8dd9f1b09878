package io.sluice.log.record;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import java.util.function.Predicate;

/**
 * Takes records out of a batch. What stays keeps its offset and timestamp, and the batch the offsets it covers, its producer and its
 * codec. A batch that keeps tombstones gets the time until when they stay as its base timestamp and attribute bit 6 (KIP-534: the
 * delete horizon); record timestamps count from there. Reused; not thread-safe.
 */
public final class BatchRewriter {
    private final int maxDecodedBytes;
    private final RecordView view = new RecordView();
    private final ByteBuf records = Unpooled.buffer(4096);
    private final ByteBuf batch = Unpooled.buffer(4096);
    private boolean[] kept = new boolean[64];
    private long horizon;

    /** What became of a batch. */
    public enum Outcome {
        UNCHANGED,
        REWRITTEN,
        /** Nothing stays. */
        EMPTY
    }

    /** {@code maxDecodedBytes}: largest batch after decompression. */
    public BatchRewriter(int maxDecodedBytes) {
        this.maxDecodedBytes = maxDecodedBytes;
    }

    /** The rewritten batch from index 0 on, valid until the next call. */
    public ByteBuf batch() {
        return batch;
    }

    /** When the tombstones of the batch last looked at may go, epoch ms; {@link Long#MAX_VALUE} if it keeps none. */
    public long horizon() {
        return horizon;
    }

    /**
     * Looks at the batch at {@code at}, which is not a control batch.
     *
     * @param keep tells which records stay; tombstones past the horizon of the batch go all the same
     * @param now epoch ms
     * @param tombstoneMillis how long tombstones stay that are kept for the first time, ms
     */
    public Outcome rewrite(ByteBuf bytes, int at, Predicate<RecordView> keep, long now, long tombstoneMillis) {
        int size = BatchFormat.sizeInBytes(bytes, at);
        boolean hasHorizon = BatchFormat.hasDeleteHorizon(bytes, at);
        boolean expired = hasHorizon && BatchFormat.baseTimestamp(bytes, at) <= now;
        DecodedBatch decoded =
                DecodedBatch.decode(bytes.retainedSlice(at, size), UnpooledByteBufAllocator.DEFAULT, maxDecodedBytes);
        try {
            int count = decoded.recordCount();
            if (kept.length < count) {
                kept = new boolean[Math.max(count, kept.length * 2)];
            }
            int left = 0;
            boolean tombstones = false;
            for (int i = 0; i < count; i++) {
                decoded.recordAt(i, view);
                boolean tombstone = view.valueLength() < 0;
                kept[i] = keep.test(view) && !(tombstone && expired);
                if (kept[i]) {
                    left++;
                    tombstones |= tombstone;
                }
            }
            horizon = !tombstones
                    ? Long.MAX_VALUE
                    : hasHorizon
                            ? BatchFormat.baseTimestamp(bytes, at)
                            : now + Math.min(tombstoneMillis, Long.MAX_VALUE / 2 - now);
            if (left == 0) {
                return Outcome.EMPTY;
            }
            boolean mark = tombstones && !hasHorizon;
            if (left == count && !mark) {
                return Outcome.UNCHANGED;
            }
            write(bytes, at, decoded, left, mark ? horizon : BatchFormat.baseTimestamp(bytes, at), mark);
            return Outcome.REWRITTEN;
        } finally {
            decoded.release();
        }
    }

    private void write(ByteBuf bytes, int at, DecodedBatch decoded, int left, long base, boolean mark) {
        long greatest = -1;
        records.clear();
        for (int i = 0; i < decoded.recordCount(); i++) {
            if (kept[i]) {
                greatest = Math.max(greatest, copy(decoded, i, base));
            }
        }
        int codec = BatchFormat.codec(bytes, at);
        batch.clear().writeBytes(bytes, at, BatchFormat.HEADER_BYTES);
        if (codec == 0) {
            batch.writeBytes(records);
        } else {
            Compression.compress(codec, records, batch);
        }
        int attributes = batch.getShort(BatchFormat.ATTRIBUTES);
        batch.setInt(BatchFormat.LENGTH, batch.writerIndex() - BatchFormat.PREFIX_BYTES);
        batch.setShort(BatchFormat.ATTRIBUTES, mark ? attributes | BatchFormat.DELETE_HORIZON : attributes);
        batch.setLong(BatchFormat.BASE_TIMESTAMP, base);
        if (!BatchFormat.isLogAppendTime(batch, 0)) {
            batch.setLong(BatchFormat.MAX_TIMESTAMP, greatest);
        }
        batch.setInt(BatchFormat.RECORD_COUNT, left);
        batch.setInt(BatchFormat.CRC, BatchFormat.computeCrc(batch, 0, batch.writerIndex()));
    }

    /** Copies a record with a new timestamp delta and answers its timestamp. */
    private long copy(DecodedBatch decoded, int i, long base) {
        ByteBuf from = decoded.bytes();
        int at = decoded.start(i);
        int length = Varints.readInt(from, at);
        int body = Varints.skip(from, at);
        int end = body + length;
        long timestamp = decoded.baseTimestamp() + Varints.readLong(from, body + 1);
        int rest = Varints.skip(from, body + 1);
        long delta = timestamp - base;
        RecordFields.writeVarint(records, 1 + RecordFields.sizeOfVarlong(delta) + end - rest);
        records.writeByte(from.getByte(body));
        RecordFields.writeVarlong(records, delta);
        records.writeBytes(from, rest, end - rest);
        return timestamp;
    }
}
