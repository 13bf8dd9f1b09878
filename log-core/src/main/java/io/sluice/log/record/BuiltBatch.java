package io.sluice.log.record;

import io.netty.buffer.ByteBuf;

/**
 * A batch that the broker built, uncompressed, with the positions of its records already known. Offsets are relative to 0 until
 * a partition assigns them. Owned by whoever got it from {@link BatchBuilder#finish} until it is appended.
 */
public final class BuiltBatch extends AbstractBatch {
    private final int lastDelta;
    private final long baseTimestamp;
    private final long maxTimestamp;
    private long baseOffset;
    private long appendTime = -1;
    private boolean sealed;

    BuiltBatch(ByteBuf buffer, int[] starts, int count, long baseTimestamp, long maxTimestamp) {
        super(buffer, starts, count);
        this.lastDelta = count - 1;
        this.baseTimestamp = baseTimestamp;
        this.maxTimestamp = maxTimestamp;
    }

    /** The encoded batch from its reader index on, checksum included; unretained. */
    public ByteBuf buffer() {
        if (!sealed) {
            seal(GroupMark.NONE);
        }
        return bytes();
    }

    /** As {@link #buffer}, but only {@link #seal} completes it. */
    public ByteBuf unsealed() {
        return bytes();
    }

    /**
     * Completes the batch; called once, when nothing else will change any more.
     *
     * @param mark a {@link GroupMark}, or none
     */
    public void seal(long mark) {
        ByteBuf bytes = bytes();
        int at = bytes.readerIndex();
        bytes.setLong(at + BatchFormat.PRODUCER_ID, mark);
        bytes.setInt(at + BatchFormat.CRC, BatchFormat.computeCrcOfOwn(bytes, bytes.readableBytes()));
        sealed = true;
    }

    public int sizeInBytes() {
        return bytes().readableBytes();
    }

    public long maxTimestamp() {
        return appendTime >= 0 ? appendTime : maxTimestamp;
    }

    /** Sets offset and epoch; called once by the partition before anybody else sees the batch. */
    public void assign(long offset, int leaderEpoch) {
        baseOffset = offset;
        BatchFormat.assign(bytes(), bytes().readerIndex(), offset, leaderEpoch);
    }

    /** Stamps the broker's time; called by the partition of a log-append-time stream. */
    public void stampAppendTime(long timestamp) {
        appendTime = timestamp;
        BatchFormat.setAppendTime(bytes(), bytes().readerIndex(), timestamp);
        sealed = false;
    }

    @Override
    public long baseOffset() {
        return baseOffset;
    }

    @Override
    public long lastOffset() {
        return baseOffset + lastDelta;
    }

    @Override
    long baseTimestamp() {
        return baseTimestamp;
    }

    @Override
    long appendTime() {
        return appendTime;
    }
}
