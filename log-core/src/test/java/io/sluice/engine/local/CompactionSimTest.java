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
import java.util.UUID;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.junit.jupiter.api.Test;

/**
 * Compaction against a naive map, with Kafka's code as the reader, on a disk that loses power in the middle. Always: what is found
 * was appended there, and the newest record of each key is the newest confirmed one or a later one. At rest: of each key below the
 * active segment one record is left, none of it a tombstone past its time. {@code -Dsim.seed} replays one seed, {@code -Dsim.seeds}
 * sets their number.
 */
class CompactionSimTest {
    private static final StreamId STREAM = new StreamId(new UUID(3, 4));
    private static final long TOMBSTONE_MILLIS = 50_000;
    private static final StreamConfig CONFIG = new StreamConfig(
                    2500, Long.MAX_VALUE, -1, -1, true, false, 1 << 20, false, null)
            .withTombstoneMillis(TOMBSTONE_MILLIS);

    @Test
    void compactedEqualsNewestPerKeyWhateverHappens() {
        LeakReports.start();
        Long only = Long.getLong("sim.seed");
        int seeds = Integer.getInteger("sim.seeds", 15);
        for (long seed = only == null ? 1 : only; seed <= (only == null ? seeds : only); seed++) {
            try {
                new Run(seed).run();
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed + " failed; replay with -Dsim.seed=" + seed, e);
            }
        }
        LeakReports.assertNone();
    }

    private record Entry(long offset, String key, String value) {}

    private static final class Run {
        private final Random random;
        private final SimulatedFileSystem files;
        /** What was ever appended at an offset; a lost tail may have been given out twice. */
        private final Map<Long, Set<Entry>> appended = new HashMap<>();

        private final Map<String, Entry> confirmed = new HashMap<>();
        private final int keys;
        private long millis = 1_700_000_000_000L;
        private int serial;

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

        Run(long seed) {
            random = new Random(seed);
            files = new SimulatedFileSystem(random);
            keys = 3 + random.nextInt(60);
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
                files.failCall(Long.MAX_VALUE / 2, false);
                boolean last = life == lives - 1;
                live(engine, workers, last);
                files.powerCut();
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
                    random.nextBoolean() ? 1 : d.compactionBytes(),
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
            int steps = 100 + random.nextInt(400);
            for (int step = 0; step < steps && alive; step++) {
                try {
                    step(lease, partition, workers, staged, unconfirmed);
                } catch (LogException e) {
                    assertThat(e.reason()).isIn(LogException.Reason.FENCED, LogException.Reason.IO_ERROR);
                    alive = false;
                }
                alive &= engine.diskState() != DiskState.FAILED;
            }
            if (last) {
                assertThat(alive).isTrue();
                unconfirmed.put(lease.commit(() -> {}), staged);
                settle(lease, workers, unconfirmed);
                verify(partition);
                rest(engine, lease, partition, workers);
            }
            if (last || alive && random.nextInt(3) == 0) {
                files.failCall(Long.MAX_VALUE / 2, false);
                if (!last) {
                    unconfirmed.put(lease.commit(() -> {}), staged);
                    settle(lease, workers, unconfirmed);
                }
            } else {
                files.failCall(1, true);
                workers.runAll();
            }
            lease.release();
            engine.close();
        }

        private void settle(ShardLease lease, SimulatedWorkers workers, TreeMap<Long, List<Entry>> unconfirmed) {
            workers.runAll();
            confirm(lease.poll(), unconfirmed);
        }

        /** Everything is compacted, and again when the tombstones are past their time. */
        private void rest(LocalLogEngine engine, ShardLease lease, LogPartition partition, SimulatedWorkers workers)
                throws Exception {
            LocalPartition local = engine.local(partition.id());
            long[] cleanedTo = new long[3];
            for (int i = 0; i < 3; i++) {
                for (int n = 0; n < 40; n++) {
                    workers.tick();
                    workers.runAll();
                }
                cleanedTo[i] = local.compaction(files).cleanedTo();
                millis += 2 * TOMBSTONE_MILLIS;
            }
            lease.poll();
            verify(partition);
            Segment[] segments = local.segments().all();
            if (segments.length > 1) {
                assertThat(cleanedTo[2]).isPositive();
            }
            Map<String, Entry> below = new HashMap<>();
            for (Entry entry : read(partition)) {
                if (entry.offset() < cleanedTo[0]) {
                    assertThat(entry.value()).as("tombstone %s", entry).isNotNull();
                }
                if (entry.offset() < cleanedTo[2]) {
                    assertThat(below.put(entry.key(), entry))
                            .as("second record of %s", entry)
                            .isNull();
                }
            }
        }

        private void step(
                ShardLease lease,
                LogPartition partition,
                SimulatedWorkers workers,
                List<Entry> staged,
                TreeMap<Long, List<Entry>> unconfirmed) {
            switch (random.nextInt(12)) {
                case 0, 1, 2, 3, 4, 5 -> append(partition, staged);
                case 6 -> {
                    unconfirmed.put(lease.commit(() -> {}), new ArrayList<>(staged));
                    staged.clear();
                }
                case 7, 8, 9 -> {
                    workers.runOne();
                    confirm(lease.poll(), unconfirmed);
                }
                case 10 -> workers.tick();
                default -> {
                    millis += random.nextInt(20_000);
                    read(partition);
                }
            }
        }

        private void append(LogPartition partition, List<Entry> staged) {
            int count = 1 + random.nextInt(6);
            SimpleRecord[] records = new SimpleRecord[count];
            List<Entry> entries = new ArrayList<>();
            long base = partition.logEndOffset();
            for (int i = 0; i < count; i++) {
                String key = "k" + random.nextInt(keys);
                String value = random.nextInt(4) == 0 ? null : serial++ + "-" + "x".repeat(random.nextInt(80));
                records[i] = new SimpleRecord(
                        millis - random.nextInt(1000),
                        key.getBytes(UTF_8),
                        value == null ? null : value.getBytes(UTF_8));
                entries.add(new Entry(base + i, key, value));
            }
            CompressionType type = CompressionType.values()[random.nextInt(CompressionType.values().length)];
            ByteBuf bytes = Unpooled.copiedBuffer(
                    MemoryRecords.withRecords(Compression.of(type).build(), records)
                            .buffer());
            assertThat(partition.append(bytes, Durability.GROUP).baseOffset()).isEqualTo(base);
            for (Entry entry : entries) {
                appended.computeIfAbsent(entry.offset(), o -> new HashSet<>()).add(entry);
            }
            staged.addAll(entries);
        }

        private void confirm(long pass, TreeMap<Long, List<Entry>> unconfirmed) {
            while (!unconfirmed.isEmpty() && unconfirmed.firstKey() <= pass) {
                unconfirmed.pollFirstEntry().getValue().forEach(entry -> confirmed.put(entry.key(), entry));
            }
        }

        private void verify(LogPartition partition) {
            Map<String, Entry> newest = new HashMap<>();
            for (Entry entry : read(partition)) {
                assertThat(appended.getOrDefault(entry.offset(), Set.of())).contains(entry);
                newest.put(entry.key(), entry);
            }
            confirmed.forEach((key, entry) -> {
                Entry found = newest.get(key);
                if (found == null) {
                    assertThat(entry.value()).as("lost: %s", entry).isNull();
                } else {
                    assertThat(found.offset())
                            .as("%s came back though %s was confirmed", found, entry)
                            .isGreaterThanOrEqualTo(entry.offset());
                }
            });
        }

        private static List<Entry> read(LogPartition partition) {
            List<Entry> found = new ArrayList<>();
            long next = partition.logStartOffset();
            long lastOffset = -1;
            while (next < partition.highWatermark()) {
                LogSlice slice = partition.read(next, 4000, Isolation.HIGH_WATERMARK);
                try {
                    if (slice.sizeInBytes() == 0) {
                        break;
                    }
                    ByteBuffer bytes = ByteBuffer.allocate(slice.sizeInBytes());
                    slice.readFully(0, bytes);
                    for (MutableRecordBatch batch :
                            MemoryRecords.readableRecords(bytes.flip()).batches()) {
                        batch.ensureValid();
                        assertThat(batch.timestampType()).isEqualTo(TimestampType.CREATE_TIME);
                        long greatest = -1;
                        for (Record record : batch) {
                            assertThat(record.offset()).isGreaterThan(lastOffset);
                            lastOffset = record.offset();
                            greatest = Math.max(greatest, record.timestamp());
                            found.add(new Entry(record.offset(), text(record.key()), text(record.value())));
                        }
                        assertThat(batch.maxTimestamp()).isEqualTo(greatest);
                    }
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

        private static String text(ByteBuffer bytes) {
            return bytes == null ? null : UTF_8.decode(bytes).toString();
        }
    }
}
