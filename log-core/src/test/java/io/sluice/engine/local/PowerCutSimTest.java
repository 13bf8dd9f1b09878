package io.sluice.engine.local;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.engine.ShardId;
import io.sluice.engine.ShardLease;
import io.sluice.io.Clock;
import io.sluice.io.LeakReports;
import io.sluice.io.SimulatedFileSystem;
import io.sluice.io.SimulatedWorkers;
import io.sluice.log.Durability;
import io.sluice.log.Isolation;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.record.BatchBuilder;
import io.sluice.log.record.BatchFormat;
import io.sluice.log.record.DecodedBatch;
import io.sluice.message.RecordView;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/**
 * Lives of an engine on a disk that loses power, with seeds. After every start: each confirmed GROUP record is where it was
 * confirmed, each pass is there as a whole or not at all, nothing is there that was not appended there, and no partition ends below an offset seen before a later group
 * commit. {@code -Dsim.seed} replays one seed, {@code -Dsim.seeds} sets their number.
 */
class PowerCutSimTest {
    private static final int PARTITIONS = 3;
    private static final StreamId STREAM = new StreamId(new UUID(1, 2));

    @Test
    void confirmedRecordsSurvivePowerCuts() {
        LeakReports.start();
        Long only = Long.getLong("sim.seed");
        int seeds = Integer.getInteger("sim.seeds", 80);
        for (long seed = only == null ? 1 : only; seed <= (only == null ? seeds : only); seed++) {
            try {
                new Run(seed).run();
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed + " failed; replay with -Dsim.seed=" + seed, e);
            }
        }
        LeakReports.assertNone();
    }

    private static final class Run {
        private final Random random;
        private final SimulatedFileSystem files;
        private final BatchBuilder builder = new BatchBuilder(UnpooledByteBufAllocator.DEFAULT);
        private final List<TreeMap<Long, String>> confirmed = new ArrayList<>();
        private final List<Map<Long, Set<String>>> appended = new ArrayList<>();
        /** Of the last life. */
        private final List<List<Pending>> passes = new ArrayList<>();

        private final long[] floor = new long[PARTITIONS];
        private final long[] truncated = new long[PARTITIONS];
        private long millis = 1_700_000_000_000L;
        private int serial;
        private boolean clean;
        private boolean created;

        private final Clock clock = new Clock() {
            @Override
            public long epochMillis() {
                return ++millis;
            }

            @Override
            public long nanoTime() {
                return millis * 1_000_000;
            }
        };

        private record Pending(int partition, long offset, String value, boolean group) {}

        Run(long seed) {
            random = new Random(seed);
            files = new SimulatedFileSystem(random);
            for (int i = 0; i < PARTITIONS; i++) {
                confirmed.add(new TreeMap<>());
                appended.add(new HashMap<>());
            }
        }

        void run() throws Exception {
            int lives = 2 + random.nextInt(5);
            for (int life = 0; life < lives; life++) {
                // Sometimes power goes while recovery is at work.
                boolean cutDuringStart = life > 0 && random.nextInt(4) == 0;
                if (cutDuringStart) {
                    files.failCall(1 + random.nextInt(120), true);
                }
                SimulatedWorkers workers = new SimulatedWorkers(random);
                LocalLogEngine engine;
                try {
                    engine = LocalLogEngine.open(Path.of("/data"), settings(), files, clock, random::nextLong, workers);
                } catch (LogException e) {
                    assertThat(cutDuringStart).as("start fails: %s", e).isTrue();
                    files.powerCut();
                    clean = false;
                    continue;
                }
                files.failCall(Long.MAX_VALUE / 2, false);
                if (clean) {
                    assertThat(engine.recovered()).isFalse();
                }
                live(engine, workers);
            }
        }

        private LocalLogSettings settings() {
            LocalLogSettings d = LocalLogSettings.DEFAULT;
            return new LocalLogSettings(
                    1,
                    16 << 10,
                    10_000,
                    8 << 10,
                    4 << 10,
                    4 << 10,
                    1 << 20,
                    4,
                    1,
                    1 << 20,
                    30_000,
                    d.compactionBytes(),
                    d.producerIdleMillis(),
                    1000,
                    0,
                    0);
        }

        private void live(LocalLogEngine engine, SimulatedWorkers workers) throws Exception {
            if (!created) {
                StreamConfig config = new StreamConfig(3000, Long.MAX_VALUE, -1, -1, false, true, 1 << 20, false, null);
                engine.createStream(STREAM, "s", PARTITIONS, config);
                workers.runAll();
                assertThat(engine.stream(STREAM)).isNotNull();
                created = true;
            }
            ShardLease lease = engine.acquire(ShardId.CORE);
            LogPartition[] partitions = new LogPartition[PARTITIONS];
            List<Map<Long, String>> found = new ArrayList<>();
            for (int i = 0; i < PARTITIONS; i++) {
                partitions[i] = lease.writable(new PartitionId(STREAM, i));
                found.add(verify(partitions[i], i));
            }
            passes.forEach(pass -> verifyWhole(pass, found));
            passes.clear();
            if (random.nextBoolean()) {
                files.failCall(1 + random.nextInt(1500), true);
            }
            TreeMap<Long, List<Pending>> unconfirmed = new TreeMap<>();
            List<Pending> staged = new ArrayList<>();
            int steps = 20 + random.nextInt(300);
            boolean alive = true;
            for (int step = 0; step < steps && alive; step++) {
                try {
                    step(lease, partitions, workers, staged, unconfirmed);
                } catch (LogException e) {
                    assertThat(e.reason()).isIn(LogException.Reason.FENCED, LogException.Reason.IO_ERROR);
                    alive = false;
                }
                alive &= engine.diskState() != io.sluice.engine.LogEngine.DiskState.FAILED;
            }
            clean = alive && random.nextInt(3) == 0;
            if (clean) {
                files.failCall(Long.MAX_VALUE / 2, false);
                long pass = lease.commit(() -> {});
                unconfirmed.put(pass, staged);
                workers.runAll();
                confirm(lease.poll(), unconfirmed);
                lease.release();
                engine.close();
            } else {
                dropMemory(engine, lease, workers);
            }
            files.powerCut();
        }

        /** What is in memory goes with the power: nothing reaches the disk any more, buffers are released. */
        private void dropMemory(LocalLogEngine engine, ShardLease lease, SimulatedWorkers workers) {
            files.failCall(1, true);
            workers.runAll();
            lease.release();
            engine.close();
        }

        private void step(
                ShardLease lease,
                LogPartition[] partitions,
                SimulatedWorkers workers,
                List<Pending> staged,
                TreeMap<Long, List<Pending>> unconfirmed) {
            switch (random.nextInt(12)) {
                case 0, 1, 2, 3, 4 -> {
                    int p = random.nextInt(PARTITIONS);
                    boolean group = random.nextInt(3) > 0;
                    int count = 1 + random.nextInt(4);
                    List<String> values = new ArrayList<>();
                    for (int i = 0; i < count; i++) {
                        String value =
                                "r" + serial++ + "-" + "x".repeat(random.nextInt(random.nextInt(10) == 0 ? 3000 : 100));
                        values.add(value);
                        builder.add(clock.epochMillis(), null, value.getBytes(UTF_8));
                    }
                    long base = partitions[p]
                            .appendBuilt(builder.finish(), group ? Durability.GROUP : Durability.OS)
                            .baseOffset();
                    for (int i = 0; i < count; i++) {
                        appended.get(p)
                                .computeIfAbsent(base + i, o -> new HashSet<>())
                                .add(values.get(i));
                        staged.add(new Pending(p, base + i, values.get(i), group));
                    }
                }
                case 5, 6 -> {
                    passes.add(new ArrayList<>(staged));
                    unconfirmed.put(lease.commit(() -> {}), new ArrayList<>(staged));
                    staged.clear();
                }
                case 7, 8, 9 -> {
                    workers.runOne();
                    confirm(lease.poll(), unconfirmed);
                }
                case 10 -> workers.tick();
                default -> {
                    if (random.nextInt(10) == 0) {
                        int p = random.nextInt(PARTITIONS);
                        long start = partitions[p].logStartOffset();
                        long to = start + random.nextInt((int) (partitions[p].highWatermark() - start) + 1);
                        truncated[p] = Math.max(truncated[p], partitions[p].truncatePrefix(to));
                    } else {
                        int p = random.nextInt(PARTITIONS);
                        read(partitions[p], partitions[p].logStartOffset(), Isolation.HIGH_WATERMARK);
                    }
                }
            }
        }

        private void confirm(long pass, TreeMap<Long, List<Pending>> unconfirmed) {
            while (!unconfirmed.isEmpty() && unconfirmed.firstKey() <= pass) {
                for (Pending record : unconfirmed.pollFirstEntry().getValue()) {
                    if (record.group()) {
                        confirmed.get(record.partition()).put(record.offset(), record.value());
                        floor[record.partition()] = Math.max(floor[record.partition()], record.offset() + 1);
                    }
                }
            }
        }

        /** Whether it was confirmed or not. */
        private void verifyWhole(List<Pending> pass, List<Map<Long, String>> found) {
            List<Pending> kept = pass.stream()
                    .filter(record -> record.offset() >= truncated[record.partition()])
                    .toList();
            List<Pending> there = kept.stream()
                    .filter(record ->
                            record.value().equals(found.get(record.partition()).get(record.offset())))
                    .toList();
            assertThat(there.isEmpty() || there.size() == kept.size())
                    .as("a pass is there as a whole: %s of %s", there, kept)
                    .isTrue();
        }

        private Map<Long, String> verify(LogPartition partition, int p) {
            assertThat(partition.highWatermark()).isGreaterThanOrEqualTo(floor[p]);
            assertThat(partition.logStartOffset()).isLessThanOrEqualTo(Math.max(truncated[p], 0));
            Map<Long, String> found = read(partition, partition.logStartOffset(), Isolation.HIGH_WATERMARK);
            found.forEach((offset, value) -> assertThat(appended.get(p).getOrDefault(offset, Set.of()))
                    .as("record at %s of partition %s", offset, p)
                    .contains(value));
            confirmed
                    .get(p)
                    .tailMap(truncated[p])
                    .forEach((offset, value) -> assertThat(found.get(offset))
                            .as("confirmed record at %s of partition %s", offset, p)
                            .isEqualTo(value));
            return found;
        }

        private Map<Long, String> read(LogPartition partition, long from, Isolation isolation) {
            Map<Long, String> found = new HashMap<>();
            RecordView view = new RecordView();
            long next = from;
            while (next < partition.highWatermark()) {
                LogSlice slice = partition.read(next, 1 + random.nextInt(5000), isolation);
                try {
                    if (slice.sizeInBytes() == 0) {
                        break;
                    }
                    ByteBuffer bytes = ByteBuffer.allocate(slice.sizeInBytes());
                    slice.readFully(0, bytes);
                    ByteBuf buffer = Unpooled.wrappedBuffer(bytes.flip());
                    int at = 0;
                    while (at < buffer.writerIndex()) {
                        int size = BatchFormat.sizeInBytes(buffer, at);
                        assertThat(BatchFormat.isCrcValid(buffer, at, size)).isTrue();
                        DecodedBatch batch = DecodedBatch.decode(
                                buffer.retainedSlice(at, size), UnpooledByteBufAllocator.DEFAULT, 1 << 20);
                        for (int i = 0; i < batch.recordCount(); i++) {
                            batch.recordAt(i, view);
                            found.put(view.offset(), view.valueSlice().toString(UTF_8));
                        }
                        batch.release();
                        at += size;
                    }
                    assertThat(slice.nextOffset()).isGreaterThan(next);
                    next = slice.nextOffset();
                } catch (java.io.IOException e) {
                    throw new LogException(LogException.Reason.IO_ERROR, "read", e);
                } finally {
                    slice.release();
                }
            }
            return found;
        }
    }
}
