package io.sluice.engine.local;

import io.sluice.io.FileSystem;
import io.sluice.io.StorageFile;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamInfo;
import io.sluice.log.producer.ProducerStates;
import io.sluice.log.record.BatchFormat;
import io.sluice.log.recovery.Checkpoint;
import io.sluice.log.recovery.EpochHistory;
import io.sluice.log.segment.CompactionSwap;
import io.sluice.log.segment.OpenFiles;
import io.sluice.log.segment.Segment;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens a partition's directory. After a clean stop the files are taken as they are; after an unclean one every batch above the
 * recovery point is checked, the log cut at the first torn one and what lies behind it removed: the write-ahead log brings back
 * what was committed.
 */
final class PartitionOpener {
    private static final Logger log = LoggerFactory.getLogger(PartitionOpener.class);
    static final String PRODUCERS = "producers.snapshot";

    private final LocalLogEngine engine;
    private final FileSystem files;
    private final OpenFiles budget;
    private final boolean clean;

    PartitionOpener(LocalLogEngine engine, FileSystem files, OpenFiles budget, boolean clean) {
        this.engine = engine;
        this.files = files;
        this.budget = budget;
        this.clean = clean;
    }

    /** Opens a partition; {@code groups} sees what is above its recovery point. */
    LocalPartition open(
            StreamInfo stream,
            PartitionId id,
            Path directory,
            Checkpoint.@Nullable Entry entry,
            Segment.BatchVisitor groups)
            throws IOException {
        return open(stream, id, directory, entry, Long.MAX_VALUE, groups);
    }

    /** As above, and cuts off the batch at {@code bound} and all that follows. */
    LocalPartition open(
            StreamInfo stream,
            PartitionId id,
            Path directory,
            Checkpoint.@Nullable Entry entry,
            long bound,
            Segment.BatchVisitor groups)
            throws IOException {
        List<Long> bases = tidy(directory);
        long now = engine.clock().epochMillis();
        long logStart = entry == null ? 0 : entry.logStart();
        bases = removeBelow(directory, bases, logStart, now);
        ProducerStates producers = new ProducerStates();
        loadProducers(producers, directory);
        EpochHistory[] epochs = {entry == null ? EpochHistory.EMPTY : entry.epochs()};
        List<Segment> segments = new ArrayList<>();
        if (clean && entry != null) {
            for (int i = 0; i < bases.size(); i++) {
                boolean last = i == bases.size() - 1;
                long next = last ? entry.endOffset() : bases.get(i + 1);
                segments.add(Segment.open(files, directory, bases.get(i), next, budget, now, last));
            }
        } else {
            long trusted = entry == null ? 0 : entry.recoveryPoint();
            recover(directory, bases, trusted, bound, now, producers, epochs, segments, groups);
        }
        long end;
        if (segments.isEmpty()) {
            end = Math.max(logStart, clean && entry != null ? entry.endOffset() : 0);
            segments.add(Segment.create(files, directory, end, budget, now));
        } else {
            end = segments.get(segments.size() - 1).nextOffset();
        }
        if (!clean) {
            producers.truncate(end);
        }
        logStart = Math.max(logStart, segments.get(0).baseOffset());
        if (epochs[0].size() == 0) {
            epochs[0] = epochs[0].with(0, logStart);
        }
        return new LocalPartition(
                engine,
                id,
                stream,
                new SegmentList(files, directory, budget, segments),
                producers,
                epochs[0],
                Math.min(logStart, end),
                end);
    }

    /** Removes segments that were deleted before the checkpoint, and whose names a power cut brought back. */
    private List<Long> removeBelow(Path directory, List<Long> bases, long logStart, long now) throws IOException {
        int first = 0;
        while (first + 1 < bases.size() && bases.get(first + 1) <= logStart) {
            long base = bases.get(first);
            Segment.open(files, directory, base, base, budget, now, false).delete();
            first++;
        }
        return bases.subList(first, bases.size());
    }

    private void recover(
            Path directory,
            List<Long> bases,
            long trusted,
            long bound,
            long now,
            ProducerStates producers,
            EpochHistory[] epochs,
            List<Segment> segments,
            Segment.BatchVisitor groups)
            throws IOException {
        int i = 0;
        while (i + 1 < bases.size() && bases.get(i + 1) <= trusted) {
            segments.add(Segment.open(files, directory, bases.get(i), bases.get(i + 1), budget, now, false));
            i++;
        }
        int closed = i;
        boolean cut = false;
        for (; i < bases.size(); i++) {
            long base = bases.get(i);
            // Above the recovery point offsets have no gaps: one between segments is a tail that never reached the
            // disk.
            if (!segments.isEmpty()
                    && base
                            > Math.max(
                                    trusted, segments.get(segments.size() - 1).nextOffset())) {
                cut = true;
            }
            cut |= base >= bound && !segments.isEmpty();
            if (cut) {
                log.warn("Removing segment {} of {}: it follows a torn write", base, directory);
                Segment.open(files, directory, base, base, budget, now, false).delete();
                continue;
            }
            Segment segment = Segment.recover(files, directory, base, trusted, bound, budget, now, (bytes, at) -> {
                groups.visit(bytes, at);
                producers.appended(bytes, at, now);
                int epoch = BatchFormat.leaderEpoch(bytes, at);
                if (epoch > epochs[0].last()) {
                    epochs[0] = epochs[0].with(epoch, BatchFormat.baseOffset(bytes, at));
                }
            });
            if (segment.cutBytes() > 0) {
                log.info("Cut {} torn bytes from segment {} of {}", segment.cutBytes(), base, directory);
                cut = true;
            }
            if (!segments.isEmpty() && !cut) {
                // A segment that was rolled: the one before takes no more appends.
                segments.get(segments.size() - 1).close();
            }
            segments.add(segment);
        }
        if (closed > 0 && segments.size() == closed) {
            // all that followed was cut: what is left takes no more appends
            segments.add(
                    Segment.create(files, directory, segments.get(closed - 1).nextOffset(), budget, now));
        }
    }

    private void loadProducers(ProducerStates producers, Path directory) throws IOException {
        Path path = directory.resolve(PRODUCERS);
        if (!files.exists(path)) {
            return;
        }
        try (StorageFile file = files.open(path, false)) {
            ByteBuffer bytes = ByteBuffer.allocate((int) file.size());
            file.readFully(0, bytes);
            if (!producers.load(bytes.flip())) {
                log.warn("Producer snapshot of {} is damaged: sequences start anew", directory);
            }
        }
    }

    /** Removes strays and lists the segments' base offsets. */
    private List<Long> tidy(Path directory) throws IOException {
        CompactionSwap.recover(files, directory);
        Set<Long> bases = new HashSet<>();
        List<String> names = files.list(directory);
        for (String name : names) {
            if (name.endsWith(".tmp")) {
                files.delete(directory.resolve(name));
            }
        }
        for (String name : files.list(directory)) {
            if (name.endsWith(".log")) {
                bases.add(Long.parseLong(name.substring(0, name.length() - 4)));
            }
        }
        for (String name : files.list(directory)) {
            int dot = name.indexOf('.');
            if ((name.endsWith(".index") || name.endsWith(".timeindex"))
                    && !bases.contains(Long.parseLong(name.substring(0, dot)))) {
                files.delete(directory.resolve(name));
            }
        }
        return bases.stream().sorted().toList();
    }
}
