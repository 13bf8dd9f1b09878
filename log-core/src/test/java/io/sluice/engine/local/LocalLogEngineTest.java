package io.sluice.engine.local;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.sluice.engine.ShardId;
import io.sluice.engine.ShardLease;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.SystemClock;
import io.sluice.log.Durability;
import io.sluice.log.Isolation;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.record.BatchBuilder;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class LocalLogEngineTest {
    @TempDir
    Path directory;

    private final StreamId stream = new StreamId(UUID.randomUUID());
    private final BatchBuilder builder = new BatchBuilder(PooledByteBufAllocator.DEFAULT);
    private final Semaphore wakeUps = new Semaphore(0);
    private LocalLogEngine engine;
    private ShardLease lease;

    @BeforeEach
    void open() {
        engine = LocalLogEngine.open(directory, settings(), new DiskFileSystem(), new SystemClock());
        lease = engine.acquire(ShardId.CORE);
    }

    @AfterEach
    void close() {
        lease.release();
        engine.close();
    }

    private static LocalLogSettings settings() {
        LocalLogSettings d = LocalLogSettings.DEFAULT;
        return new LocalLogSettings(
                1,
                1 << 20,
                0,
                d.checkpointBytes(),
                1 << 20,
                1 << 20,
                64 << 20,
                16,
                2,
                d.warmBytes(),
                0,
                d.compactionBytes(),
                d.producerIdleMillis(),
                0,
                0,
                0);
    }

    private LogPartition create(StreamConfig config) throws Exception {
        engine.createStream(stream, "orders", 1, config).toCompletableFuture().get(10, TimeUnit.SECONDS);
        return lease.writable(new PartitionId(stream, 0));
    }

    private long appendRecords(LogPartition partition, int from, int count, Durability durability) {
        for (int i = from; i < from + count; i++) {
            builder.add(1_000_000 + i, ("k" + i).getBytes(UTF_8), ("v" + i).getBytes(UTF_8));
        }
        return partition.appendBuilt(builder.finish(), durability).baseOffset();
    }

    private void commit() throws Exception {
        long pass = lease.commit(wakeUps::release);
        while (lease.poll() < pass) {
            assertThat(wakeUps.tryAcquire(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    private static List<String> values(LogPartition partition, long from, int maxBytes) throws Exception {
        List<String> values = new ArrayList<>();
        long next = from;
        while (next < partition.highWatermark()) {
            LogSlice slice = partition.read(next, maxBytes, Isolation.HIGH_WATERMARK);
            if (slice.sizeInBytes() == 0) {
                slice.release();
                break;
            }
            ByteBuffer bytes = ByteBuffer.allocate(slice.sizeInBytes());
            slice.readFully(0, bytes);
            MemoryRecords records = MemoryRecords.readableRecords(bytes.flip());
            for (Record record : records.records()) {
                record.ensureValid();
                if (record.offset() >= from) {
                    byte[] value = new byte[record.valueSize()];
                    record.value().get(value);
                    values.add(record.offset() + "=" + new String(value, UTF_8));
                }
            }
            assertThat(slice.nextOffset()).isGreaterThan(next);
            next = slice.nextOffset();
            slice.release();
        }
        return values;
    }

    @Test
    void appendsCommitsAndReads() throws Exception {
        LogPartition partition = create(StreamConfig.DEFAULT);
        List<Long> advances = new ArrayList<>();
        partition.addAdvanceListener((p, hw) -> advances.add(hw));
        assertThat(appendRecords(partition, 0, 10, Durability.GROUP)).isZero();
        assertThat(partition.highWatermark()).isZero();
        assertThat(lease.hasStaged()).isTrue();
        commit();
        assertThat(partition.highWatermark()).isEqualTo(10);
        assertThat(advances).containsExactly(10L);
        appendRecords(partition, 10, 5, Durability.OS);
        lease.commit(wakeUps::release);
        assertThat(partition.highWatermark()).isEqualTo(15);
        assertThat(values(partition, 7, 1 << 20))
                .containsExactly("7=v7", "8=v8", "9=v9", "10=v10", "11=v11", "12=v12", "13=v13", "14=v14");
        BatchView cached = partition.cachedBatch(12);
        RecordView view = new RecordView();
        assertThat(cached.record(12, view)).isTrue();
        assertThat(new String(view.keyBytes(), UTF_8)).isEqualTo("k12");
        cached.release();
        assertThatThrownBy(() -> partition.read(16, 100, Isolation.HIGH_WATERMARK))
                .isInstanceOf(LogException.class);
    }

    @Test
    void unsyncedOsBatchWaitsBehindGroupBatch() throws Exception {
        LogPartition partition = create(StreamConfig.DEFAULT);
        appendRecords(partition, 0, 1, Durability.GROUP);
        long first = lease.commit(wakeUps::release);
        assertThat(lease.syncInFlight()).isTrue();
        appendRecords(partition, 1, 1, Durability.OS);
        long second = lease.commit(wakeUps::release);
        assertThat(partition.highWatermark()).isZero();
        assertThat(second).isEqualTo(first + 1);
        while (lease.poll() < second) {
            assertThat(wakeUps.tryAcquire(10, TimeUnit.SECONDS)).isTrue();
        }
        assertThat(partition.highWatermark()).isEqualTo(2);
    }

    @Test
    void rollsSegmentsAndReadsAcrossThemAfterRestart() throws Exception {
        StreamConfig small = new StreamConfig(20_000, Long.MAX_VALUE, -1, -1, false, true, 1 << 20, false, null);
        LogPartition partition = create(small);
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 3000; i += 3) {
            appendRecords(partition, i, 3, i % 2 == 0 ? Durability.GROUP : Durability.OS);
            commit();
        }
        for (int i = 0; i < 3000; i++) {
            expected.add(i + "=v" + i);
        }
        for (int maxBytes : new int[] {1, 500, 5000, 100_000}) {
            assertThat(values(partition, 0, maxBytes)).isEqualTo(expected);
        }
        for (int from : new int[] {1, 299, 1234, 2999}) {
            assertThat(values(partition, from, 3000)).isEqualTo(expected.subList(from, 3000));
        }
        close();
        open();
        assertThat(engine.recovered()).isFalse();
        LogPartition again = engine.partition(new PartitionId(stream, 0));
        assertThat(again.highWatermark()).isEqualTo(3000);
        assertThat(again.leaderEpoch()).isZero();
        for (int from : new int[] {0, 299, 1234, 2999}) {
            assertThat(values(again, from, 3000)).isEqualTo(expected.subList(from, 3000));
        }
        BatchView loaded =
                again.loadBatch(1000, Runnable::run).toCompletableFuture().get(5, TimeUnit.SECONDS);
        RecordView view = new RecordView();
        assertThat(loaded.record(1000, view)).isTrue();
        assertThat(new String(view.keyBytes(), UTF_8)).isEqualTo("k1000");
        loaded.release();
        assertThat(again.offsetForTimestamp(1_000_000 + 1777)
                        .toCompletableFuture()
                        .get(5, TimeUnit.SECONDS)
                        .offset())
                .isEqualTo(1777);
        assertThat(again.maxTimestamp()
                        .toCompletableFuture()
                        .get(5, TimeUnit.SECONDS)
                        .offset())
                .isEqualTo(2999);
        assertThat(again.offsetForTimestamp(2_000_000).toCompletableFuture().get(5, TimeUnit.SECONDS))
                .isNull();
        lease.writable(again.id());
        again.truncatePrefix(1500);
        assertThat(again.logStartOffset()).isEqualTo(1500);
        assertThat(values(again, 1500, 3000)).isEqualTo(expected.subList(1500, 3000));
        assertThatThrownBy(() -> again.read(1499, 100, Isolation.HIGH_WATERMARK))
                .isInstanceOf(LogException.class);
        close();
        open();
        assertThat(engine.partition(again.id()).logStartOffset()).isEqualTo(1500);
    }

    @Test
    void recoversFromTheWriteAheadLogWhenSegmentsAreLost() throws Exception {
        LogPartition partition = create(StreamConfig.DEFAULT);
        for (int i = 0; i < 200; i++) {
            appendRecords(partition, i, 1, Durability.GROUP);
            commit();
        }
        Path copy = directory.resolveSibling(directory.getFileName() + "-copy");
        copyTree(directory, copy);
        Path log = copy.resolve("streams").resolve(stream.uuid().toString()).resolve("0/00000000000000000000.log");
        byte[] bytes = Files.readAllBytes(log);
        Files.write(log, java.util.Arrays.copyOf(bytes, bytes.length / 2 + 7));
        LocalLogEngine other = LocalLogEngine.open(copy, settings(), new DiskFileSystem(), new SystemClock());
        assertThat(other.recovered()).isTrue();
        LogPartition recovered = other.partition(partition.id());
        assertThat(recovered.highWatermark()).isEqualTo(200);
        assertThat(recovered.leaderEpoch()).isEqualTo(1);
        assertThat(values(recovered, 0, 1000)).hasSize(200);
        assertThat(recovered.endOffsetFor(0).endOffset()).isEqualTo(200);
        assertThat(other.clusterId()).isEqualTo(engine.clusterId());
        other.close();
    }

    @Test
    void lostOsTailIsNeverReusedForOtherRecords() throws Exception {
        LogPartition partition = create(StreamConfig.DEFAULT);
        appendRecords(partition, 0, 1, Durability.GROUP);
        commit();
        appendRecords(partition, 1, 4, Durability.OS);
        commit();
        StreamId other = new StreamId(UUID.randomUUID());
        engine.createStream(other, "other", 1, StreamConfig.DEFAULT)
                .toCompletableFuture()
                .get(5, TimeUnit.SECONDS);
        LogPartition second = lease.writable(new PartitionId(other, 0));
        appendRecords(second, 0, 1, Durability.GROUP);
        commit();
        Path copy = directory.resolveSibling(directory.getFileName() + "-copy");
        copyTree(directory, copy);
        Path log = copy.resolve("streams").resolve(stream.uuid().toString()).resolve("0/00000000000000000000.log");
        Files.write(log, new byte[0]);
        LocalLogEngine again = LocalLogEngine.open(copy, settings(), new DiskFileSystem(), new SystemClock());
        LogPartition recovered = again.partition(partition.id());
        assertThat(values(recovered, 0, 1000)).containsExactly("0=v0");
        assertThat(recovered.logEndOffset()).isEqualTo(5);
        ShardLease writer = again.acquire(ShardId.CORE);
        writer.writable(recovered.id());
        appendRecords(recovered, 9, 1, Durability.OS);
        writer.commit(() -> {});
        assertThat(values(recovered, 0, 1000)).containsExactly("0=v0", "5=v9");
        assertThat(values(recovered, 2, 1000)).containsExactly("5=v9");
        assertThat(recovered.loadBatch(2, Runnable::run).toCompletableFuture().get(5, TimeUnit.SECONDS))
                .isNull();
        writer.release();
        again.close();
    }

    @Test
    void idempotentProducersSurviveARestart() throws Exception {
        LogPartition partition = create(StreamConfig.DEFAULT);
        for (int i = 0; i < 7; i++) {
            assertThat(partition
                            .append(produced(77, (short) 0, i * 2), Durability.GROUP)
                            .baseOffset())
                    .isEqualTo(i * 2L);
            commit();
        }
        LogPartition.Appended repeated = partition.append(produced(77, (short) 0, 8), Durability.GROUP);
        assertThat(repeated.duplicate()).isTrue();
        assertThat(repeated.baseOffset()).isEqualTo(8);
        assertThat(repeated.lastOffset()).isEqualTo(9);
        assertThatThrownBy(() -> partition.append(produced(77, (short) 0, 30), Durability.GROUP))
                .isInstanceOfSatisfying(
                        LogException.class,
                        e -> assertThat(e.reason()).isEqualTo(LogException.Reason.OUT_OF_ORDER_SEQUENCE));
        Path copy = directory.resolveSibling(directory.getFileName() + "-copy");
        copyTree(directory, copy);
        for (Path dir : List.of(copy, directory)) {
            if (dir.equals(directory)) {
                close();
            }
            LocalLogEngine again = LocalLogEngine.open(dir, settings(), new DiskFileSystem(), new SystemClock());
            ShardLease writer = again.acquire(ShardId.CORE);
            LogPartition reopened = writer.writable(partition.id());
            assertThat(reopened.append(produced(77, (short) 0, 12), Durability.OS)
                            .duplicate())
                    .isTrue();
            assertThat(reopened.append(produced(77, (short) 0, 14), Durability.OS)
                            .baseOffset())
                    .isEqualTo(14);
            assertThatThrownBy(() -> reopened.append(produced(77, (short) -0, 3), Durability.OS))
                    .isInstanceOf(LogException.class);
            assertThat(reopened.append(produced(77, (short) 1, 0), Durability.OS)
                            .baseOffset())
                    .isEqualTo(16);
            assertThatThrownBy(() -> reopened.append(produced(77, (short) 0, 16), Durability.OS))
                    .isInstanceOfSatisfying(
                            LogException.class,
                            e -> assertThat(e.reason()).isEqualTo(LogException.Reason.INVALID_PRODUCER_EPOCH));
            writer.release();
            again.close();
        }
        open();
    }

    @Test
    void streamsAreAlteredAndDeleted() throws Exception {
        LogPartition partition = create(StreamConfig.DEFAULT);
        engine.addPartitions(stream, 3).toCompletableFuture().get(5, TimeUnit.SECONDS);
        engine.alterStream(stream, StreamConfig.COMPACTED).toCompletableFuture().get(5, TimeUnit.SECONDS);
        assertThat(partition.stream().partitions()).isEqualTo(3);
        close();
        open();
        assertThat(engine.stream(stream).config()).isEqualTo(StreamConfig.COMPACTED);
        LogPartition third = lease.writable(new PartitionId(stream, 2));
        appendRecords(third, 0, 5, Durability.GROUP);
        commit();
        LogSlice slice = third.read(0, 1000, Isolation.HIGH_WATERMARK);
        engine.deleteStream(stream).toCompletableFuture().get(5, TimeUnit.SECONDS);
        assertThat(engine.stream(stream)).isNull();
        ByteBuffer bytes = ByteBuffer.allocate(slice.sizeInBytes());
        slice.readFully(0, bytes);
        slice.release();
        assertThatThrownBy(() -> third.read(0, 10, Isolation.HIGH_WATERMARK)).isInstanceOf(LogException.class);
        close();
        open();
        assertThat(engine.streams()).isEmpty();
    }

    @Test
    void aLaterLeaseFencesTheEarlier() throws Exception {
        LogPartition partition = create(StreamConfig.DEFAULT);
        ShardLease old = lease;
        lease = engine.acquire(ShardId.CORE);
        builder.add(1, null, new byte[3]);
        assertThatThrownBy(() -> partition.appendBuilt(builder.finish(), Durability.OS))
                .isInstanceOf(LogException.class);
        lease.writable(partition.id());
        assertThat(appendRecords(partition, 0, 1, Durability.OS)).isZero();
        assertThatThrownBy(() -> old.commit(() -> {})).isInstanceOf(LogException.class);
    }

    private static ByteBuf produced(long id, short epoch, int sequence) {
        MemoryRecords records = MemoryRecords.withIdempotentRecords(
                Compression.NONE,
                id,
                epoch,
                sequence,
                new SimpleRecord("a".getBytes(UTF_8)),
                new SimpleRecord("b".getBytes(UTF_8)));
        return Unpooled.copiedBuffer(records.buffer());
    }

    private static void copyTree(Path from, Path to) throws Exception {
        try (var paths = Files.walk(from)) {
            for (Path path : (Iterable<Path>) paths::iterator) {
                Path target = to.resolve(from.relativize(path).toString());
                if (Files.isDirectory(path)) {
                    Files.createDirectories(target);
                } else {
                    Files.copy(path, target);
                }
            }
        }
    }
}
