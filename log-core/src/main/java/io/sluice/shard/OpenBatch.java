package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.sluice.log.Durability;
import io.sluice.log.LogPartition;
import io.sluice.log.record.BatchBuilder;
import io.sluice.message.RecordFields;
import io.sluice.queue.TargetSet;
import org.jspecify.annotations.Nullable;

/** A record batch that is being filled for one partition; stored at the strongest durability that its messages asked for. */
final class OpenBatch {
    private final LogPartition partition;
    private final BatchBuilder builder = new BatchBuilder(PooledByteBufAllocator.DEFAULT);
    private @Nullable ByteBuf scratch;
    private Durability durability = Durability.OS;
    private long baseOffset = -1;

    OpenBatch(LogPartition partition) {
        this.partition = partition;
    }

    LogPartition partition() {
        return partition;
    }

    int sizeInBytes() {
        return builder.sizeInBytes();
    }

    /** Offset of the first record once {@link #append} was called, else -1. */
    long baseOffset() {
        return baseOffset;
    }

    /**
     * Adds a message; for a home partition with its routing header.
     *
     * @param routed whose routing header to add; null = none
     * @param order place of the message among all of all home partitions
     * @param arrival when it was taken up, epoch ms
     * @return index of the record in the batch
     */
    int add(PublishBatch from, int message, @Nullable TargetSet routed, int order, long arrival, Durability asked) {
        raise(asked);
        ByteBuf extra = null;
        int length = 0;
        if (routed != null) {
            byte[] header = routed.routingHeader();
            extra = scratch();
            extra.writeBytes(header);
            routed.stamp(extra, 0, order, arrival, from.priority(message), from.expiry(message, arrival));
            length = header.length;
        }
        return builder.add(
                from.timestamp(message),
                from.buffer(),
                from.start(message),
                from.headerStart(message),
                from.end(message),
                from.headerCount(message),
                extra,
                0,
                length,
                routed == null ? 0 : 1);
    }

    /** Adds a record without key and headers. */
    void add(ByteBuf value, long timestamp, Durability asked) {
        raise(asked);
        ByteBuf fields = scratch();
        RecordFields.writeVarint(fields, -1);
        RecordFields.writeBytes(fields, value);
        int end = fields.writerIndex();
        builder.add(timestamp, fields, 0, end, end, 0);
    }

    /** Stages the batch on its partition; does nothing if it is empty. */
    void append() {
        if (!builder.isEmpty()) {
            baseOffset = partition.appendBuilt(builder.finish(), durability).baseOffset();
        }
    }

    /** Gives up what is not appended. */
    void discard() {
        builder.discard();
    }

    private void raise(Durability asked) {
        if (asked.compareTo(durability) > 0) {
            durability = asked;
        }
    }

    private ByteBuf scratch() {
        ByteBuf cleared = scratch;
        if (cleared == null) {
            cleared = Unpooled.buffer(64);
            scratch = cleared;
        }
        return cleared.clear();
    }
}
