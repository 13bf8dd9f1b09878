package io.sluice.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/** Reads ahead of {@code sendfile}. Thread-safe. */
final class PageCache {
    private static final int PIECE = 128 << 10;

    /** Where the kernel drops pages without copying them; null on systems that have no such file. */
    private static final @Nullable FileChannel SINK = open();

    private PageCache() {}

    private static @Nullable FileChannel open() {
        Path path = Path.of("/dev/null");
        try {
            return Files.exists(path) ? FileChannel.open(path, StandardOpenOption.WRITE) : null;
        } catch (IOException e) {
            return null;
        }
    }

    static void load(FileChannel channel, long position, int size) throws IOException {
        if (SINK == null) {
            ByteBuffer scratch = ByteBuffer.allocateDirect(PIECE);
            for (int at = 0; at < size && channel.read(scratch.clear(), position + at) >= 0; at += PIECE) {}
            return;
        }
        int left = size;
        while (left > 0) {
            long moved = channel.transferTo(position + size - left, left, SINK);
            if (moved <= 0) {
                return;
            }
            left -= (int) moved;
        }
    }
}
