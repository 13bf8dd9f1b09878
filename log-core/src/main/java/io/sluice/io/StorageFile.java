package io.sluice.io;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import org.jspecify.annotations.Nullable;

/** An open file. Reads and writes name their position, so threads do not disturb each other. */
public interface StorageFile extends Closeable {
    /**
     * Reads up to {@code target.remaining()} bytes.
     *
     * @return bytes read, -1 at or after the end of the file
     */
    int read(long position, ByteBuffer target) throws IOException;

    /**
     * Writes all remaining bytes of {@code source}.
     *
     * @throws NoSpaceException if the file cannot grow so far; a part of the bytes may be there
     */
    void write(long position, ByteBuffer source) throws IOException;

    long size() throws IOException;

    /** Cuts the file; does nothing if it is not longer. */
    void truncate(long size) throws IOException;

    /**
     * Returns when what was written is on the disk. A failure is final: the kernel may have dropped the pages, so the caller
     * must never take a later success as proof.
     *
     * @param metadata also sync what is not needed to read the data back (fsync instead of fdatasync)
     */
    void sync(boolean metadata) throws IOException;

    /** Brings bytes into the page cache, without a copy where the system can; blocks on the disk. */
    void load(long position, int size) throws IOException;

    /** For {@code sendfile}; null where there is no real file. */
    @Nullable
    FileChannel channel();

    /** Fills {@code target} from {@code position}; false if the file ends first. */
    default boolean readFully(long position, ByteBuffer target) throws IOException {
        long at = position;
        while (target.hasRemaining()) {
            int read = read(at, target);
            if (read < 0) {
                return false;
            }
            at += read;
        }
        return true;
    }

    @Override
    void close() throws IOException;
}
