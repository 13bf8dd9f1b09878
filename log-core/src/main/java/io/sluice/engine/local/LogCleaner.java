package io.sluice.engine.local;

import io.sluice.io.FileSystem;
import io.sluice.io.NoSpaceException;
import io.sluice.log.LogException;
import io.sluice.log.StreamConfig;
import io.sluice.log.segment.CompactionState;
import io.sluice.log.segment.OpenFiles;
import io.sluice.log.segment.Segment;
import io.sluice.log.segment.SegmentCompactor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Retention by age and size, compaction by key, and forgetting idle producers. Cleaner thread. */
final class LogCleaner {
    private static final Logger log = LoggerFactory.getLogger(LogCleaner.class);

    private final LocalLogEngine engine;
    private final FileSystem files;
    private final OpenFiles budget;
    /** Partitions that cannot be compacted, as was said once. */
    private final Set<LocalPartition> damaged = new HashSet<>();

    private boolean waitsForSpace;

    LogCleaner(LocalLogEngine engine, FileSystem files, OpenFiles budget) {
        this.engine = engine;
        this.files = files;
        this.budget = budget;
    }

    void run() {
        long now = engine.clock().epochMillis();
        damaged.removeIf(LocalPartition::isClosed);
        for (LocalPartition partition : engine.partitions()) {
            if (!partition.isClosed()) {
                retain(partition, now);
                partition.producers().expire(now, engine.settings().producerIdleMillis());
                compact(partition, now);
            }
        }
    }

    private void retain(LocalPartition partition, long now) {
        StreamConfig config = partition.stream().config();
        if (!config.delete()) {
            return;
        }
        Segment[] segments = partition.segments().all();
        long size = partition.sizeInBytes();
        long start = partition.logStartOffset();
        for (int i = 0; i + 1 < segments.length; i++) {
            Segment segment = segments[i];
            boolean old = config.retentionMillis() >= 0 && now - segment.maxTimestamp() > config.retentionMillis();
            boolean tooMuch = config.retentionBytes() >= 0 && size - segment.size() >= config.retentionBytes();
            if (!old && !tooMuch || segments[i + 1].baseOffset() > partition.highWatermark()) {
                break;
            }
            size -= segment.size();
            start = segments[i + 1].baseOffset();
        }
        partition.raiseLogStart(start);
    }

    private void compact(LocalPartition partition, long now) {
        if (!partition.stream().config().compact()
                || damaged.contains(partition)
                || engine.growth() == DiskWatch.Growth.NOTHING) {
            return;
        }
        Path directory = partition.segments().directory();
        try {
            CompactionState state = partition.compaction(files);
            List<Segment> segments = worth(partition, state, now);
            if (segments.isEmpty()) {
                return;
            }
            long before = partition.sizeInBytes();
            SegmentCompactor compactor = new SegmentCompactor(
                    files,
                    directory,
                    budget,
                    partition.stream().config(),
                    engine.settings().compactionBytes(),
                    engine.settings().maxDecodedBytes(),
                    now,
                    () -> engine.isClosed() || partition.isClosed());
            CompactionState after = compactor.run(segments, state, partition.segments()::replace);
            after.write(files, directory);
            partition.compacted(after);
            engine.decodedCache().drop(partition.id());
            log.debug(
                    "Compacted {} up to offset {}: {} bytes less",
                    partition,
                    after.cleanedTo(),
                    before - partition.sizeInBytes());
            waitsForSpace = false;
        } catch (NoSpaceException e) {
            if (!waitsForSpace) {
                waitsForSpace = true;
                log.warn("Compaction of {} waits for disk space: {}", partition, e.getMessage());
            }
        } catch (UncheckedIOException e) {
            if (!partition.isClosed()) {
                engine.fail("Replacing segments of " + partition + " failed", e);
            }
        } catch (IOException | LogException e) {
            if (partition.isClosed() || engine.isClosed()) {
                return;
            }
            damaged.add(partition);
            log.error("{} cannot be compacted; it is kept as it is until a restart", partition, e);
        }
    }

    /**
     * The closed segments, if a run is worth it: at least half of their bytes are new, or a tombstone's time has come. What a
     * checkpoint does not cover yet is left out, since recovery takes gaps in it for losses.
     */
    private static List<Segment> worth(LocalPartition partition, CompactionState state, long now) {
        Segment[] all = partition.segments().all();
        long bound = Math.min(partition.highWatermark(), partition.recoveryPoint());
        List<Segment> closed = new ArrayList<>();
        long bytes = 0;
        long fresh = 0;
        for (int i = 0; i + 1 < all.length && all[i].isSettled() && all[i + 1].baseOffset() <= bound; i++) {
            closed.add(all[i]);
            bytes += all[i].size();
            if (all[i + 1].baseOffset() > state.cleanedTo()) {
                fresh += all[i].size();
            }
        }
        boolean due = fresh > 0 && fresh * 2 >= bytes || state.horizon() <= now && bytes > 0;
        return due ? closed : List.of();
    }
}
