package io.sluice.kafka;

import io.netty.buffer.ByteBuf;
import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.log.AdvanceListener;
import io.sluice.log.Durability;
import io.sluice.log.Isolation;
import io.sluice.log.LiveOffsets;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamInfo;
import io.sluice.log.record.BatchView;
import io.sluice.log.record.BuiltBatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.Record;

/** A partition in one file with its index in memory: enough of the log for tests of the wire protocol. */
final class FilePartition implements LogPartition {
    private record Batch(long base, long next, long position, int size) {}

    private final PartitionId id;
    private final Supplier<StreamInfo> info;
    private final FileChannel file;
    private final List<Batch> batches = new ArrayList<>();
    private final List<AdvanceListener> listeners = new CopyOnWriteArrayList<>();
    /** Slices handed out and not yet released. */
    static final AtomicInteger OPEN_SLICES = new AtomicInteger();

    private long size;
    private volatile long end;
    private volatile long highWatermark;

    FilePartition(Path path, PartitionId id, Supplier<StreamInfo> info) {
        this.id = id;
        this.info = info;
        try {
            file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    synchronized void commit() {
        if (highWatermark == end) {
            return;
        }
        highWatermark = end;
        listeners.forEach(listener -> listener.advanced(this, highWatermark));
    }

    @Override
    public synchronized Appended append(ByteBuf data, Durability durability) {
        try {
            int from = data.readerIndex();
            int records = data.getInt(from + 57);
            data.setLong(from, end);
            data.setInt(from + 12, leaderEpoch());
            int bytes = data.readableBytes();
            ByteBuffer source = data.nioBuffer();
            for (long at = size; source.hasRemaining(); ) {
                at += file.write(source, at);
            }
            batches.add(new Batch(end, end + records, size, bytes));
            size += bytes;
            long base = end;
            end += records;
            return new Appended(base, end - 1, -1, false);
        } catch (IOException e) {
            throw new LogException(LogException.Reason.IO_ERROR, e.toString(), e);
        } finally {
            data.release();
        }
    }

    @Override
    public Appended appendBuilt(BuiltBatch batch, Durability durability) {
        throw new UnsupportedOperationException();
    }

    @Override
    public synchronized LogSlice read(long offset, int maxBytes, Isolation isolation) {
        long bound = isolation == Isolation.LOG_END ? end : highWatermark;
        if (offset < 0 || offset > bound) {
            throw new LogException(LogException.Reason.OFFSET_OUT_OF_RANGE, offset + " is not in 0.." + bound);
        }
        Batch first = null;
        Batch last = null;
        int bytes = 0;
        for (Batch batch : batches) {
            if (batch.next() > offset && batch.next() <= bound && (first == null || bytes + batch.size() <= maxBytes)) {
                first = first == null ? batch : first;
                last = batch;
                bytes += batch.size();
            } else if (first != null) {
                break;
            }
        }
        return first == null
                ? new Slice(offset, offset, 0, 0)
                : new Slice(first.base(), last.next(), first.position(), bytes);
    }

    private final class Slice extends AbstractReferenceCounted implements LogSlice {
        private final long base;
        private final long next;
        private final long position;
        private final int bytes;

        Slice(long base, long next, long position, int bytes) {
            this.base = base;
            this.next = next;
            this.position = position;
            this.bytes = bytes;
            OPEN_SLICES.incrementAndGet();
        }

        @Override
        public long baseOffset() {
            return base;
        }

        @Override
        public long nextOffset() {
            return next;
        }

        @Override
        public int sizeInBytes() {
            return bytes;
        }

        @Override
        public FileChannel channel() {
            return file;
        }

        @Override
        public long position() {
            return position;
        }

        @Override
        public boolean isCold() {
            return base == 0;
        }

        @Override
        public void load() {}

        @Override
        public void readFully(int from, ByteBuffer target) throws IOException {
            for (long at = position + from; target.hasRemaining(); ) {
                at += file.read(target, at);
            }
        }

        @Override
        protected void deallocate() {
            OPEN_SLICES.decrementAndGet();
        }

        @Override
        public ReferenceCounted touch(Object hint) {
            return this;
        }
    }

    private OffsetAndTimestamp find(java.util.function.Predicate<Record> wanted) {
        try {
            LogSlice all = read(0, Integer.MAX_VALUE, Isolation.HIGH_WATERMARK);
            ByteBuffer bytes = ByteBuffer.allocate(all.sizeInBytes());
            all.readFully(0, bytes);
            for (Record record : MemoryRecords.readableRecords(bytes.flip()).records()) {
                if (wanted.test(record)) {
                    return new OffsetAndTimestamp(record.offset(), record.timestamp(), leaderEpoch());
                }
            }
            return null;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public CompletionStage<OffsetAndTimestamp> offsetForTimestamp(long timestamp) {
        return CompletableFuture.completedFuture(find(record -> record.timestamp() >= timestamp));
    }

    @Override
    public CompletionStage<OffsetAndTimestamp> maxTimestamp() {
        long[] max = {-1};
        find(record -> {
            max[0] = Math.max(max[0], record.timestamp());
            return false;
        });
        return CompletableFuture.completedFuture(find(record -> record.timestamp() == max[0]));
    }

    @Override
    public PartitionId id() {
        return id;
    }

    @Override
    public StreamInfo stream() {
        return info.get();
    }

    @Override
    public int leaderEpoch() {
        return 3;
    }

    @Override
    public long logStartOffset() {
        return 0;
    }

    @Override
    public long highWatermark() {
        return highWatermark;
    }

    @Override
    public long lastStableOffset() {
        return highWatermark;
    }

    @Override
    public long logEndOffset() {
        return end;
    }

    @Override
    public long sizeInBytes() {
        return size;
    }

    @Override
    public BatchView cachedBatch(long offset) {
        return null;
    }

    @Override
    public CompletionStage<BatchView> loadBatch(long offset, Executor executor) {
        throw new UnsupportedOperationException();
    }

    @Override
    public EpochEnd endOffsetFor(int leaderEpoch) {
        return leaderEpoch == leaderEpoch() ? new EpochEnd(leaderEpoch, highWatermark) : new EpochEnd(-1, -1);
    }

    @Override
    public long truncatePrefix(long newStart) {
        return 0;
    }

    @Override
    public CompletionStage<Long> dropDead(LiveOffsets live) {
        return CompletableFuture.completedFuture(0L);
    }

    @Override
    public void addAdvanceListener(AdvanceListener listener) {
        listeners.add(listener);
    }

    @Override
    public void removeAdvanceListener(AdvanceListener listener) {
        listeners.remove(listener);
    }
}
