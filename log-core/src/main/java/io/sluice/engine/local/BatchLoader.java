package io.sluice.engine.local;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.log.Isolation;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition.OffsetAndTimestamp;
import io.sluice.log.LogSlice;
import io.sluice.log.record.BatchFormat;
import io.sluice.log.record.BatchView;
import io.sluice.log.record.DecodedBatch;
import io.sluice.log.segment.Segment;
import io.sluice.message.RecordView;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Reads batches back on the reader pool. Buffers are not pooled: cached batches live long, each would hold a whole chunk of the pool.
 */
final class BatchLoader {
    private static final int PIECE = 1 << 20;

    private final LocalLogEngine engine;
    private final LocalPartition partition;

    BatchLoader(LocalLogEngine engine, LocalPartition partition) {
        this.engine = engine;
        this.partition = partition;
    }

    CompletionStage<@Nullable BatchView> load(long offset, Executor executor) {
        CompletableFuture<@Nullable BatchView> result = new CompletableFuture<>();
        engine.readerPool().execute(() -> {
            BatchView batch = null;
            RuntimeException failure = null;
            try {
                batch = loadNow(offset);
            } catch (RuntimeException e) {
                failure = e;
            }
            BatchView loaded = batch;
            RuntimeException error = failure;
            try {
                executor.execute(() -> {
                    if (error != null) {
                        result.completeExceptionally(error);
                    } else {
                        result.complete(loaded);
                    }
                });
            } catch (RuntimeException rejected) {
                if (loaded != null) {
                    loaded.release();
                }
                result.completeExceptionally(rejected);
            }
        });
        return result;
    }

    private @Nullable BatchView loadNow(long offset) {
        BatchView cached = engine.decodedCache().find(partition.id(), offset);
        if (cached != null) {
            return cached;
        }
        if (offset < partition.logStartOffset() || offset >= partition.writtenEnd()) {
            return null;
        }
        ByteBuf bytes = readBatch(offset);
        if (bytes == null) {
            return null;
        }
        if (BatchFormat.baseOffset(bytes, 0) > offset) {
            bytes.release();
            return null;
        }
        DecodedBatch batch = DecodedBatch.decode(
                bytes, UnpooledByteBufAllocator.DEFAULT, engine.settings().maxDecodedBytes());
        batch.retain();
        engine.decodedCache().put(partition.id(), batch);
        return batch;
    }

    /** The first batch at or after {@code offset}, null if none. */
    private @Nullable ByteBuf readBatch(long offset) {
        LogSlice slice = partition.read(offset, 1, Isolation.LOG_END);
        try {
            if (slice.sizeInBytes() == 0) {
                return null;
            }
            return copy(slice);
        } finally {
            slice.release();
        }
    }

    private static ByteBuf copy(LogSlice slice) {
        int size = slice.sizeInBytes();
        ByteBuf bytes = UnpooledByteBufAllocator.DEFAULT.directBuffer(size, size);
        try {
            slice.readFully(0, bytes.nioBuffer(0, size));
            return bytes.writerIndex(size);
        } catch (IOException e) {
            bytes.release();
            throw new LogException(Reason.IO_ERROR, "reading a batch failed: " + e.getMessage(), e);
        }
    }

    CompletionStage<@Nullable OffsetAndTimestamp> offsetForTimestamp(long timestamp) {
        return onPool(() -> {
            for (Segment segment : partition.segments().all()) {
                if (segment.maxTimestamp() >= timestamp) {
                    long from = Math.max(partition.logStartOffset(), segment.offsetBefore(timestamp));
                    OffsetAndTimestamp found = find(from, segment.nextOffset(), timestamp);
                    if (found != null) {
                        return found;
                    }
                }
            }
            return null;
        });
    }

    CompletionStage<@Nullable OffsetAndTimestamp> maxTimestamp() {
        return onPool(() -> {
            Segment newest = null;
            for (Segment segment : partition.segments().all()) {
                if (segment.size() > 0 && (newest == null || segment.maxTimestamp() > newest.maxTimestamp())) {
                    newest = segment;
                }
            }
            if (newest == null) {
                return null;
            }
            long greatest = newest.maxTimestamp();
            long from = Math.max(partition.logStartOffset(), newest.offsetBefore(greatest));
            return find(from, newest.nextOffset(), greatest);
        });
    }

    /** First record below the high watermark within [from, to) at or after {@code timestamp}. */
    private @Nullable OffsetAndTimestamp find(long from, long to, long timestamp) {
        RecordView view = new RecordView();
        long bound = Math.min(to, partition.highWatermark());
        long next = from;
        while (next < bound) {
            LogSlice slice = partition.read(next, PIECE, Isolation.HIGH_WATERMARK);
            ByteBuf bytes;
            try {
                if (slice.sizeInBytes() == 0) {
                    return null;
                }
                bytes = copy(slice);
            } finally {
                slice.release();
            }
            try {
                int at = 0;
                while (at < bytes.writerIndex()) {
                    int size = BatchFormat.sizeInBytes(bytes, at);
                    if (BatchFormat.maxTimestamp(bytes, at) >= timestamp) {
                        OffsetAndTimestamp found = inBatch(bytes.retainedSlice(at, size), from, timestamp, view);
                        if (found != null) {
                            return found;
                        }
                    }
                    next = BatchFormat.lastOffset(bytes, at) + 1;
                    at += size;
                }
            } finally {
                bytes.release();
            }
        }
        return null;
    }

    private @Nullable OffsetAndTimestamp inBatch(ByteBuf batch, long from, long timestamp, RecordView view) {
        int epoch = BatchFormat.leaderEpoch(batch, 0);
        DecodedBatch decoded = DecodedBatch.decode(
                batch, UnpooledByteBufAllocator.DEFAULT, engine.settings().maxDecodedBytes());
        try {
            for (int i = 0; i < decoded.recordCount(); i++) {
                decoded.recordAt(i, view);
                if (view.timestamp() >= timestamp && view.offset() >= from) {
                    return new OffsetAndTimestamp(view.offset(), view.timestamp(), epoch);
                }
            }
            return null;
        } finally {
            decoded.release();
        }
    }

    private interface Lookup {
        @Nullable
        OffsetAndTimestamp run() throws IOException;
    }

    private CompletionStage<@Nullable OffsetAndTimestamp> onPool(Lookup lookup) {
        CompletableFuture<@Nullable OffsetAndTimestamp> result = new CompletableFuture<>();
        engine.readerPool().execute(() -> {
            try {
                result.complete(lookup.run());
            } catch (IOException e) {
                result.completeExceptionally(
                        new LogException(Reason.IO_ERROR, "reading " + partition + " failed: " + e.getMessage(), e));
            } catch (RuntimeException e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }
}
