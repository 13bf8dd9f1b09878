package io.sluice.engine.local;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.engine.ShardId;
import io.sluice.engine.ShardLease;
import io.sluice.io.Clock;
import io.sluice.io.SimulatedFileSystem;
import io.sluice.io.SimulatedWorkers;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.record.BatchBuilder;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A simulated disk that fills up: at the watermarks, and to the last byte. */
class DiskFullTest {
    private static final StreamId USERS = new StreamId(new UUID(0, 1));
    private static final StreamId JOURNAL = new StreamId(new UUID(0, 2));
    private static final long MIB = 1 << 20;

    private final Random random = new Random(7);
    private final SimulatedFileSystem files = new SimulatedFileSystem(random);
    private final BatchBuilder builder = new BatchBuilder(UnpooledByteBufAllocator.DEFAULT);
    private final List<DiskState> states = new ArrayList<>();
    private SimulatedWorkers workers;
    private LocalLogEngine engine;
    private ShardLease lease;
    private LogPartition users;
    private LogPartition journal;
    private long millis = 1_700_000_000_000L;

    private final Clock clock = new Clock() {
        @Override
        public long epochMillis() {
            return millis += 100;
        }

        @Override
        public long nanoTime() {
            return millis * 1_000_000;
        }
    };

    @BeforeEach
    void start() throws Exception {
        open(8 * MIB, 16 * MIB);
        engine.createStream(USERS, "users", 1, StreamConfig.DEFAULT);
        engine.createStream(JOURNAL, "journal", 1, StreamConfig.JOURNAL);
        workers.runAll();
        lease();
    }

    @AfterEach
    void stop() {
        workers.runAll();
        lease.release();
        engine.close();
    }

    private void open(long full, long warn) {
        workers = new SimulatedWorkers(random);
        LocalLogSettings d = LocalLogSettings.DEFAULT;
        LocalLogSettings settings = new LocalLogSettings(
                1,
                64 << 10,
                10_000,
                64 << 10,
                1 << 20,
                1 << 20,
                16 << 20,
                16,
                1,
                1 << 20,
                0,
                d.compactionBytes(),
                d.producerIdleMillis(),
                1000,
                full,
                warn);
        engine = LocalLogEngine.open(Path.of("/data"), settings, files, clock, random::nextLong, workers);
        engine.onDiskState(states::add);
    }

    private void lease() {
        lease = engine.acquire(ShardId.CORE);
        users = lease.writable(new PartitionId(USERS, 0));
        journal = lease.writable(new PartitionId(JOURNAL, 0));
    }

    private long append(LogPartition partition, Durability durability, int bytes) {
        builder.add(millis, null, "x".repeat(bytes).getBytes(UTF_8));
        return partition.appendBuilt(builder.finish(), durability).baseOffset();
    }

    private void look() {
        for (int i = 0; i < 60; i++) {
            workers.tick();
            workers.runAll();
        }
    }

    private void assertRefused(LogPartition partition) {
        assertThatThrownBy(() -> append(partition, Durability.GROUP, 10))
                .isInstanceOfSatisfying(
                        LogException.class, e -> assertThat(e.reason()).isEqualTo(Reason.DISK_FULL));
    }

    @Test
    void publishersStopAtTheWatermarkJournalsAtAQuarterOfIt() {
        files.usable(12 * MIB);
        look();
        append(users, Durability.GROUP, 10);
        files.usable(7 * MIB);
        look();
        append(users, Durability.GROUP, 10); // belongs to the pass that began before
        lease.commit(() -> {});
        assertRefused(users);
        append(journal, Durability.GROUP, 10);
        lease.commit(() -> {});
        files.usable(MIB);
        look();
        assertRefused(users);
        assertRefused(journal);
        files.usable(8 * MIB + 1);
        look();
        assertRefused(users); // a tenth more must be free than the watermark asks for
        append(journal, Durability.GROUP, 10);
        long last = lease.commit(() -> {});
        files.usable(40 * MIB);
        look();
        assertThat(lease.poll()).isEqualTo(last);
        append(users, Durability.GROUP, 10);
        assertThat(states).containsExactly(DiskState.WARN, DiskState.FULL, DiskState.OK);
    }

    @Test
    void aPassWithoutSpaceWaitsAndCompletesWhenSpaceReturns() throws Exception {
        append(users, Durability.GROUP, 100);
        long first = lease.commit(() -> {});
        look();
        assertThat(lease.poll()).isEqualTo(first);
        open0Watermarks();
        files.capacity(files.used() + 5000);
        append(users, Durability.GROUP, 20_000);
        append(journal, Durability.GROUP, 20);
        int[] wakeUps = new int[1];
        long waiting = lease.commit(() -> wakeUps[0]++);
        look();
        assertThat(lease.poll()).isEqualTo(waiting - 1);
        assertThat(lease.waitsForSpace()).isTrue();
        assertThat(engine.diskState()).isEqualTo(DiskState.FULL);
        assertThat(users.highWatermark()).isEqualTo(1);
        assertRefused(users);
        assertRefused(journal);
        engine.createStream(new StreamId(new UUID(0, 9)), "more", 1, StreamConfig.DEFAULT);
        workers.runAll();

        files.capacity(files.used() + 10 * MIB);
        int before = wakeUps[0];
        look();
        assertThat(wakeUps[0]).isGreaterThan(before);
        millis += 1000;
        assertThat(lease.poll()).isEqualTo(waiting);
        assertThat(lease.waitsForSpace()).isFalse();
        assertThat(users.highWatermark()).isEqualTo(2);
        assertThat(journal.highWatermark()).isEqualTo(1);
        look();
        assertThat(engine.diskState()).isEqualTo(DiskState.OK);
        assertThat(append(users, Durability.GROUP, 10)).isEqualTo(2);
        lease.commit(() -> {});
        look();
        lease.poll();
        crashAndVerify(3, 20_000);
    }

    /** With watermarks of zero nothing is refused before the disk says so. */
    private void open0Watermarks() {
        stop();
        open(0, 0);
        lease();
    }

    private void crashAndVerify(long end, int length) throws Exception {
        files.failCall(1, true);
        workers.runAll();
        stop();
        files.powerCut();
        open(0, 0);
        lease();
        assertThat(users.highWatermark()).isGreaterThanOrEqualTo(end);
        var loaded = users.loadBatch(1, Runnable::run).toCompletableFuture();
        workers.runAll();
        BatchView batch = loaded.get();
        RecordView view = new RecordView();
        assertThat(batch.record(1, view)).isTrue();
        assertThat(view.valueLength()).isEqualTo(length);
        batch.release();
    }

    @Test
    void confirmedSurvivesWhateverTheDiskHasRoomFor() throws Exception {
        for (int seed = 0; seed < 30; seed++) {
            open0Watermarks();
            files.capacity(files.used() + 3000 + random.nextInt(200_000));
            List<Long> passes = new ArrayList<>();
            List<Long> ends = new ArrayList<>();
            int refusals = 0;
            for (int i = 0; i < 60; i++) {
                try {
                    append(users, random.nextBoolean() ? Durability.GROUP : Durability.OS, random.nextInt(8000));
                    append(journal, Durability.GROUP, random.nextInt(100));
                    passes.add(lease.commit(() -> {}));
                    ends.add(users.logEndOffset());
                } catch (LogException e) {
                    assertThat(e.reason()).isEqualTo(Reason.DISK_FULL);
                    refusals++;
                }
                if (random.nextInt(3) == 0) {
                    workers.tick();
                }
                workers.runAll();
                lease.poll();
                if (refusals == 5) {
                    files.capacity(files.used() + 40_000 + random.nextInt(400_000));
                    look();
                }
            }
            assertThat(engine.diskState()).isNotEqualTo(DiskState.FAILED);
            files.capacity(Long.MAX_VALUE);
            look();
            millis += 1000;
            lease.poll();
            look();
            assertThat(lease.poll()).isEqualTo(passes.get(passes.size() - 1));
            assertThat(users.highWatermark()).isEqualTo(ends.get(ends.size() - 1));
        }
    }

    @Test
    void aStreamThatIsEmptiedGivesItsSpaceBack() {
        for (int i = 0; i < 50; i++) {
            append(users, Durability.GROUP, 100_000);
            lease.commit(() -> {});
            workers.runAll();
            lease.poll();
        }
        long full = files.used();
        users.truncatePrefix(users.highWatermark());
        look();
        assertThat(files.used()).isLessThan(full - 4 * MIB);
        assertThat(append(users, Durability.GROUP, 10)).isEqualTo(50);
        lease.commit(() -> {});
        look();
        lease.poll();
        assertThat(users.highWatermark()).isEqualTo(51);
    }
}
