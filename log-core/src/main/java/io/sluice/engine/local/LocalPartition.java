package io.sluice.engine.local;

import io.netty.buffer.ByteBuf;
import io.sluice.io.FileSystem;
import io.sluice.io.NoSpaceException;
import io.sluice.log.AdvanceListener;
import io.sluice.log.Durability;
import io.sluice.log.Isolation;
import io.sluice.log.LiveOffsets;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamInfo;
import io.sluice.log.producer.ProducerStates;
import io.sluice.log.record.BatchFormat;
import io.sluice.log.record.BatchView;
import io.sluice.log.record.BuiltBatch;
import io.sluice.log.record.GroupMark;
import io.sluice.log.recovery.EpochHistory;
import io.sluice.log.segment.CompactionState;
import io.sluice.log.segment.Segment;
import io.sluice.log.wal.WalPass;
import io.sluice.log.wal.WriteAheadLog.Mention;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A partition of the embedded engine; see {@link LogPartition} for which thread may call what. */
final class LocalPartition implements LogPartition {
    private static final Logger log = LoggerFactory.getLogger(LocalPartition.class);
    /** Size from which a segment that holds nothing but deleted records is worth a new file. */
    private static final long ROLL_EMPTIED_BYTES = 4L << 20;

    private final LocalLogEngine engine;
    private final PartitionId id;
    private final SegmentList segments;
    private final ProducerStates producers;
    private final BatchLoader loader;
    private final CopyOnWriteArrayList<AdvanceListener> listeners = new CopyOnWriteArrayList<>();
    private final StagedBatches staged = new StagedBatches();
    private final TailCache.Ring tail = new TailCache.Ring();
    private final AtomicBoolean mentioned = new AtomicBoolean();
    private volatile StreamInfo stream;
    private volatile EpochHistory epochs;
    private volatile int leaderEpoch;
    private volatile long logStart;
    private volatile long highWatermark;
    private volatile long writtenEnd;
    private volatile long nextOffset;
    private volatile long recoveryPoint;
    /** No batch of a group lies at or above this offset. */
    private volatile long markedEnd;
    // guarded by this
    private final List<Segment> removed = new ArrayList<>(0);
    // cleaner thread only
    private @Nullable CompactionState compaction;
    private volatile boolean closed;
    private volatile @Nullable LocalLease writer;

    LocalPartition(
            LocalLogEngine engine,
            PartitionId id,
            StreamInfo stream,
            SegmentList segments,
            ProducerStates producers,
            EpochHistory epochs,
            long logStart,
            long endOffset) {
        this.engine = engine;
        this.id = id;
        this.stream = stream;
        this.segments = segments;
        this.producers = producers;
        this.epochs = epochs;
        this.leaderEpoch = Math.max(0, epochs.last());
        this.logStart = logStart;
        this.nextOffset = endOffset;
        this.writtenEnd = endOffset;
        this.highWatermark = endOffset;
        this.loader = new BatchLoader(engine, this);
    }

    @Override
    public PartitionId id() {
        return id;
    }

    @Override
    public StreamInfo stream() {
        return stream;
    }

    void describe(StreamInfo info) {
        stream = info;
    }

    @Override
    public int leaderEpoch() {
        return leaderEpoch;
    }

    @Override
    public long logStartOffset() {
        return logStart;
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
        return nextOffset;
    }

    @Override
    public long sizeInBytes() {
        return segments.sizeInBytes();
    }

    SegmentList segments() {
        return segments;
    }

    ProducerStates producers() {
        return producers;
    }

    EpochHistory epochs() {
        return epochs;
    }

    /** Offset after the last record that is in the segments' files. */
    long writtenEnd() {
        return writtenEnd;
    }

    /** How far the partition is compacted. Cleaner thread. */
    CompactionState compaction(FileSystem files) throws IOException {
        CompactionState known = compaction;
        if (known == null) {
            known = CompactionState.read(files, segments.directory());
            compaction = known;
        }
        return known;
    }

    void compacted(CompactionState state) {
        compaction = state;
    }

    /** Offset below which a durable checkpoint says that the segments are synced. */
    long recoveryPoint() {
        return recoveryPoint;
    }

    synchronized void recoveryPoint(long offset) {
        recoveryPoint = offset;
        deleteRemoved(false);
    }

    /** True if the segments hold a part of a group that no checkpoint covers: the group must not lose it, or it counts as torn. */
    boolean holdsUncoveredGroup() {
        return markedEnd > recoveryPoint;
    }

    private boolean holdsUncoveredGroup(Segment segment) {
        return segment.nextOffset() > recoveryPoint && segment.baseOffset() < markedEnd;
    }

    /** True if files of deleted segments wait for a checkpoint. */
    synchronized boolean hasRemoved() {
        return !removed.isEmpty();
    }

    /** Deletes the files of deleted segments that the newest checkpoint covers, or all of them. */
    synchronized void deleteRemoved(boolean all) {
        Iterator<Segment> waiting = removed.iterator();
        while (waiting.hasNext()) {
            Segment segment = waiting.next();
            if (all || !holdsUncoveredGroup(segment)) {
                waiting.remove();
                engine.deleteLater(segment);
            }
        }
    }

    boolean isClosed() {
        return closed;
    }

    // ---- writing

    /** Makes {@code lease} the writer. */
    void claim(LocalLease lease) {
        LocalLease before = writer;
        if (before != null && !before.equals(lease) && before.isValid()) {
            throw new LogException(Reason.FENCED, "partition " + id + " is written by another shard");
        }
        writer = lease;
    }

    @Override
    public Appended append(ByteBuf batches, Durability durability) {
        boolean taken = false;
        try {
            LocalLease lease = writer();
            StreamConfig config = stream.config();
            int end = batches.writerIndex();
            int count = 0;
            for (int at = batches.readerIndex(); at < end; at += BatchFormat.sizeInBytes(batches, at)) {
                checkSize(BatchFormat.sizeInBytes(batches, at), config);
                count++;
                if (BatchFormat.producerId(batches, at) >= 0) {
                    ProducerStates.Duplicate duplicate = producers.check(batches, at);
                    if (duplicate != null) {
                        if (count > 1 || at + BatchFormat.sizeInBytes(batches, at) < end) {
                            throw new LogException(
                                    Reason.OUT_OF_ORDER_SEQUENCE, "repeated sequence among several batches");
                        }
                        return new Appended(duplicate.baseOffset(), duplicate.lastOffset(), -1, true);
                    }
                }
            }
            long now = engine.clock().epochMillis();
            long first = nextOffset;
            long next = first;
            boolean group = group(durability, config);
            boolean firstOfPass = staged.size() == 0;
            for (int at = batches.readerIndex(); at < end; ) {
                int size = BatchFormat.sizeInBytes(batches, at);
                BatchFormat.assign(batches, at, next, leaderEpoch);
                if (config.logAppendTime()) {
                    BatchFormat.stampAppendTime(batches, at, now);
                }
                long last = BatchFormat.lastOffset(batches, at);
                producers.appended(batches, at, now);
                staged.add(batches, at, size, next, last, BatchFormat.maxTimestamp(batches, at), group);
                taken = true;
                next = last + 1;
                at += size;
                if (at < end) {
                    batches.retain();
                }
            }
            nextOffset = next;
            if (firstOfPass) {
                lease.staged(this);
            }
            return new Appended(first, next - 1, config.logAppendTime() ? now : -1, false);
        } finally {
            if (!taken) {
                batches.release();
            }
        }
    }

    @Override
    public Appended appendBuilt(BuiltBatch batch, Durability durability) {
        boolean taken = false;
        try {
            LocalLease lease = writer();
            StreamConfig config = stream.config();
            int size = batch.sizeInBytes();
            checkSize(size, config);
            long first = nextOffset;
            batch.assign(first, leaderEpoch);
            long appendTime = -1;
            if (config.logAppendTime()) {
                appendTime = engine.clock().epochMillis();
                batch.stampAppendTime(appendTime);
            }
            long last = batch.lastOffset();
            boolean firstOfPass = staged.size() == 0;
            staged.add(batch, first, last, group(durability, config));
            taken = true;
            lease.tailCache().add(tail, batch);
            nextOffset = last + 1;
            if (firstOfPass) {
                lease.staged(this);
            }
            return new Appended(first, last, appendTime, false);
        } finally {
            if (!taken) {
                batch.release();
            }
        }
    }

    private LocalLease writer() {
        LocalLease lease = writer;
        if (closed) {
            throw new LogException(Reason.CLOSED, "partition " + id + " is closed");
        }
        if (lease == null || !lease.isValid()) {
            throw new LogException(Reason.FENCED, "partition " + id + " has no writer");
        }
        lease.checkSpace(stream.config());
        return lease;
    }

    private static boolean group(Durability durability, StreamConfig config) {
        Durability override = config.durability();
        return (override == null ? durability : override).compareTo(Durability.GROUP) >= 0;
    }

    private static void checkSize(int size, StreamConfig config) {
        if (size > config.maxBatchBytes()) {
            throw new LogException(
                    Reason.BATCH_TOO_LARGE, "record batch of " + size + " bytes, limit is " + config.maxBatchBytes());
        }
    }

    /** What is staged; nothing in a partition that is closed, since that is not written. */
    @Nullable
    StagedBatches toBeWritten() {
        return closed ? null : staged;
    }

    /**
     * Completes the batches staged; see {@link StagedBatches#seal}.
     *
     * @param mark of the group that they belong to
     */
    void seal(long mark, boolean log) {
        boolean marked = GroupMark.isMark(mark) && staged.builtCount() > 0;
        staged.seal(mark, log);
        if (marked) {
            markedEnd = nextOffset;
        }
    }

    /** Puts the GROUP batches staged into the pass. */
    void collect(WalPass pass) {
        staged.collect(id, pass);
    }

    long stagedBytes() {
        return staged.bytes();
    }

    /**
     * Writes what is staged to the segments and returns the end offset.
     *
     * @throws NoSpaceException if space ran out: the rest stays staged for the next call
     */
    long writeStaged(SegmentWriter writer) throws IOException {
        boolean unlogged = staged.hasUnlogged();
        boolean waits = false;
        try {
            if (!closed) {
                writer.write(segments, staged, stream.config());
            }
        } catch (NoSpaceException e) {
            waits = true;
            throw e;
        } finally {
            if (!waits) {
                staged.clear();
            }
        }
        writtenEnd = nextOffset;
        if (unlogged && mentioned.compareAndSet(false, true)) {
            engine.mention(this);
        }
        return nextOffset;
    }

    void dropStaged() {
        staged.clear();
    }

    /** What the next log entry must say about offsets visible without it. Sync thread. */
    Mention takeMention() {
        mentioned.set(false);
        return new Mention(id, writtenEnd);
    }

    void advance(long end) {
        if (end > highWatermark) {
            highWatermark = end;
            for (AdvanceListener listener : listeners) {
                listener.advanced(this, end);
            }
        }
    }

    // ---- recovery

    /** Appends a batch of the write-ahead log that the segments lack. */
    void recover(SegmentWriter writer, ByteBuf bytes, int at, int length) throws IOException {
        long base = BatchFormat.baseOffset(bytes, at);
        if (base < writtenEnd) {
            return;
        }
        int epoch = BatchFormat.leaderEpoch(bytes, at);
        if (epoch > epochs.last()) {
            epochs = epochs.with(epoch, base);
        }
        long last = BatchFormat.lastOffset(bytes, at);
        producers.appended(bytes, at, engine.clock().epochMillis());
        staged.add(bytes.retain(), at, length, base, last, BatchFormat.maxTimestamp(bytes, at), true);
        writer.write(segments, staged, stream.config());
        staged.clear();
        writtenEnd = last + 1;
        nextOffset = last + 1;
        highWatermark = last + 1;
    }

    /** After an unclean stop: starts a new epoch above every offset that may have been seen. */
    void startEpoch(long atLeast) {
        long start = Math.max(nextOffset, atLeast);
        nextOffset = start;
        writtenEnd = start;
        highWatermark = start;
        leaderEpoch = Math.max(0, epochs.last() + 1);
        epochs = epochs.with(leaderEpoch, start);
    }

    void close() {
        closed = true;
    }

    // ---- reading

    @Override
    public LogSlice read(long offset, int maxBytes, Isolation isolation) {
        if (closed) {
            throw new LogException(Reason.CLOSED, "partition " + id + " is closed");
        }
        long bound = isolation == Isolation.LOG_END ? writtenEnd : highWatermark;
        if (offset < logStart || offset > bound) {
            throw new LogException(
                    Reason.OFFSET_OUT_OF_RANGE, "offset " + offset + " is not within " + logStart + " and " + bound);
        }
        if (offset == bound) {
            return Segment.empty(offset);
        }
        try {
            return segments.read(offset, maxBytes, bound, engine.settings().warmBytes());
        } catch (IOException e) {
            if (offset < logStart) {
                throw new LogException(Reason.OFFSET_OUT_OF_RANGE, "offset " + offset + " was deleted");
            }
            throw new LogException(Reason.IO_ERROR, "reading " + id + " failed: " + e.getMessage(), e);
        }
    }

    @Override
    public @Nullable BatchView cachedBatch(long offset) {
        BuiltBatch batch = tail.find(offset);
        return batch == null ? engine.decodedCache().find(id, offset) : batch.retain();
    }

    @Override
    public CompletionStage<@Nullable BatchView> loadBatch(long offset, Executor executor) {
        return loader.load(offset, executor);
    }

    @Override
    public CompletionStage<@Nullable OffsetAndTimestamp> offsetForTimestamp(long timestamp) {
        return loader.offsetForTimestamp(timestamp);
    }

    @Override
    public CompletionStage<@Nullable OffsetAndTimestamp> maxTimestamp() {
        return loader.maxTimestamp();
    }

    @Override
    public EpochEnd endOffsetFor(int epoch) {
        return epochs.endOf(epoch, highWatermark);
    }

    @Override
    public long truncatePrefix(long newStart) {
        long start = Math.min(newStart, highWatermark);
        if (start == nextOffset && start > logStart) {
            rollEmptied();
        }
        raiseLogStart(start);
        return logStart;
    }

    @Override
    public CompletionStage<Long> dropDead(LiveOffsets live) {
        return engine.dropDead(this, live);
    }

    /** Nothing in the active segment is needed any more: a new one lets its space go. */
    private void rollEmptied() {
        long worth = engine.growth() == DiskWatch.Growth.ALL ? ROLL_EMPTIED_BYTES : ROLL_EMPTIED_BYTES / 64;
        if (segments.active().size() < worth) {
            return;
        }
        try {
            segments.roll(nextOffset, engine.clock());
        } catch (IOException e) {
            log.warn("No new segment for {}, the space of the old one stays taken: {}", this, e.toString());
        }
    }

    /** Moves the start up and drops the segments below it. */
    synchronized void raiseLogStart(long start) {
        if (start > logStart) {
            logStart = start;
            epochs = epochs.from(start);
            removed.addAll(segments.removeBelow(start));
            deleteRemoved(false);
            if (!removed.isEmpty() && engine.growth() != DiskWatch.Growth.ALL) {
                engine.checkpointSoon();
            }
        }
    }

    @Override
    public void addAdvanceListener(AdvanceListener listener) {
        listeners.add(listener);
    }

    @Override
    public void removeAdvanceListener(AdvanceListener listener) {
        listeners.remove(listener);
    }

    @Override
    public String toString() {
        return stream.name() + "-" + id.index();
    }
}
