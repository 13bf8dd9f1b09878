package io.sluice.log.wal;

import io.sluice.io.StorageFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Gathers what goes to a log file and writes it in whole blocks, as files opened by {@code FileSystem.openDirect} ask for. A block
 * once written is never written again: the last one is filled up with zeros, so no write can tear what was confirmed before.
 * Sync thread only.
 */
final class WalBuffer {
    private static final int BYTES = 1 << 20;

    private final ByteBuffer bytes =
            ByteBuffer.allocateDirect(BYTES + WalFormat.BLOCK).alignedSlice(WalFormat.BLOCK);
    private final CRC32C crc = new CRC32C();
    private int crcFrom;
    private @Nullable StorageFile file;
    private long filePosition;
    private long written;

    /** Goes on at the start of {@code next}; everything before must have been finished. */
    void use(StorageFile next) {
        file = next;
        filePosition = 0;
    }

    /** The buffer to put into, with at least {@code size} bytes of room. */
    ByteBuffer room(int size) throws IOException {
        if (bytes.remaining() < size) {
            writeWholeBlocks();
        }
        return bytes;
    }

    void startChecksum() {
        crc.reset();
        crcFrom = bytes.position();
    }

    /** Puts the CRC-32C of all that was put since {@link #startChecksum}. */
    void putChecksum() throws IOException {
        room(Integer.BYTES);
        checksum();
        bytes.putInt((int) crc.getValue());
    }

    /** Writes everything, filled up to a whole block. */
    void finish() throws IOException {
        while (bytes.position() % WalFormat.BLOCK != 0) {
            bytes.put((byte) 0);
        }
        write(bytes.position());
        bytes.clear();
        crcFrom = 0;
    }

    /** Bytes written to all files. */
    long written() {
        return written;
    }

    private void checksum() {
        crc.update(bytes.duplicate().position(crcFrom).limit(bytes.position()));
        crcFrom = bytes.position();
    }

    private void writeWholeBlocks() throws IOException {
        checksum();
        int end = bytes.position();
        int whole = end - end % WalFormat.BLOCK;
        write(whole);
        bytes.limit(end).position(whole);
        bytes.compact();
        crcFrom = bytes.position();
    }

    private void write(int length) throws IOException {
        StorageFile target = file;
        if (target == null) {
            throw new IllegalStateException("no file in use");
        }
        if (length > 0) {
            target.write(filePosition, bytes.duplicate().position(0).limit(length));
            filePosition += length;
            written += length;
        }
    }
}
