package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.engine.LogEngine;
import io.sluice.engine.ScratchSpace;
import io.sluice.engine.ShardId;
import io.sluice.engine.ShardLease;
import io.sluice.io.NoSpaceException;
import io.sluice.io.StorageFile;
import io.sluice.log.AdvanceListener;
import io.sluice.log.Durability;
import io.sluice.log.Isolation;
import io.sluice.log.LiveOffsets;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.log.record.BatchView;
import io.sluice.log.record.BuiltBatch;
import io.sluice.log.record.DecodedBatch;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/** An engine in memory with passes that complete late, no cache unless asked for, and copies that stand for a crash. */
final class MemoryEngine implements LogEngine {
    private final Map<StreamId, StreamInfo> streams = new ConcurrentHashMap<>();
    private final Map<PartitionId, Partition> partitions = new ConcurrentHashMap<>();
    private final List<DiskListener> listeners = new ArrayList<>();
    volatile boolean cached = true;
    volatile boolean holdSync;
    volatile boolean noSpace;
    /** No append finds space. */
    volatile boolean refuseAll;
    /** A sync failed: nothing is written any more. */
    volatile boolean fenced;

    /** The next append finds no space. */
    final AtomicBoolean refuseNext = new AtomicBoolean();

    volatile DiskState disk = DiskState.OK;
    private volatile Lease lease;

    /** What a crash of the process leaves: everything appended. */
    MemoryEngine afterCrash() {
        MemoryEngine copy = new MemoryEngine();
        synchronized (this) {
            copy.streams.putAll(streams);
            partitions.forEach((id, partition) -> copy.partitions.put(id, partition.copy(copy)));
        }
        return copy;
    }

    void disk(DiskState state) {
        disk = state;
        listeners.forEach(l -> l.changed(state));
    }

    void releaseSync() {
        holdSync = false;
        lease.sync();
    }

    /** Finishes the oldest pass in flight while syncs are held. */
    void releaseOne() {
        lease.syncOne();
    }

    @Override
    public String clusterId() {
        return "test";
    }

    @Override
    public int nodeId() {
        return 0;
    }

    @Override
    public boolean recovered() {
        return false;
    }

    @Override
    public ScratchSpace scratch() {
        return new ScratchSpace() {
            @Override
            public StorageFile create(String name) throws IOException {
                throw new NoSpaceException("no files here");
            }

            @Override
            public void delete(String name) {}
        };
    }

    @Override
    public CompletionStage<StreamInfo> createStream(StreamId id, String name, int count, StreamConfig config) {
        StreamInfo info = streams.computeIfAbsent(id, i -> new StreamInfo(i, name, count, config));
        for (int i = 0; i < count; i++) {
            partitions.computeIfAbsent(new PartitionId(id, i), p -> new Partition(this, p, info));
        }
        return CompletableFuture.completedFuture(info);
    }

    @Override
    public CompletionStage<Void> deleteStream(StreamId id) {
        streams.remove(id);
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public CompletionStage<StreamInfo> alterStream(StreamId id, StreamConfig config) {
        throw new UnsupportedOperationException();
    }

    @Override
    public CompletionStage<StreamInfo> addPartitions(StreamId id, int count) {
        throw new UnsupportedOperationException();
    }

    @Override
    public StreamInfo stream(StreamId id) {
        return streams.get(id);
    }

    @Override
    public Collection<StreamInfo> streams() {
        return streams.values();
    }

    @Override
    public LogPartition partition(PartitionId id) {
        return partitions.get(id);
    }

    @Override
    public ShardLease acquire(ShardId shard) {
        lease = new Lease();
        return lease;
    }

    @Override
    public Executor readerPool() {
        return ForkJoinPool.commonPool();
    }

    @Override
    public DiskState diskState() {
        return disk;
    }

    @Override
    public void onDiskState(DiskListener listener) {
        listeners.add(listener);
    }

    @Override
    public void close() {}

    private final class Lease implements ShardLease {
        private record InFlight(long number, boolean group, Runnable wakeUp) {}

        private final ArrayDeque<InFlight> inFlight = new ArrayDeque<>();
        private boolean staged;
        private boolean group;
        private long last;
        private long completed;
        private long polled;

        @Override
        public LogPartition writable(PartitionId id) {
            return partitions.get(id);
        }

        @Override
        public synchronized boolean hasStaged() {
            return staged;
        }

        synchronized void stage(Durability durability) {
            staged = true;
            group |= durability.compareTo(Durability.GROUP) >= 0;
        }

        @Override
        public synchronized boolean syncInFlight() {
            return polled < completed || inFlight.stream().anyMatch(InFlight::group);
        }

        @Override
        public synchronized long commit(Runnable wakeUp) {
            checkFence();
            last++;
            if (!group && inFlight.isEmpty()) {
                completed = last;
                polled = last;
            } else {
                inFlight.add(new InFlight(last, group, wakeUp));
                if (!holdSync) {
                    CompletableFuture.delayedExecutor(1, TimeUnit.MILLISECONDS).execute(this::sync);
                }
            }
            staged = false;
            group = false;
            return last;
        }

        private void checkFence() {
            if (fenced) {
                throw new LogException(LogException.Reason.FENCED, "the write-ahead log failed");
            }
        }

        void sync() {
            Runnable wakeUp = null;
            synchronized (this) {
                if (holdSync) {
                    return;
                }
                while (!inFlight.isEmpty()) {
                    InFlight first = inFlight.poll();
                    completed = first.number();
                    wakeUp = first.wakeUp();
                }
            }
            if (wakeUp != null) {
                wakeUp.run();
            }
        }

        void syncOne() {
            InFlight first;
            synchronized (this) {
                first = inFlight.poll();
                if (first == null) {
                    throw new IllegalStateException("nothing in flight");
                }
                completed = first.number();
            }
            first.wakeUp().run();
        }

        @Override
        public synchronized long poll() {
            checkFence();
            polled = completed;
            return completed;
        }

        @Override
        public boolean waitsForSpace() {
            return noSpace;
        }

        @Override
        public void release() {}
    }

    private record Stored(long base, long last, byte[] bytes) {}

    private static final class Partition implements LogPartition {
        private final MemoryEngine engine;
        private final PartitionId id;
        private final StreamInfo info;
        private final ArrayList<Stored> batches = new ArrayList<>();
        private long start;
        private long end;

        Partition(MemoryEngine engine, PartitionId id, StreamInfo info) {
            this.engine = engine;
            this.id = id;
            this.info = info;
        }

        synchronized Partition copy(MemoryEngine to) {
            Partition copy = new Partition(to, id, info);
            copy.batches.addAll(batches);
            copy.start = start;
            copy.end = end;
            return copy;
        }

        @Override
        public PartitionId id() {
            return id;
        }

        @Override
        public StreamInfo stream() {
            return info;
        }

        @Override
        public int leaderEpoch() {
            return 0;
        }

        @Override
        public synchronized long logStartOffset() {
            return start;
        }

        @Override
        public long highWatermark() {
            return logEndOffset();
        }

        @Override
        public long lastStableOffset() {
            return logEndOffset();
        }

        @Override
        public synchronized long logEndOffset() {
            return end;
        }

        @Override
        public synchronized long sizeInBytes() {
            return batches.stream().mapToLong(b -> b.bytes().length).sum();
        }

        @Override
        public synchronized Appended append(ByteBuf batch, Durability durability) {
            byte[] bytes = new byte[batch.readableBytes()];
            batch.readBytes(bytes);
            batch.release();
            Appended appended = new Appended(end, end, -1, false);
            batches.add(new Stored(end, end, bytes));
            end++;
            engine.lease.stage(durability);
            return appended;
        }

        @Override
        public synchronized Appended appendBuilt(BuiltBatch batch, Durability durability) {
            if (engine.refuseAll || engine.refuseNext.compareAndSet(true, false)) {
                batch.release();
                throw new LogException(LogException.Reason.DISK_FULL, "no space");
            }
            batch.assign(end, 0);
            byte[] bytes = new byte[batch.sizeInBytes()];
            batch.buffer().getBytes(batch.buffer().readerIndex(), bytes);
            Appended appended = new Appended(end, end + batch.recordCount() - 1, -1, false);
            batches.add(new Stored(end, appended.lastOffset(), bytes));
            end += batch.recordCount();
            batch.release();
            engine.lease.stage(durability);
            return appended;
        }

        @Override
        public synchronized LogSlice read(long offset, int maxBytes, Isolation isolation) {
            return new Slice(batches.stream().filter(b -> b.last() >= offset).toList(), offset);
        }

        @Override
        public BatchView cachedBatch(long offset) {
            return engine.cached ? decode(offset) : null;
        }

        @Override
        public CompletionStage<BatchView> loadBatch(long offset, Executor executor) {
            return CompletableFuture.supplyAsync(() -> decode(offset)).thenApplyAsync(b -> b, executor);
        }

        private synchronized BatchView decode(long offset) {
            for (Stored batch : batches) {
                if (offset >= batch.base() && offset <= batch.last()) {
                    ByteBuf bytes = PooledByteBufAllocator.DEFAULT.buffer().writeBytes(batch.bytes());
                    return DecodedBatch.decode(bytes, PooledByteBufAllocator.DEFAULT, Integer.MAX_VALUE);
                }
            }
            return null;
        }

        @Override
        public CompletionStage<OffsetAndTimestamp> offsetForTimestamp(long timestamp) {
            throw new UnsupportedOperationException();
        }

        @Override
        public CompletionStage<OffsetAndTimestamp> maxTimestamp() {
            throw new UnsupportedOperationException();
        }

        @Override
        public EpochEnd endOffsetFor(int leaderEpoch) {
            throw new UnsupportedOperationException();
        }

        @Override
        public synchronized long truncatePrefix(long newStart) {
            start = newStart;
            batches.removeIf(b -> b.last() < newStart);
            return start;
        }

        @Override
        public synchronized CompletionStage<Long> dropDead(LiveOffsets live) {
            long before = sizeInBytes();
            batches.removeIf(b -> !live.anyLive(b.base(), b.last()));
            return CompletableFuture.completedFuture(before - sizeInBytes());
        }

        @Override
        public void addAdvanceListener(AdvanceListener listener) {}

        @Override
        public void removeAdvanceListener(AdvanceListener listener) {}
    }

    private static final class Slice extends AbstractReferenceCounted implements LogSlice {
        private final List<Stored> batches;
        private final ByteBuf bytes;
        private final long asked;

        Slice(List<Stored> batches, long asked) {
            this.batches = batches;
            this.asked = asked;
            bytes = Unpooled.wrappedBuffer(batches.stream().map(Stored::bytes).toArray(byte[][]::new));
        }

        @Override
        public long baseOffset() {
            return batches.isEmpty() ? asked : batches.get(0).base();
        }

        @Override
        public long nextOffset() {
            return batches.isEmpty() ? asked : batches.get(batches.size() - 1).last() + 1;
        }

        @Override
        public int sizeInBytes() {
            return bytes.readableBytes();
        }

        @Override
        public FileChannel channel() {
            return null;
        }

        @Override
        public long position() {
            return 0;
        }

        @Override
        public boolean isCold() {
            return false;
        }

        @Override
        public void load() {}

        @Override
        public void readFully(int from, ByteBuffer target) {
            bytes.getBytes(from, target);
        }

        @Override
        protected void deallocate() {}

        @Override
        public ReferenceCounted touch(Object hint) {
            return this;
        }
    }
}
