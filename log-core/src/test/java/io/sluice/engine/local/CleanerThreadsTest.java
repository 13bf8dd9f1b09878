package io.sluice.engine.local;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.engine.ShardId;
import io.sluice.engine.ShardLease;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.SystemClock;
import io.sluice.log.Durability;
import io.sluice.log.Isolation;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.record.BatchBuilder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the engine's own threads do from time to time, with real threads, files and periods. */
@Timeout(60)
class CleanerThreadsTest {
    private static final Duration SOON = Duration.ofSeconds(20);

    @TempDir
    Path directory;

    private final StreamId stream = new StreamId(UUID.randomUUID());
    private final BatchBuilder builder = new BatchBuilder(PooledByteBufAllocator.DEFAULT);
    private final Semaphore wakeUps = new Semaphore(0);
    private LocalLogEngine engine;
    private ShardLease lease;

    private void open(long producerIdleMillis, long diskFullBytes, int openFiles) {
        LocalLogSettings d = LocalLogSettings.DEFAULT;
        LocalLogSettings settings = new LocalLogSettings(
                1,
                1 << 20,
                60,
                d.checkpointBytes(),
                1 << 20,
                1 << 20,
                64 << 20,
                openFiles,
                2,
                d.warmBytes(),
                50,
                d.compactionBytes(),
                producerIdleMillis,
                50,
                diskFullBytes,
                diskFullBytes);
        engine = LocalLogEngine.open(directory, settings, new DiskFileSystem(), new SystemClock());
        lease = engine.acquire(ShardId.CORE);
    }

    @AfterEach
    void close() {
        lease.release();
        engine.close();
    }

    private LogPartition[] create(int partitions, StreamConfig config) throws Exception {
        engine.createStream(stream, "s", partitions, config)
                .toCompletableFuture()
                .get(10, TimeUnit.SECONDS);
        LogPartition[] created = new LogPartition[partitions];
        for (int i = 0; i < partitions; i++) {
            created[i] = lease.writable(new PartitionId(stream, i));
        }
        return created;
    }

    private void append(LogPartition partition, String key, int bytes) throws Exception {
        builder.add(new SystemClock().epochMillis(), key.getBytes(UTF_8), new byte[bytes]);
        partition.appendBuilt(builder.finish(), Durability.GROUP);
        long pass = lease.commit(wakeUps::release);
        while (lease.poll() < pass) {
            assertThat(wakeUps.tryAcquire(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    private long segmentFiles() throws Exception {
        try (Stream<Path> files = Files.walk(directory.resolve("streams"))) {
            return files.filter(f -> f.toString().endsWith(".log")).count();
        }
    }

    @Test
    void oldAndTooManyBytesGo() throws Exception {
        open(1 << 30, 0, 64);
        LogPartition partition =
                create(1, new StreamConfig(10_000, 1 << 30, -1, 30_000, false, true, 1 << 20, false, null))[0];
        for (int i = 0; i < 100; i++) {
            append(partition, "k", 1000);
        }
        await().atMost(SOON).untilAsserted(() -> {
            assertThat(partition.sizeInBytes()).isLessThan(45_000);
            assertThat(segmentFiles()).isLessThanOrEqualTo(5);
        });
        assertThat(partition.logStartOffset()).isPositive();
        assertThat(partition.highWatermark()).isEqualTo(100);

        engine.alterStream(stream, new StreamConfig(10_000, 1 << 30, 1, -1, false, true, 1 << 20, false, null))
                .toCompletableFuture()
                .get(5, TimeUnit.SECONDS);
        await().atMost(SOON).untilAsserted(() -> {
            assertThat(partition.sizeInBytes()).isLessThan(11_000);
            assertThat(segmentFiles()).isOne();
        });
    }

    @Test
    void newestOfEachKeyStaysWhileOthersAppendAndRead() throws Exception {
        open(1 << 30, 0, 64);
        LogPartition partition =
                create(1, new StreamConfig(20_000, 1 << 30, -1, -1, true, false, 1 << 20, false, null))[0];
        for (int i = 0; i < 1000; i++) {
            append(partition, "k" + i % 10, 200);
            if (i % 50 == 0) {
                readThrough(partition);
            }
        }
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(partition.sizeInBytes()).isLessThan(100_000));
        readThrough(partition);
        assertThat(partition.logStartOffset()).isZero();
        assertThat(partition.highWatermark()).isEqualTo(1000);
    }

    private static void readThrough(LogPartition partition) {
        long next = partition.logStartOffset();
        while (next < partition.highWatermark()) {
            LogSlice slice = partition.read(next, 10_000, Isolation.HIGH_WATERMARK);
            assertThat(slice.nextOffset()).isGreaterThan(next);
            next = slice.nextOffset();
            slice.release();
        }
    }

    @Test
    void checkpointsGiveLogFilesBackAndShortenRecovery() throws Exception {
        open(1 << 30, 0, 64);
        LogPartition partition = create(1, StreamConfig.DEFAULT)[0];
        for (int i = 0; i < 100; i++) {
            append(partition, "k", 100_000);
        }
        await().atMost(SOON).untilAsserted(() -> {
            assertThat(engine.local(partition.id()).recoveryPoint()).isEqualTo(100);
            try (Stream<Path> files = Files.list(directory.resolve("wal"))) {
                assertThat(files.count()).isLessThanOrEqualTo(6);
            }
        });
    }

    @Test
    void idleProducersAreForgottenOnDiskToo() throws Exception {
        open(300, 0, 64);
        LogPartition partition = create(1, StreamConfig.DEFAULT)[0];
        MemoryRecords records = MemoryRecords.withIdempotentRecords(
                Compression.NONE, 7, (short) 0, 0, new SimpleRecord("a".getBytes(UTF_8)));
        partition.append(Unpooled.copiedBuffer(records.buffer()), Durability.GROUP);
        lease.commit(wakeUps::release);
        assertThat(engine.local(partition.id()).producers().size()).isOne();
        await().atMost(SOON)
                .until(() -> engine.local(partition.id()).producers().size() == 0);
        append(partition, "k", 10);
    }

    @Test
    void openFilesStayWithinTheBudget() throws Exception {
        open(1 << 30, 0, 8);
        LogPartition[] partitions = create(60, StreamConfig.DEFAULT);
        for (int round = 0; round < 3; round++) {
            for (LogPartition partition : partitions) {
                append(partition, "k", 10);
            }
        }
        for (LogPartition partition : partitions) {
            readThrough(partition);
            assertThat(partition.highWatermark()).isEqualTo(3);
        }
        // files in use at the moment come on top
        await().atMost(SOON).until(() -> engine.openFiles() <= 10);
    }

    @Test
    void aDiskBelowItsWatermarkIsSeenAtTheStart() throws Exception {
        open(1 << 30, Long.MAX_VALUE / 4, 64);
        assertThat(engine.diskState()).isEqualTo(DiskState.FULL);
    }
}
