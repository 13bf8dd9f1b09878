package io.sluice.engine.local;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.engine.ShardId;
import io.sluice.engine.ShardLease;
import io.sluice.io.Clock;
import io.sluice.io.LeakReports;
import io.sluice.io.SimulatedFileSystem;
import io.sluice.io.SimulatedWorkers;
import io.sluice.log.Durability;
import io.sluice.log.Isolation;
import io.sluice.log.LiveOffsets;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.segment.Segment;
import java.io.IOException;
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
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.junit.jupiter.api.Test;

/**
 * Dead batches leave the middle of a partition, with Kafka's code as the reader, on a disk that runs full and loses power anywhere.
 * Always: what is found was appended at that offset, all that was confirmed and is not dead is found, and a slice that a reader holds
 * stays whole. At rest: four times what is live and three segments at most are left. {@code -Dsim.seed} replays one seed, {@code
 * -Dsim.seeds} sets their number.
 */
class DeadBatchesSimTest {
    private static final StreamId STREAM = new StreamId(new UUID(3, 5));
    private static final int SEGMENT = 20_000;
    private static final StreamConfig CONFIG =
            new StreamConfig(SEGMENT, Long.MAX_VALUE, -1, -1, false, false, 1 << 20, false, null);

    @Test
    void deadBatchesGoAndNothingElseWhateverHappens() {
        LeakReports.start();
        Long only = Long.getLong("sim.seed");
        int seeds = Integer.getInteger("sim.seeds", 25);
        long won = 0;
        for (long seed = only == null ? 1 : only; seed <= (only == null ? seeds : only); seed++) {
            Run run = new Run(seed);
            try {
                run.run();
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed + " failed; replay with -Dsim.seed=" + seed, e);
            }
            won += run.won;
        }
        assertThat(won).isPositive();
        LeakReports.assertNone();
    }

    private record Entry(long offset, String value) {}

    private static final class Run {
        private final Random random;
        private final SimulatedFileSystem files;
        /** What was ever appended at an offset; a lost tail may have been given out twice. */
        private final Map<Long, Set<String>> appended = new HashMap<>();

        private final TreeMap<Long, String> confirmed = new TreeMap<>();
        /** Runs that are done with for good. */
        private final TreeSet<Long> dead = new TreeSet<>();
        /** Runs below are dead or live. */
        private long decided;

        private long truncated;
        private final List<LogSlice> held = new ArrayList<>();
        private CompletableFuture<Long> asked = CompletableFuture.completedFuture(0L);
        private final int liveIn;
        private long won;
        private long millis = 1_700_000_000_000L;
        private int serial;

        private final Clock clock = new Clock() {
            @Override
            public long epochMillis() {
                return ++millis;
            }

            @Override
            public long nanoTime() {
                return ++millis * 1_000_000;
            }
        };

        Run(long seed) {
            random = new Random(seed);
            files = new SimulatedFileSystem(random);
            liveIn = 2 + random.nextInt(40);
        }

        void run() throws Exception {
            int lives = 2 + random.nextInt(4);
            for (int life = 0; life < lives; life++) {
                boolean cutDuringStart = life > 0 && random.nextInt(4) == 0;
                if (cutDuringStart) {
                    files.failCall(1 + random.nextInt(150), true);
                }
                SimulatedWorkers workers = new SimulatedWorkers(random);
                LocalLogEngine engine;
                try {
                    engine = LocalLogEngine.open(Path.of("/data"), settings(), files, clock, random::nextLong, workers);
                } catch (LogException e) {
                    assertThat(cutDuringStart).as("start fails: %s", e).isTrue();
                    files.powerCut();
                    continue;
                }
                files.heal();
                files.usable(1L << 40);
                live(engine, workers, life == lives - 1);
                files.powerCut();
            }
        }

        private static LocalLogSettings settings() {
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

        private void live(LocalLogEngine engine, SimulatedWorkers workers, boolean last) throws Exception {
            if (engine.stream(STREAM) == null) {
                engine.createStream(STREAM, "s", 1, CONFIG);
                workers.runAll();
            }
            ShardLease lease = engine.acquire(ShardId.CORE);
            LogPartition partition = lease.writable(new PartitionId(STREAM, 0));
            verify(partition);
            if (!last && random.nextInt(3) > 0) {
                files.failCall(1 + random.nextInt(2500), true);
            }
            TreeMap<Long, List<Entry>> unconfirmed = new TreeMap<>();
            List<Entry> staged = new ArrayList<>();
            boolean alive = true;
            int steps = 200 + random.nextInt(500);
            for (int step = 0; step < steps && alive; step++) {
                try {
                    step(lease, partition, workers, staged, unconfirmed);
                } catch (LogException e) {
                    assertThat(e.reason())
                            .isIn(
                                    LogException.Reason.FENCED,
                                    LogException.Reason.IO_ERROR,
                                    LogException.Reason.DISK_FULL);
                    alive = e.reason() == LogException.Reason.DISK_FULL;
                }
                alive &= engine.diskState() != DiskState.FAILED;
            }
            if (last) {
                assertThat(alive).isTrue();
            }
            if (last || alive && random.nextInt(3) == 0) {
                files.heal();
                files.usable(1L << 40);
                workers.tickAll();
                unconfirmed.put(lease.commit(() -> {}), staged);
                workers.runAll();
                confirm(lease.poll(), unconfirmed);
                if (last) {
                    verify(partition);
                    rest(engine, partition, workers);
                    verify(partition);
                }
            } else {
                files.failCall(1, true);
                workers.runAll();
            }
            held.forEach(LogSlice::release);
            held.clear();
            asked = CompletableFuture.completedFuture(0L);
            lease.release();
            engine.close();
        }

        /** Nothing is left that could be won. */
        private void rest(LocalLogEngine engine, LogPartition partition, SimulatedWorkers workers) throws Exception {
            decide(partition);
            int without = 0;
            while (without < 3) {
                workers.tickAll();
                CompletableFuture<Long> drop =
                        partition.dropDead(liveOffsets(partition)).toCompletableFuture();
                workers.runAll();
                won += drop.join();
                without = drop.join() == 0 ? without + 1 : 0;
            }
            long live = 0;
            for (MutableRecordBatch batch : batches(partition)) {
                for (long run = run(batch.baseOffset()); run <= run(batch.lastOffset()); run++) {
                    if (!dead.contains(run)) {
                        live += batch.sizeInBytes();
                        break;
                    }
                }
            }
            Segment[] segments = engine.local(partition.id()).segments().all();
            assertThat(partition.sizeInBytes())
                    .as("%s live in %s segments", live, segments.length)
                    .isLessThanOrEqualTo(4 * live + 3 * SEGMENT);
        }

        private void step(
                ShardLease lease,
                LogPartition partition,
                SimulatedWorkers workers,
                List<Entry> staged,
                TreeMap<Long, List<Entry>> unconfirmed)
                throws IOException {
            switch (random.nextInt(16)) {
                case 0, 1, 2, 3, 4, 5, 6 -> append(partition, staged);
                case 7, 8 -> {
                    unconfirmed.put(lease.commit(() -> {}), new ArrayList<>(staged));
                    staged.clear();
                }
                case 9, 10, 11 -> {
                    for (int i = random.nextInt(4); i >= 0; i--) {
                        workers.runOne();
                    }
                    confirm(lease.poll(), unconfirmed);
                }
                case 12 -> workers.tick();
                case 13 -> hold(partition);
                case 14 -> drop(partition);
                default -> {
                    switch (random.nextInt(12)) {
                        case 0 -> truncate(partition);
                        case 1 -> files.usable(random.nextBoolean() ? 1L << 40 : 40_000 + random.nextInt(100_000));
                        default -> verify(partition);
                    }
                }
            }
        }

        private void drop(LogPartition partition) {
            if (asked.isDone()) {
                won += asked.isCompletedExceptionally() ? 0 : asked.join();
                decide(partition);
                asked = partition.dropDead(liveOffsets(partition)).toCompletableFuture();
            }
        }

        /** Runs that can get no more records live or die. */
        private void decide(LogPartition partition) {
            while ((decided + 1) * LiveOffsets.RUN <= partition.highWatermark()) {
                if (random.nextInt(liveIn) > 0) {
                    dead.add(decided);
                }
                decided++;
            }
            for (long run = truncated / LiveOffsets.RUN; run < decided; run++) {
                if (random.nextInt(100) == 0) {
                    dead.add(run);
                }
            }
        }

        private LiveOffsets liveOffsets(LogPartition partition) {
            LiveOffsets.Builder live = new LiveOffsets.Builder();
            for (long run = 0; run < decided; run++) {
                if (!dead.contains(run)) {
                    live.add(run * LiveOffsets.RUN);
                }
            }
            return live.build(decided * LiveOffsets.RUN);
        }

        private void truncate(LogPartition partition) {
            long start = partition.logStartOffset();
            long to = start + random.nextInt((int) (partition.highWatermark() - start) / 4 + 1);
            truncated = Math.max(truncated, partition.truncatePrefix(to));
        }

        private void hold(LogPartition partition) throws IOException {
            long start = partition.logStartOffset();
            if (held.size() < 5 && partition.highWatermark() > start) {
                long at = start + (long) (random.nextDouble() * (partition.highWatermark() - start));
                held.add(partition.read(at, 3000, Isolation.HIGH_WATERMARK));
            } else if (!held.isEmpty()) {
                LogSlice slice = held.remove(random.nextInt(held.size()));
                try {
                    check(batches(slice), new TreeMap<>());
                } catch (IOException e) {
                    throw new LogException(LogException.Reason.IO_ERROR, "read", e);
                } finally {
                    slice.release();
                }
            }
        }

        private void append(LogPartition partition, List<Entry> staged) {
            int count = 1 + random.nextInt(20);
            SimpleRecord[] records = new SimpleRecord[count];
            long base = partition.logEndOffset();
            for (int i = 0; i < count; i++) {
                String value = serial++ + "-" + "x".repeat(random.nextInt(80));
                records[i] = new SimpleRecord(millis, value.getBytes(UTF_8));
                staged.add(new Entry(base + i, value));
                appended.computeIfAbsent(base + i, o -> new HashSet<>()).add(value);
            }
            ByteBuf bytes = Unpooled.copiedBuffer(
                    MemoryRecords.withRecords(Compression.NONE, records).buffer());
            assertThat(partition.append(bytes, Durability.GROUP).baseOffset()).isEqualTo(base);
        }

        private void confirm(long pass, TreeMap<Long, List<Entry>> unconfirmed) {
            while (!unconfirmed.isEmpty() && unconfirmed.firstKey() <= pass) {
                unconfirmed.pollFirstEntry().getValue().forEach(e -> confirmed.put(e.offset(), e.value()));
            }
        }

        private void verify(LogPartition partition) {
            TreeMap<Long, String> found = new TreeMap<>();
            check(batches(partition), found);
            confirmed.tailMap(partition.logStartOffset()).forEach((offset, value) -> {
                if (!dead.contains(run(offset))) {
                    assertThat(found.get(offset)).as("offset %s", offset).isEqualTo(value);
                }
            });
        }

        private void check(List<MutableRecordBatch> batches, TreeMap<Long, String> found) {
            for (MutableRecordBatch batch : batches) {
                batch.ensureValid();
                for (Record record : batch) {
                    String value = UTF_8.decode(record.value()).toString();
                    assertThat(found.isEmpty() ? -1 : found.lastKey()).isLessThan(record.offset());
                    assertThat(appended.getOrDefault(record.offset(), Set.of())).contains(value);
                    found.put(record.offset(), value);
                }
            }
        }

        private static List<MutableRecordBatch> batches(LogPartition partition) {
            List<MutableRecordBatch> found = new ArrayList<>();
            long next = partition.logStartOffset();
            while (next < partition.highWatermark()) {
                LogSlice slice = partition.read(next, 4000, Isolation.HIGH_WATERMARK);
                try {
                    if (slice.sizeInBytes() == 0) {
                        break;
                    }
                    found.addAll(batches(slice));
                    assertThat(slice.nextOffset()).isGreaterThan(next);
                    next = slice.nextOffset();
                } catch (IOException e) {
                    throw new LogException(LogException.Reason.IO_ERROR, "read", e);
                } finally {
                    slice.release();
                }
            }
            return found;
        }

        private static List<MutableRecordBatch> batches(LogSlice slice) throws IOException {
            ByteBuffer bytes = ByteBuffer.allocate(slice.sizeInBytes());
            slice.readFully(0, bytes);
            List<MutableRecordBatch> found = new ArrayList<>();
            MemoryRecords.readableRecords(bytes.flip()).batches().forEach(found::add);
            return found;
        }

        private static long run(long offset) {
            return offset / LiveOffsets.RUN;
        }
    }
}
