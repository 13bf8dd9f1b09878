package io.sluice.log.recovery;

import io.sluice.io.FileSystem;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a start needs to know of the last run; replaced atomically by every checkpoint.
 *
 * @param id random number of this checkpoint; the clean-stop marker names it
 * @param walSequence first write-ahead log entry that segments may lack
 * @param partitions state of each partition
 */
public record Checkpoint(long id, long walSequence, Map<PartitionId, Entry> partitions) {
    private static final String FILE = "checkpoint";
    private static final String MARKER = "clean-stop";
    private static final int MAGIC = 0x534C434B; // SLCK
    private static final int MARKER_MAGIC = 0x534C4353; // SLCS
    private static final int VERSION = 1;

    /**
     * State of a partition.
     *
     * @param recoveryPoint offset below which the segments were synced
     * @param logStart first readable offset
     * @param endOffset offset of the next record when the checkpoint was taken: none below it may be used again
     * @param epochs leader epochs and the offsets they started at, ascending
     */
    public record Entry(long recoveryPoint, long logStart, long endOffset, EpochHistory epochs) {}

    /** Writes the checkpoint; it is durable when this returns. */
    public void write(FileSystem files, Path directory) throws IOException {
        int size = 4 + 4 + 8 + 8 + 4 + 4;
        for (Entry entry : partitions.values()) {
            size += 20 + 24 + 4 + 12 * entry.epochs().size();
        }
        ByteBuffer bytes = ByteBuffer.allocate(size);
        bytes.putInt(MAGIC).putInt(VERSION).putLong(id).putLong(walSequence).putInt(partitions.size());
        partitions.forEach((partition, entry) -> {
            bytes.putLong(partition.stream().uuid().getMostSignificantBits())
                    .putLong(partition.stream().uuid().getLeastSignificantBits())
                    .putInt(partition.index())
                    .putLong(entry.recoveryPoint())
                    .putLong(entry.logStart())
                    .putLong(entry.endOffset())
                    .putInt(entry.epochs().size());
            for (int i = 0; i < entry.epochs().size(); i++) {
                bytes.putInt(entry.epochs().epoch(i)).putLong(entry.epochs().start(i));
            }
        });
        DurableFiles.replace(files, directory, FILE, DurableFiles.withChecksum(bytes));
    }

    /** Reads the checkpoint, null if there is none. */
    public static @Nullable Checkpoint read(FileSystem files, Path directory) throws IOException {
        ByteBuffer bytes = DurableFiles.read(files, directory.resolve(FILE), MAGIC, VERSION);
        if (bytes == null) {
            return null;
        }
        long id = bytes.getLong();
        long walSequence = bytes.getLong();
        int count = bytes.getInt();
        Map<PartitionId, Entry> partitions = new java.util.HashMap<>();
        for (int i = 0; i < count; i++) {
            StreamId stream = new StreamId(new UUID(bytes.getLong(), bytes.getLong()));
            PartitionId partition = new PartitionId(stream, bytes.getInt());
            long recoveryPoint = bytes.getLong();
            long logStart = bytes.getLong();
            long endOffset = bytes.getLong();
            int epochs = bytes.getInt();
            EpochHistory history = EpochHistory.EMPTY;
            for (int e = 0; e < epochs; e++) {
                history = history.with(bytes.getInt(), bytes.getLong());
            }
            partitions.put(partition, new Entry(recoveryPoint, logStart, endOffset, history));
        }
        return new Checkpoint(id, walSequence, partitions);
    }

    /** Notes that nothing was written after this checkpoint. */
    public void markClean(FileSystem files, Path directory) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(20);
        bytes.putInt(MARKER_MAGIC).putInt(VERSION).putLong(id);
        DurableFiles.replace(files, directory, MARKER, DurableFiles.withChecksum(bytes));
    }

    /** True if the last stop was clean and left this checkpoint; removes the marker durably. */
    public boolean takeCleanMark(FileSystem files, Path directory) throws IOException {
        Path marker = directory.resolve(MARKER);
        boolean clean = false;
        try {
            ByteBuffer bytes = DurableFiles.read(files, marker, MARKER_MAGIC, VERSION);
            clean = bytes != null && bytes.getLong() == id;
        } catch (LogException e) {
            if (e.reason() == Reason.UNSUPPORTED_FORMAT) {
                throw e;
            }
        }
        files.delete(marker);
        files.syncDirectory(directory);
        return clean;
    }
}
