package io.sluice.log.segment;

import io.netty.util.AbstractReferenceCounted;
import io.sluice.io.StorageFile;
import io.sluice.log.LogSlice;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import org.jspecify.annotations.Nullable;

/** Batches of one segment; its file stays open until the last release. */
final class FileSlice extends AbstractReferenceCounted implements LogSlice {
    private final @Nullable SegmentFile owner;
    private final @Nullable StorageFile file;
    private final long baseOffset;
    private final long nextOffset;
    private final long position;
    private final int size;
    private final boolean cold;

    FileSlice(
            SegmentFile owner,
            StorageFile file,
            long baseOffset,
            long nextOffset,
            long position,
            int size,
            boolean cold) {
        this.owner = owner;
        this.file = file;
        this.baseOffset = baseOffset;
        this.nextOffset = nextOffset;
        this.position = position;
        this.size = size;
        this.cold = cold;
    }

    /** An empty slice. */
    FileSlice(long offset) {
        this.owner = null;
        this.file = null;
        this.baseOffset = offset;
        this.nextOffset = offset;
        this.position = 0;
        this.size = 0;
        this.cold = false;
    }

    @Override
    public long baseOffset() {
        return baseOffset;
    }

    @Override
    public long nextOffset() {
        return nextOffset;
    }

    @Override
    public int sizeInBytes() {
        return size;
    }

    @Override
    public @Nullable FileChannel channel() {
        return file == null ? null : file.channel();
    }

    @Override
    public long position() {
        return position;
    }

    @Override
    public boolean isCold() {
        return cold;
    }

    @Override
    public void load() throws IOException {
        if (file != null) {
            file.load(position, size);
        }
    }

    @Override
    public void readFully(int from, ByteBuffer target) throws IOException {
        if (from < 0 || target.remaining() > size - from) {
            throw new IndexOutOfBoundsException(from + " + " + target.remaining() + " of " + size);
        }
        if (file != null && !file.readFully(position + from, target)) {
            throw new EOFException("segment ends within a slice");
        }
    }

    @Override
    protected void deallocate() {
        if (owner != null) {
            owner.release();
        }
    }

    @Override
    public FileSlice touch(Object hint) {
        return this;
    }
}
