package io.sluice.engine.local;

import io.sluice.io.Entropy;
import io.sluice.io.FileSystem;
import io.sluice.io.NoSpaceException;
import io.sluice.log.PartitionId;
import io.sluice.log.recovery.Checkpoint;
import io.sluice.log.recovery.DurableFiles;
import io.sluice.log.wal.WriteAheadLog;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * Syncs segments, notes how far they are durable and gives write-ahead log files back. One thread at a time (the engine's
 * checkpoint executor, or whoever opens or closes the engine).
 */
final class Checkpointer {
    private final LocalLogEngine engine;
    private final FileSystem files;
    private final Path directory;
    private final Entropy entropy;
    private long bytesAtLast;
    private long sequenceAtLast = -1;
    private final Map<PartitionId, Long> endsAtLast = new HashMap<>();

    Checkpointer(LocalLogEngine engine, FileSystem files, Path directory, Entropy entropy) {
        this.engine = engine;
        this.files = files;
        this.directory = directory;
        this.entropy = entropy;
    }

    /** Bytes of write-ahead log since the last checkpoint. */
    long pendingBytes() {
        return engine.wal().bytesWritten() - bytesAtLast;
    }

    /**
     * Takes a checkpoint.
     *
     * @throws NoSpaceException if there is no space for it, or a writer waits for space: the last one stays in force
     * @throws IOException if a sync failed: the engine must be fenced
     */
    synchronized Checkpoint take() throws IOException {
        WriteAheadLog wal = engine.wal();
        long bytes = wal.bytesWritten();
        // first, so that the segments have all passes that it counts
        long sequence = wal.lastSequence();
        Map<LocalPartition, Long> ends = engine.endsBetweenPasses();
        Map<PartitionId, Checkpoint.Entry> entries = new HashMap<>();
        for (Map.Entry<LocalPartition, Long> found : ends.entrySet()) {
            LocalPartition partition = found.getKey();
            long end = found.getValue();
            if (partition.isClosed()) {
                continue;
            }
            try {
                partition.segments().sync();
                ByteBuffer producers = partition.producers().snapshotIfChanged();
                if (producers != null) {
                    replaceProducers(partition, producers);
                }
            } catch (IOException e) {
                if (partition.isClosed()) {
                    continue;
                }
                throw e;
            }
            endsAtLast.put(partition.id(), end);
            entries.put(partition.id(), new Checkpoint.Entry(end, partition.logStartOffset(), end, partition.epochs()));
        }
        Checkpoint checkpoint = new Checkpoint(entropy.nextLong(), sequence + 1, entries);
        checkpoint.write(files, directory);
        entries.forEach((id, entry) -> {
            LocalPartition partition = engine.local(id);
            if (partition != null) {
                partition.recoveryPoint(entry.recoveryPoint());
            }
        });
        wal.recycle(sequence);
        bytesAtLast = bytes;
        sequenceAtLast = sequence;
        return checkpoint;
    }

    private void replaceProducers(LocalPartition partition, ByteBuffer producers) throws IOException {
        boolean written = false;
        try {
            DurableFiles.replace(files, partition.segments().directory(), PartitionOpener.PRODUCERS, producers);
            written = true;
        } finally {
            if (!written) {
                partition.producers().markChanged();
            }
        }
    }

    /** Takes the checkpoint of a clean stop and marks it so. */
    synchronized void takeLast() throws IOException {
        for (LocalPartition partition : engine.partitions()) {
            partition.segments().active().close();
            partition.segments().active().trim();
        }
        take().markClean(files, directory);
    }

    /** True if nothing was written or compacted since the last checkpoint. */
    synchronized boolean isIdle() {
        if (engine.wal().lastSequence() != sequenceAtLast) {
            return false;
        }
        for (LocalPartition partition : engine.partitions()) {
            Long end = endsAtLast.get(partition.id());
            if (end == null
                    || end != partition.writtenEnd()
                    || partition.hasRemoved()
                    || !partition.segments().isSettled()) {
                return false;
            }
        }
        return true;
    }
}
