package io.sluice.engine.local;

import io.netty.buffer.ByteBuf;
import io.sluice.io.FileSystem;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamInfo;
import io.sluice.log.recovery.Checkpoint;
import io.sluice.log.segment.OpenFiles;
import io.sluice.log.wal.WalReplay;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens what is in a data directory. After an unclean stop: checks the segments above their recovery points, cuts off groups that
 * are not whole ({@link RecoveredGroups}), replays the write-ahead log into them (idempotent by offset), then starts a new leader epoch in every partition above every offset that the
 * log or the checkpoint names, so that no offset that anybody saw is used twice.
 */
final class Recovery {
    private static final Logger log = LoggerFactory.getLogger(Recovery.class);
    /** Distance to sequences of entries that may lie unread behind a torn one. */
    private static final long SEQUENCE_GAP = 1L << 20;

    private final LocalLogEngine engine;
    private final FileSystem files;
    private final Path root;
    private final Path walDirectory;

    /**
     * What was found.
     *
     * @param unclean the last stop was not clean
     * @param nextSequence for the write-ahead log
     * @param nextFileNumber for the write-ahead log
     */
    record Outcome(
            Collection<StreamInfo> streams,
            Collection<LocalPartition> partitions,
            boolean unclean,
            long nextSequence,
            long nextFileNumber) {}

    Recovery(LocalLogEngine engine, FileSystem files, Path root, Path walDirectory) {
        this.engine = engine;
        this.files = files;
        this.root = root;
        this.walDirectory = walDirectory;
    }

    Outcome run(StreamDirectory directory, OpenFiles openFiles) throws IOException {
        long started = engine.clock().nanoTime();
        Checkpoint found = Checkpoint.read(files, root);
        Checkpoint checkpoint = found == null ? new Checkpoint(0, 0, Map.of()) : found;
        boolean clean = found == null || found.takeCleanMark(files, root);
        List<StreamInfo> streams = directory.load();
        if (found == null && !streams.isEmpty()) {
            clean = false;
        }
        PartitionOpener opener = new PartitionOpener(engine, files, openFiles, clean);
        Map<PartitionId, LocalPartition> partitions = new HashMap<>();
        RecoveredGroups groups = new RecoveredGroups();
        for (StreamInfo stream : streams) {
            for (int i = 0; i < stream.partitions(); i++) {
                PartitionId id = new PartitionId(stream.id(), i);
                Path path = directory.partition(stream.id(), i);
                Checkpoint.Entry entry = checkpoint.partitions().get(id);
                partitions.put(
                        id, opener.open(stream, id, path, entry, (bytes, at) -> groups.inSegment(id, bytes, at)));
            }
        }
        if (!groups.areWhole()) {
            cutTornGroups(groups, checkpoint, directory, opener, partitions);
        }
        long lastSequence = checkpoint.walSequence() - 1;
        long lastFile = -1;
        if (!clean) {
            WalReplay.Result replayed = replay(checkpoint, partitions);
            lastSequence = Math.max(lastSequence, replayed.lastSequence());
            lastFile = replayed.lastFileNumber();
            log.info(
                    "Recovered {} partitions after an unclean stop: {} log entries, {} bytes replayed in {} ms",
                    partitions.size(),
                    replayed.entries(),
                    replayed.bytes(),
                    (engine.clock().nanoTime() - started) / 1_000_000);
        }
        return new Outcome(streams, partitions.values(), !clean, lastSequence + SEQUENCE_GAP, lastFile + 1);
    }

    private void cutTornGroups(
            RecoveredGroups groups,
            Checkpoint checkpoint,
            StreamDirectory directory,
            PartitionOpener opener,
            Map<PartitionId, LocalPartition> partitions)
            throws IOException {
        WalReplay.replay(files, walDirectory, checkpoint.walSequence(), new WalReplay.Sink() {
            @Override
            public void batch(PartitionId id, ByteBuf bytes, int at, int length) {
                groups.inLog(bytes, at);
            }

            @Override
            public void mention(PartitionId id, long offset) {}
        });
        for (Map.Entry<PartitionId, Long> cut : groups.cuts().entrySet()) {
            PartitionId id = cut.getKey();
            LocalPartition whole = partitions.get(id);
            if (whole == null) {
                throw new IllegalStateException("no partition " + id);
            }
            log.info(
                    "Cutting {} at offset {}: what follows belongs to a pass that is not there as a whole",
                    whole,
                    cut.getValue());
            whole.segments().closeFiles();
            Path path = directory.partition(id.stream(), id.index());
            Checkpoint.Entry entry = checkpoint.partitions().get(id);
            partitions.put(id, opener.open(whole.stream(), id, path, entry, cut.getValue(), (bytes, at) -> {}));
        }
    }

    private WalReplay.Result replay(Checkpoint checkpoint, Map<PartitionId, LocalPartition> partitions)
            throws IOException {
        Map<PartitionId, Long> named = new HashMap<>();
        checkpoint.partitions().forEach((id, entry) -> named.put(id, entry.endOffset()));
        SegmentWriter writer = new SegmentWriter(engine.clock());
        WalReplay.Result result = WalReplay.replay(files, walDirectory, checkpoint.walSequence(), new WalReplay.Sink() {
            @Override
            public void batch(PartitionId id, ByteBuf bytes, int at, int length) throws IOException {
                LocalPartition partition = partitions.get(id);
                if (partition != null) {
                    partition.recover(writer, bytes, at, length);
                }
            }

            @Override
            public void mention(PartitionId id, long offset) {
                named.merge(id, offset, Math::max);
            }
        });
        partitions.forEach((id, partition) -> partition.startEpoch(named.getOrDefault(id, 0L)));
        return result;
    }
}
