package io.sluice.log;

import io.netty.util.ReferenceCounted;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import org.jspecify.annotations.Nullable;

/**
 * Whole record batches of one partition, ready to go out. The first batch is the one that holds the offset asked for, so it
 * may start below it. Holds its segment open until released; the reader releases it once.
 */
public interface LogSlice extends ReferenceCounted {
    /** Base offset of the first batch, or the offset asked for if the slice is empty. */
    long baseOffset();

    /** Offset after the last batch of the slice. */
    long nextOffset();

    /** Bytes in the slice; 0 = nothing visible yet at that offset. */
    int sizeInBytes();

    /** The segment's file for {@code sendfile}, null where the file system has none (simulation). */
    @Nullable
    FileChannel channel();

    /** Position of the slice in {@link #channel()}, bytes. */
    long position();

    /**
     * True if the bytes are probably not in the page cache: {@link #load} them on the reader pool first, since {@code sendfile} of
     * uncached pages blocks its thread.
     */
    boolean isCold();

    /** Brings the bytes into the page cache; blocks on the disk. */
    void load() throws IOException;

    /** Copies bytes of the slice into {@code target} (its remaining bytes), starting {@code from} bytes into the slice. */
    void readFully(int from, ByteBuffer target) throws IOException;
}
