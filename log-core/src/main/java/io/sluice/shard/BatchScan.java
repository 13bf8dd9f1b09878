package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.log.Isolation;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.record.BatchView;
import io.sluice.log.record.DecodedBatch;
import java.io.IOException;
import java.util.function.Consumer;

/** Reads a partition from an offset to its end, batch by batch, in large pieces. For recovery; blocks. */
final class BatchScan {
    private static final int PIECE = 4 << 20;
    private static final int PREFIX = 12;

    private BatchScan() {}

    static void scan(LogPartition partition, long from, Consumer<BatchView> visitor) {
        long next = from;
        long end = partition.logEndOffset();
        while (next < end) {
            LogSlice slice = partition.read(next, PIECE, Isolation.LOG_END);
            try {
                int size = slice.sizeInBytes();
                if (size == 0) {
                    return;
                }
                ByteBuf bytes = PooledByteBufAllocator.DEFAULT.directBuffer(size);
                try {
                    slice.readFully(0, bytes.nioBuffer(0, size));
                    bytes.writerIndex(size);
                    visit(bytes, visitor);
                } finally {
                    bytes.release();
                }
                next = slice.nextOffset();
            } catch (IOException e) {
                throw new LogException(
                        LogException.Reason.IO_ERROR,
                        "cannot read " + partition.stream().name(),
                        e);
            } finally {
                slice.release();
            }
        }
    }

    private static void visit(ByteBuf bytes, Consumer<BatchView> visitor) {
        while (bytes.isReadable()) {
            int size = PREFIX + bytes.getInt(bytes.readerIndex() + 8);
            DecodedBatch batch = DecodedBatch.decode(
                    bytes.readRetainedSlice(size), PooledByteBufAllocator.DEFAULT, Integer.MAX_VALUE);
            try {
                visitor.accept(batch);
            } finally {
                batch.release();
            }
        }
    }
}
