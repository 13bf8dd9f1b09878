package io.sluice.log.recovery;

import io.sluice.io.FileSystem;
import io.sluice.io.StorageFile;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Small files that are replaced as a whole: magic, version, content, CRC-32C. Written beside, synced, renamed, directory synced.
 */
public final class DurableFiles {
    private DurableFiles() {}

    /** Puts the checksum of what was written behind it; {@code bytes} has 4 bytes left. */
    public static ByteBuffer withChecksum(ByteBuffer bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.duplicate().flip());
        return bytes.putInt((int) crc.getValue()).flip();
    }

    /** Replaces a file durably. */
    public static void replace(FileSystem files, Path directory, String name, ByteBuffer bytes) throws IOException {
        Path beside = directory.resolve(name + ".tmp");
        files.delete(beside);
        try (StorageFile file = files.open(beside, true)) {
            file.write(0, bytes);
            file.sync(true);
        }
        files.rename(beside, directory.resolve(name));
        files.syncDirectory(directory);
    }

    /**
     * Reads a file.
     *
     * @return what stands after magic and version, null if the file is missing
     * @throws LogException UNSUPPORTED_FORMAT for another magic or version, IO_ERROR if the checksum does not match
     */
    public static @Nullable ByteBuffer read(FileSystem files, Path path, int magic, int version) throws IOException {
        if (!files.exists(path)) {
            return null;
        }
        try (StorageFile file = files.open(path, false)) {
            long size = file.size();
            if (size < 12 || size > Integer.MAX_VALUE - 8) {
                throw new LogException(Reason.IO_ERROR, path + " is damaged: " + size + " bytes");
            }
            ByteBuffer bytes = ByteBuffer.allocate((int) size);
            file.readFully(0, bytes);
            bytes.flip();
            if (bytes.getInt() != magic) {
                throw new LogException(Reason.UNSUPPORTED_FORMAT, path + " is not a file of this kind");
            }
            int found = bytes.getInt();
            if (found != version) {
                throw new LogException(
                        Reason.UNSUPPORTED_FORMAT, path + " has version " + found + ", this program knows " + version);
            }
            int content = bytes.limit() - 4;
            CRC32C crc = new CRC32C();
            crc.update(bytes.array(), 0, content);
            if (bytes.getInt(content) != (int) crc.getValue()) {
                throw new LogException(Reason.IO_ERROR, path + " is damaged: checksum does not match");
            }
            return bytes.limit(content);
        }
    }
}
