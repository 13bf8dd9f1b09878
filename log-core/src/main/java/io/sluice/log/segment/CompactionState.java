package io.sluice.log.segment;

import io.sluice.io.FileSystem;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.recovery.DurableFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/**
 * How far a partition is compacted: file {@code compaction.state}, magic 4, version 4, the two fields, CRC-32C. Without it
 * everything is looked at again, so a damaged one is passed over.
 *
 * @param cleanedTo offset below which each key occurs at most once
 * @param horizon when the first tombstone below may go, epoch ms; {@link Long#MAX_VALUE} if there is none
 */
public record CompactionState(long cleanedTo, long horizon) {
    public static final CompactionState NONE = new CompactionState(0, Long.MAX_VALUE);

    private static final String FILE = "compaction.state";
    private static final int MAGIC = 0x534C434D; // SLCM
    private static final int VERSION = 1;

    /** Reads the state of a partition; {@link #NONE} if there is none. */
    public static CompactionState read(FileSystem files, Path directory) throws IOException {
        try {
            ByteBuffer bytes = DurableFiles.read(files, directory.resolve(FILE), MAGIC, VERSION);
            return bytes == null ? NONE : new CompactionState(bytes.getLong(), bytes.getLong());
        } catch (LogException e) {
            if (e.reason() == Reason.UNSUPPORTED_FORMAT) {
                throw e;
            }
            return NONE;
        }
    }

    /** Replaces the state durably. */
    public void write(FileSystem files, Path directory) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(28);
        bytes.putInt(MAGIC).putInt(VERSION).putLong(cleanedTo).putLong(horizon);
        DurableFiles.replace(files, directory, FILE, DurableFiles.withChecksum(bytes));
    }
}
