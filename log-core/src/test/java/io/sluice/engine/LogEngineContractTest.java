package io.sluice.engine;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.io.LeakReports;
import io.sluice.log.AdvanceListener;
import io.sluice.log.Durability;
import io.sluice.log.Isolation;
import io.sluice.log.LiveOffsets;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.LogPartition.Appended;
import io.sluice.log.LogPartition.EpochEnd;
import io.sluice.log.LogPartition.OffsetAndTimestamp;
import io.sluice.log.LogSlice;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.log.record.BatchBuilder;
import io.sluice.log.record.BatchFormat;
import io.sluice.log.record.BatchView;
import io.sluice.log.record.BuiltBatch;
import io.sluice.message.RecordView;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What every {@link LogEngine} promises to shards and doors. An engine's own test says how it is opened, killed and broken. */
@Timeout(60)
public abstract class LogEngineContractTest {
    private static final StreamId STREAM = new StreamId(new UUID(1, 1));
    private static final StreamId OTHER = new StreamId(new UUID(1, 2));
    private static final StreamId JOURNAL = new StreamId(new UUID(1, 3));
    private static final long TIME = 1_700_000_000_000L;

    private final BatchBuilder builder = new BatchBuilder(UnpooledByteBufAllocator.DEFAULT);
    private LogEngine engine;
    private ShardLease lease;

    /** Opens the engine on what is stored. */
    protected abstract LogEngine open() throws Exception;

    /** Kills the engine as hard as it promises to survive; {@link #open} then opens what is left. */
    protected abstract void kill(LogEngine running) throws Exception;

    /** Waits until a stage is done, letting the engine's threads work. */
    protected abstract void await(CompletionStage<?> stage) throws Exception;

    /** Keeps a sync from coming to its end until {@link #letSyncsEnd}. */
    protected abstract void holdSyncs();

    protected abstract void letSyncsEnd();

    /** From now on no write or sync works. */
    protected abstract void breakDisk();

    /** Free space as the engine sees it from now on, in what it was configured to call too little, and lets it look. */
    protected abstract void fillDisk();

    protected abstract void emptyDisk();

    @BeforeEach
    void start() throws Exception {
        LeakReports.start();
        engine = open();
        lease = engine.acquire(ShardId.CORE);
    }

    @AfterEach
    void stop() {
        lease.release();
        engine.close();
        // a leak is found when nothing refers to it
        lease = null;
        engine = null;
        LeakReports.assertNone();
    }

    private void restart() throws Exception {
        lease.release();
        engine.close();
        engine = open();
        lease = engine.acquire(ShardId.CORE);
    }

    private void crash() throws Exception {
        kill(engine);
        lease.release();
        engine = open();
        lease = engine.acquire(ShardId.CORE);
    }

    private <T> T get(CompletionStage<T> stage) throws Exception {
        await(stage);
        return stage.toCompletableFuture().get();
    }

    private LogPartition create(StreamId id, StreamConfig config) throws Exception {
        get(engine.createStream(id, "s" + id.uuid().getLeastSignificantBits(), 1, config));
        return partition(id);
    }

    private LogPartition create() throws Exception {
        return create(STREAM, StreamConfig.DEFAULT);
    }

    private LogPartition partition(StreamId id) {
        LogPartition partition = lease.writable(new PartitionId(id, 0));
        assertThat(partition).isNotNull();
        return partition;
    }

    private BuiltBatch batch(String... values) {
        for (String value : values) {
            builder.add(TIME, null, value.getBytes(UTF_8));
        }
        return builder.finish();
    }

    private Appended append(LogPartition to, Durability durability, String... values) {
        return to.appendBuilt(batch(values), durability);
    }

    /** Ends the pass and waits until it is complete. */
    private void commit() throws Exception {
        complete(lease.commit(this::wakeUp));
    }

    private volatile CompletableFuture<Void> woken = new CompletableFuture<>();

    private void wakeUp() {
        woken.complete(null);
    }

    private void complete(long pass) throws Exception {
        while (true) {
            CompletableFuture<Void> next = new CompletableFuture<>();
            CompletableFuture<Void> before = woken;
            if (lease.poll() >= pass) {
                return;
            }
            await(before);
            woken = next;
        }
    }

    private List<String> values(LogPartition partition, long from, int maxBytes, Isolation isolation) throws Exception {
        List<String> values = new ArrayList<>();
        LogSlice slice = partition.read(from, maxBytes, isolation);
        try {
            ByteBuffer bytes = ByteBuffer.allocate(slice.sizeInBytes());
            slice.readFully(0, bytes);
            ByteBuf buffer = Unpooled.wrappedBuffer(bytes.flip());
            long next = slice.baseOffset();
            int at = 0;
            while (at < buffer.writerIndex()) {
                assertThat(BatchFormat.baseOffset(buffer, at)).isEqualTo(next);
                next = BatchFormat.lastOffset(buffer, at) + 1;
                values.addAll(records(partition, BatchFormat.baseOffset(buffer, at)));
                at += BatchFormat.sizeInBytes(buffer, at);
            }
            assertThat(at).isEqualTo(slice.sizeInBytes());
            assertThat(slice.nextOffset()).isEqualTo(next);
        } finally {
            slice.release();
        }
        return values;
    }

    private List<String> records(LogPartition partition, long base) throws Exception {
        BatchView view = get(partition.loadBatch(base, Runnable::run));
        assertThat(view).isNotNull();
        try {
            List<String> values = new ArrayList<>();
            RecordView record = new RecordView();
            for (long offset = view.baseOffset(); offset <= view.lastOffset(); offset++) {
                assertThat(view.record(offset, record)).isTrue();
                values.add(offset + "=" + record.valueSlice().toString(UTF_8));
            }
            return values;
        } finally {
            view.release();
        }
    }

    private List<String> all(LogPartition partition) throws Exception {
        return values(partition, partition.logStartOffset(), 1 << 20, Isolation.HIGH_WATERMARK);
    }

    private static void refused(Reason reason, ThrowingCallable call) {
        assertThatExceptionOfType(LogException.class)
                .isThrownBy(call)
                .satisfies(e -> assertThat(e.reason()).isEqualTo(reason));
    }

    // ---- appending and reading

    @Test
    void offsetsFollowEachOtherAndWhatWasAppendedIsReadBack() throws Exception {
        LogPartition partition = create();
        assertThat(partition.logEndOffset()).isZero();
        assertThat(partition.highWatermark()).isZero();
        Appended first = append(partition, Durability.GROUP, "a", "b");
        Appended second = append(partition, Durability.GROUP, "c");
        assertThat(first).isEqualTo(new Appended(0, 1, -1, false));
        assertThat(second).isEqualTo(new Appended(2, 2, -1, false));
        assertThat(partition.logEndOffset()).isEqualTo(3);
        commit();

        assertThat(partition.highWatermark()).isEqualTo(3);
        assertThat(partition.lastStableOffset()).isEqualTo(3);
        assertThat(all(partition)).containsExactly("0=a", "1=b", "2=c");
        assertThat(partition.sizeInBytes()).isPositive();
    }

    @Test
    void encodedBatchesGetOffsetsAndStayOtherwiseAsTheyAre() throws Exception {
        LogPartition partition = create();
        append(partition, Durability.OS, "before");
        BuiltBatch built = batch("a", "b");
        ByteBuf encoded = Unpooled.copiedBuffer(built.buffer());
        built.release();
        ByteBuf sent = encoded.copy();
        assertThat(partition.append(sent, Durability.OS)).isEqualTo(new Appended(1, 2, -1, false));
        commit();

        LogSlice slice = partition.read(1, 1 << 20, Isolation.HIGH_WATERMARK);
        ByteBuffer bytes = ByteBuffer.allocate(slice.sizeInBytes());
        slice.readFully(0, bytes);
        slice.release();
        ByteBuf stored = Unpooled.wrappedBuffer(bytes.flip());
        assertThat(BatchFormat.baseOffset(stored, 0)).isEqualTo(1);
        int fixed = BatchFormat.ATTRIBUTES;
        assertThat(stored.slice(fixed, stored.writerIndex() - fixed))
                .isEqualTo(encoded.slice(fixed, encoded.writerIndex() - fixed));
        encoded.release();
    }

    @Test
    void slicesEndBeforeTheirLimitButHoldOneBatchWhole() throws Exception {
        LogPartition partition = create();
        for (int i = 0; i < 10; i++) {
            append(partition, Durability.OS, "a" + i, "b" + i);
        }
        commit();
        LogSlice whole = partition.read(0, 1 << 20, Isolation.HIGH_WATERMARK);
        int one = whole.sizeInBytes() / 10;
        assertThat(whole.nextOffset()).isEqualTo(20);
        whole.release();

        assertThat(values(partition, 4, 1, Isolation.HIGH_WATERMARK)).containsExactly("4=a2", "5=b2");
        assertThat(values(partition, 5, 1, Isolation.HIGH_WATERMARK))
                .as("the batch that holds the offset")
                .containsExactly("4=a2", "5=b2");
        assertThat(values(partition, 4, 3 * one + one - 1, Isolation.HIGH_WATERMARK))
                .hasSize(6)
                .startsWith("4=a2")
                .endsWith("9=b4");
        LogSlice atEnd = partition.read(20, 100, Isolation.HIGH_WATERMARK);
        assertThat(atEnd.sizeInBytes()).isZero();
        assertThat(atEnd.baseOffset()).isEqualTo(20);
        assertThat(atEnd.nextOffset()).isEqualTo(20);
        atEnd.release();
        refused(Reason.OFFSET_OUT_OF_RANGE, () -> partition.read(21, 100, Isolation.HIGH_WATERMARK));
    }

    @Test
    void nothingIsVisibleBeforeItsPassIsDurable() throws Exception {
        LogPartition partition = create();
        append(partition, Durability.GROUP, "a");
        commit();
        List<Long> advances = new ArrayList<>();
        AdvanceListener listener = (moved, mark) -> advances.add(mark);
        partition.addAdvanceListener(listener);

        append(partition, Durability.GROUP, "b");
        assertThat(lease.hasStaged()).isTrue();
        holdSyncs();
        long group = lease.commit(this::wakeUp);
        append(partition, Durability.OS, "c");
        long behind = lease.commit(this::wakeUp);
        assertThat(behind).isEqualTo(group + 1);
        assertThat(lease.hasStaged()).isFalse();
        assertThat(lease.syncInFlight()).isTrue();
        assertThat(lease.poll()).as("passes complete in order").isLessThan(group);
        assertThat(partition.highWatermark()).isEqualTo(1);
        assertThat(partition.logEndOffset()).isEqualTo(3);
        assertThat(all(partition)).containsExactly("0=a");
        refused(Reason.OFFSET_OUT_OF_RANGE, () -> partition.read(2, 100, Isolation.HIGH_WATERMARK));
        assertThat(advances).isEmpty();

        letSyncsEnd();
        complete(behind);
        assertThat(lease.syncInFlight()).isFalse();
        assertThat(partition.highWatermark()).isEqualTo(3);
        assertThat(all(partition)).containsExactly("0=a", "1=b", "2=c");
        assertThat(advances).isSorted().endsWith(3L);

        partition.removeAdvanceListener(listener);
        int before = advances.size();
        append(partition, Durability.OS, "d");
        assertThat(lease.commit(this::wakeUp)).isEqualTo(lease.poll());
        assertThat(partition.highWatermark()).as("without a sync at once").isEqualTo(4);
        assertThat(advances).hasSize(before);
    }

    @Test
    void batchesAreInMemoryOrCanBeLoaded() throws Exception {
        LogPartition partition = create();
        append(partition, Durability.GROUP, "a", "b");
        commit();
        BatchView cached = partition.cachedBatch(1);
        assertThat(cached).isNotNull();
        assertThat(cached.baseOffset()).isZero();
        assertThat(cached.recordCount()).isEqualTo(2);
        cached.release();
        assertThat(partition.cachedBatch(2)).isNull();
        assertThat(get(partition.loadBatch(2, Runnable::run))).isNull();
        assertThat(records(partition, 1)).containsExactly("0=a", "1=b");
    }

    @Test
    void aTooLargeBatchIsRefusedAndLeavesNoHole() throws Exception {
        StreamConfig small = new StreamConfig(1 << 20, 1 << 30, -1, -1, false, true, 200, false, null);
        LogPartition partition = create(STREAM, small);
        refused(Reason.BATCH_TOO_LARGE, () -> append(partition, Durability.GROUP, "x".repeat(200)));
        assertThat(append(partition, Durability.GROUP, "a").baseOffset()).isZero();
        commit();
        assertThat(all(partition)).containsExactly("0=a");
    }

    @Test
    void aRepeatedSequenceIsAnsweredAndNotStoredAgainAlsoAfterACrash() throws Exception {
        LogPartition partition = create();
        assertThat(partition.append(sequenced(0), Durability.GROUP)).isEqualTo(new Appended(0, 0, -1, false));
        assertThat(partition.append(sequenced(1), Durability.GROUP)).isEqualTo(new Appended(1, 1, -1, false));
        commit();
        assertThat(partition.append(sequenced(1), Durability.GROUP)).isEqualTo(new Appended(1, 1, -1, true));
        refused(Reason.OUT_OF_ORDER_SEQUENCE, () -> partition.append(sequenced(7), Durability.GROUP));
        commit();

        crash();
        LogPartition again = partition(STREAM);
        assertThat(again.append(sequenced(1), Durability.GROUP)).isEqualTo(new Appended(1, 1, -1, true));
        assertThat(all(again)).containsExactly("0=p0", "1=p1");
    }

    private ByteBuf sequenced(int sequence) {
        BuiltBatch built = batch("p" + sequence);
        ByteBuf bytes = Unpooled.copiedBuffer(built.buffer());
        built.release();
        bytes.setLong(BatchFormat.PRODUCER_ID, 55);
        bytes.setShort(BatchFormat.PRODUCER_EPOCH, 0);
        bytes.setInt(BatchFormat.BASE_SEQUENCE, sequence);
        bytes.setInt(
                BatchFormat.CRC,
                BatchFormat.crc32c(bytes, BatchFormat.ATTRIBUTES, bytes.writerIndex() - BatchFormat.ATTRIBUTES));
        return bytes;
    }

    // ---- looking up by time

    @Test
    void theFirstRecordAtOrAfterATimeIsFoundAndTheNewest() throws Exception {
        LogPartition partition = create(STREAM, segments(400));
        assertThat(get(partition.maxTimestamp())).isNull();
        assertThat(get(partition.offsetForTimestamp(0))).isNull();
        long[] times = {TIME + 10, TIME + 30, TIME + 20, TIME + 50, TIME + 40, TIME + 60, TIME + 60};
        for (long time : times) {
            builder.add(time, null, "x".repeat(100).getBytes(UTF_8));
            partition.appendBuilt(builder.finish(), Durability.OS);
        }
        commit();
        int epoch = partition.leaderEpoch();
        assertThat(get(partition.offsetForTimestamp(0))).isEqualTo(new OffsetAndTimestamp(0, TIME + 10, epoch));
        assertThat(get(partition.offsetForTimestamp(TIME + 20)))
                .as("by offset, not by time")
                .isEqualTo(new OffsetAndTimestamp(1, TIME + 30, epoch));
        assertThat(get(partition.offsetForTimestamp(TIME + 41))).isEqualTo(new OffsetAndTimestamp(3, TIME + 50, epoch));
        assertThat(get(partition.offsetForTimestamp(TIME + 60))).isEqualTo(new OffsetAndTimestamp(5, TIME + 60, epoch));
        assertThat(get(partition.offsetForTimestamp(TIME + 61))).isNull();
        assertThat(get(partition.maxTimestamp())).isEqualTo(new OffsetAndTimestamp(5, TIME + 60, epoch));
    }

    private static StreamConfig segments(int bytes) {
        return new StreamConfig(bytes, 1 << 30, -1, -1, false, true, 1 << 20, false, null);
    }

    // ---- deleting

    @Test
    void aDeletedPrefixIsGoneForGoodAndOffsetsGoOn() throws Exception {
        LogPartition partition = create(STREAM, segments(200));
        for (int i = 0; i < 8; i++) {
            append(partition, Durability.GROUP, "x".repeat(60) + i);
        }
        commit();
        long before = partition.sizeInBytes();
        assertThat(partition.truncatePrefix(5)).isEqualTo(5);
        assertThat(partition.truncatePrefix(3)).as("never back").isEqualTo(5);
        assertThat(partition.logStartOffset()).isEqualTo(5);
        assertThat(partition.sizeInBytes()).isLessThan(before);
        refused(Reason.OFFSET_OUT_OF_RANGE, () -> partition.read(4, 100, Isolation.HIGH_WATERMARK));
        assertThat(get(partition.loadBatch(4, Runnable::run))).isNull();
        assertThat(all(partition)).hasSize(1).allMatch(v -> v.startsWith("5="));
        assertThat(partition.truncatePrefix(100))
                .as("not above the high watermark")
                .isEqualTo(8);

        restart();
        LogPartition again = partition(STREAM);
        assertThat(again.logStartOffset()).isEqualTo(8);
        assertThat(append(again, Durability.GROUP, "y").baseOffset()).isEqualTo(8);
    }

    @Test
    void deadBatchesGoAndAllOthersKeepTheirOffsets() throws Exception {
        LogPartition partition = create(STREAM, segments(10_000));
        appendRuns(partition, 100);
        // the segments that take no more appends are on disk now
        restart();
        partition = partition(STREAM);
        long before = partition.sizeInBytes();
        LogSlice reading = partition.read(0, 5_000, Isolation.HIGH_WATERMARK);
        long live = 3 * LiveOffsets.RUN;
        long alsoLive = 40 * LiveOffsets.RUN;
        LiveOffsets known =
                new LiveOffsets.Builder().add(live).add(alsoLive + 5).build(90 * LiveOffsets.RUN);
        long won = get(partition.dropDead(known));
        assertThat(won).isPositive().isEqualTo(before - partition.sizeInBytes());
        checkRunsLeft(partition, live, alsoLive);
        // a slice handed out is still whole
        assertThat(reading.baseOffset()).isZero();
        ByteBuffer bytes = ByteBuffer.allocate(reading.sizeInBytes());
        reading.readFully(0, bytes);
        assertThat(BatchFormat.isCrcValid(
                        Unpooled.wrappedBuffer(bytes.flip()),
                        0,
                        BatchFormat.sizeInBytes(Unpooled.wrappedBuffer(bytes), 0)))
                .isTrue();
        reading.release();
        assertThat(get(partition.dropDead(known))).as("nothing more to win").isZero();

        crash();
        partition = partition(STREAM);
        checkRunsLeft(partition, live, alsoLive);
        assertThat(append(partition, Durability.GROUP, "next").baseOffset())
                .isGreaterThanOrEqualTo(100L * LiveOffsets.RUN);
        commit();
    }

    /** Batches of 8 records. */
    private void appendRuns(LogPartition partition, int runs) throws Exception {
        for (int i = 0; i < runs * LiveOffsets.RUN / 8; i++) {
            append(partition, Durability.GROUP, "a", "b", "c", "d", "e", "f", "g", "h");
            if (i % 50 == 0) {
                commit();
            }
        }
        commit();
        assertThat(partition.highWatermark()).isEqualTo((long) runs * LiveOffsets.RUN);
    }

    private void checkRunsLeft(LogPartition partition, long... runs) throws Exception {
        assertThat(partition.logStartOffset()).isZero();
        long next = 0;
        for (long run : runs) {
            for (long offset = run; offset < run + LiveOffsets.RUN; offset += 8) {
                LogSlice slice = partition.read(Math.min(next, offset), 1, Isolation.HIGH_WATERMARK);
                assertThat(slice.baseOffset()).isEqualTo(offset);
                next = slice.nextOffset();
                slice.release();
                assertThat(records(partition, offset)).startsWith(offset + "=a", offset + 1 + "=b");
            }
        }
        assertThat(partition.sizeInBytes()).isLessThan(50_000);
        // nobody knows whether these are dead
        assertThat(records(partition, 90 * LiveOffsets.RUN)).isNotEmpty();
        assertThat(records(partition, 100 * LiveOffsets.RUN - 8)).isNotEmpty();
    }

    @Test
    void fewDeadBatchesAreNotWorthIt() throws Exception {
        LogPartition partition = create(STREAM, segments(10_000));
        appendRuns(partition, 30);
        restart();
        partition = partition(STREAM);
        long before = partition.sizeInBytes();
        LiveOffsets.Builder half = new LiveOffsets.Builder();
        for (int run = 0; run < 30; run += 2) {
            half.add((long) run * LiveOffsets.RUN);
        }
        assertThat(get(partition.dropDead(half.build(30 * LiveOffsets.RUN)))).isZero();
        assertThat(partition.sizeInBytes()).isEqualTo(before);
    }

    @Test
    void deadBatchesGoWhileTheDiskIsFullAndNotWhenItFailed() throws Exception {
        LogPartition partition = create(STREAM, segments(10_000));
        appendRuns(partition, 100);
        restart();
        partition = partition(STREAM);
        fillDisk();
        assertThat(engine.diskState()).isEqualTo(DiskState.FULL);
        LiveOffsets known = new LiveOffsets.Builder().add(5).build(50 * LiveOffsets.RUN);
        assertThat(get(partition.dropDead(known))).isPositive();
        emptyDisk();
        append(partition, Durability.GROUP, "lost");
        breakDisk();
        woken = new CompletableFuture<>();
        try {
            lease.commit(this::wakeUp);
            await(woken);
        } catch (LogException e) {
            assertThat(e.reason()).isEqualTo(Reason.FENCED);
        }
        assertThat(engine.diskState()).isEqualTo(DiskState.FAILED);
        LiveOffsets all = new LiveOffsets.Builder().build(100 * LiveOffsets.RUN);
        assertThat(get(partition.dropDead(all))).isZero();
    }

    @Test
    void streamsAreCreatedOnceAlteredGrownAndDeleted() throws Exception {
        StreamInfo made = get(engine.createStream(STREAM, "orders", 2, StreamConfig.DEFAULT));
        assertThat(get(engine.createStream(STREAM, "other", 5, StreamConfig.COMPACTED)))
                .isEqualTo(made);
        assertThat(engine.stream(STREAM)).isEqualTo(new StreamInfo(STREAM, "orders", 2, StreamConfig.DEFAULT));
        assertThat(engine.partition(new PartitionId(STREAM, 2))).isNull();
        assertThat(lease.writable(new PartitionId(STREAM, 2))).isNull();
        StreamInfo grown = get(engine.addPartitions(STREAM, 3));
        assertThat(grown.partitions()).isEqualTo(3);
        StreamInfo altered = get(engine.alterStream(STREAM, segments(500)));
        assertThat(altered).isEqualTo(new StreamInfo(STREAM, "orders", 3, segments(500)));
        LogPartition last = lease.writable(new PartitionId(STREAM, 2));
        append(last, Durability.GROUP, "a");
        commit();

        crash();
        assertThat(engine.streams()).containsExactly(altered);
        LogPartition again = lease.writable(new PartitionId(STREAM, 2));
        assertThat(all(again)).containsExactly("0=a");
        get(engine.deleteStream(STREAM));
        get(engine.deleteStream(STREAM));
        assertThat(engine.stream(STREAM)).isNull();
        assertThat(engine.partition(again.id())).isNull();
        refused(Reason.CLOSED, () -> again.read(0, 100, Isolation.HIGH_WATERMARK));
        refused(Reason.CLOSED, () -> append(again, Durability.OS, "b"));
        CompletionStage<StreamInfo> unknown = engine.alterStream(STREAM, StreamConfig.DEFAULT);
        await(unknown.handle((info, error) -> error));
        assertThat(failure(unknown)).isEqualTo(Reason.STREAM_NOT_FOUND);

        crash();
        assertThat(engine.streams()).isEmpty();
    }

    // ---- stops and crashes

    @Test
    void aCleanStopKeepsEverythingAndTheEpoch() throws Exception {
        String cluster = engine.clusterId();
        LogPartition partition = create();
        append(partition, Durability.OS, "a");
        append(partition, Durability.GROUP, "b");
        commit();
        int epoch = partition.leaderEpoch();

        restart();
        assertThat(engine.recovered()).isFalse();
        assertThat(engine.clusterId()).isEqualTo(cluster);
        LogPartition again = partition(STREAM);
        assertThat(again.leaderEpoch()).isEqualTo(epoch);
        assertThat(again.highWatermark()).isEqualTo(2);
        assertThat(all(again)).containsExactly("0=a", "1=b");
    }

    @Test
    void aCrashKeepsWhatWasSyncedAndStartsAnEpochAboveAllThatWasSeen() throws Exception {
        LogPartition partition = create();
        int epoch = partition.leaderEpoch();
        append(partition, Durability.GROUP, "a", "b");
        commit();
        assertThat(partition.endOffsetFor(epoch)).isEqualTo(new EpochEnd(epoch, 2));
        assertThat(partition.endOffsetFor(epoch + 1)).isEqualTo(new EpochEnd(-1, -1));

        crash();
        assertThat(engine.recovered()).isTrue();
        LogPartition again = partition(STREAM);
        assertThat(again.leaderEpoch()).isEqualTo(epoch + 1);
        assertThat(again.highWatermark()).isEqualTo(2);
        assertThat(append(again, Durability.GROUP, "c").baseOffset()).isEqualTo(2);
        commit();
        assertThat(all(again)).containsExactly("0=a", "1=b", "2=c");
        assertThat(again.endOffsetFor(epoch)).isEqualTo(new EpochEnd(epoch, 2));
        assertThat(again.endOffsetFor(epoch + 1)).isEqualTo(new EpochEnd(epoch + 1, 3));
        assertThat(get(again.offsetForTimestamp(TIME)).leaderEpoch()).isEqualTo(epoch);
    }

    @Test
    void theGroupAppendsOfAPassSurviveTogetherAndInOrder() throws Exception {
        LogPartition first = create();
        LogPartition second = create(OTHER, StreamConfig.DEFAULT);
        for (int pass = 0; pass < 20; pass++) {
            append(first, Durability.GROUP, "a" + pass);
            append(second, Durability.GROUP, "b" + pass);
            append(first, Durability.GROUP, "c" + pass);
            if (pass < 19) {
                commit();
            }
        }
        // durable, though nobody was told
        woken = new CompletableFuture<>();
        lease.commit(this::wakeUp);
        await(woken);
        crash();
        List<String> one = all(partition(STREAM));
        List<String> two = all(partition(OTHER));
        assertThat(two).hasSize(20).startsWith("0=b0").endsWith("19=b19");
        assertThat(one).hasSize(40).startsWith("0=a0", "1=c0").endsWith("38=a19", "39=c19");
    }

    // ---- fencing

    @Test
    void aLaterLeaseFencesTheEarlier() throws Exception {
        LogPartition partition = create();
        append(partition, Durability.GROUP, "a");
        commit();
        ShardLease old = lease;
        lease = engine.acquire(ShardId.CORE);
        refused(Reason.FENCED, () -> append(partition, Durability.OS, "late"));
        refused(Reason.FENCED, () -> old.commit(() -> {}));
        refused(Reason.FENCED, old::poll);
        refused(Reason.FENCED, () -> old.writable(partition.id()));
        old.release();
        assertThat(append(partition(STREAM), Durability.GROUP, "b").baseOffset())
                .isEqualTo(1);
        commit();
        assertThat(all(partition)).containsExactly("0=a", "1=b");
    }

    @Test
    void oneShardWritesAPartition() throws Exception {
        create();
        ShardLease groups = engine.acquire(ShardId.GROUPS);
        refused(Reason.FENCED, () -> groups.writable(new PartitionId(STREAM, 0)));
        LogPartition own = create(OTHER, StreamConfig.DEFAULT);
        append(own, Durability.GROUP, "a");
        commit();
        lease.release();
        assertThat(groups.writable(new PartitionId(STREAM, 0))).isNotNull();
        groups.release();
        refused(Reason.FENCED, () -> append(own, Durability.OS, "b"));
    }

    @Test
    void aFailedSyncFencesWritersForGoodWhileReadersGoOn() throws Exception {
        LogPartition partition = create();
        append(partition, Durability.GROUP, "a");
        commit();
        List<DiskState> states = new ArrayList<>();
        engine.onDiskState(states::add);
        append(partition, Durability.GROUP, "b");
        breakDisk();
        woken = new CompletableFuture<>();
        try {
            lease.commit(this::wakeUp);
            await(woken);
        } catch (LogException e) {
            assertThat(e.reason()).isEqualTo(Reason.FENCED);
        }
        refused(Reason.FENCED, lease::poll);
        refused(Reason.FENCED, () -> append(partition, Durability.OS, "c"));
        refused(Reason.FENCED, () -> lease.commit(() -> {}));
        refused(Reason.FENCED, () -> engine.acquire(ShardId.GROUPS));
        CompletionStage<StreamInfo> made = engine.createStream(OTHER, "o", 1, StreamConfig.DEFAULT);
        await(made.handle((info, error) -> error));
        assertThat(failure(made)).isEqualTo(Reason.FENCED);
        assertThat(engine.diskState()).isEqualTo(DiskState.FAILED);
        assertThat(states).containsExactly(DiskState.FAILED);
        assertThat(partition.highWatermark()).isEqualTo(1);
        assertThat(all(partition)).containsExactly("0=a");

        crash();
        assertThat(all(partition(STREAM))).startsWith("0=a");
        assertThat(engine.diskState()).isEqualTo(DiskState.OK);
    }

    private static @Nullable Reason failure(CompletionStage<?> stage) {
        try {
            stage.toCompletableFuture().join();
            return null;
        } catch (CompletionException e) {
            return e.getCause() instanceof LogException refusal ? refusal.reason() : null;
        }
    }

    // ---- a full disk

    @Test
    void aFullDiskRefusesAppendsAndDeletesGoOn() throws Exception {
        LogPartition partition = create(STREAM, segments(200));
        LogPartition journal = create(JOURNAL, StreamConfig.JOURNAL);
        for (int i = 0; i < 4; i++) {
            append(partition, Durability.GROUP, "x".repeat(60) + i);
        }
        commit();
        List<DiskState> states = new ArrayList<>();
        engine.onDiskState(states::add);
        fillDisk();
        assertThat(engine.diskState()).isEqualTo(DiskState.FULL);
        refused(Reason.DISK_FULL, () -> append(partition, Durability.GROUP, "y"));
        refused(Reason.DISK_FULL, () -> append(partition, Durability.OS, "y"));
        assertThat(append(journal, Durability.GROUP, "settled").baseOffset()).isZero();
        commit();
        assertThat(all(journal)).containsExactly("0=settled");
        assertThat(all(partition)).hasSize(1);
        assertThat(partition.truncatePrefix(3)).isEqualTo(3);

        emptyDisk();
        assertThat(engine.diskState()).isEqualTo(DiskState.OK);
        assertThat(states).startsWith(DiskState.FULL).endsWith(DiskState.OK);
        assertThat(append(partition, Durability.GROUP, "y").baseOffset())
                .as("nothing was used up by refusals")
                .isEqualTo(4);
        commit();
        assertThat(partition.highWatermark()).isEqualTo(5);
    }
}
