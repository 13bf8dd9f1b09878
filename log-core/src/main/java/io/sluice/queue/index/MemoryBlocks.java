package io.sluice.queue.index;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Blocks in the heap. */
public final class MemoryBlocks implements BlockStore {
    private final int references;
    private byte[] @Nullable [] blocks = new byte[16][];
    private int[] free = new int[16];
    private int freeCount;
    private int used;
    private long bytes;

    /** An empty store of blocks of 1,024 references. */
    public MemoryBlocks() {
        this(1024);
    }

    /** An empty store of blocks of so many references. */
    public MemoryBlocks(int references) {
        this.references = references;
    }

    @Override
    public int references() {
        return references;
    }

    /** Bytes kept. */
    public long sizeInBytes() {
        return bytes;
    }

    @Override
    public long put(ByteBuf block) {
        byte[] kept = new byte[block.readableBytes()];
        block.getBytes(block.readerIndex(), kept);
        int id;
        if (freeCount > 0) {
            id = free[--freeCount];
        } else {
            if (used == blocks.length) {
                blocks = Arrays.copyOf(blocks, used * 2);
            }
            id = used++;
        }
        blocks[id] = kept;
        bytes += kept.length;
        return id;
    }

    @Override
    public void get(long id, ByteBuf into) {
        into.writeBytes(block(id));
    }

    @Override
    public void free(long id) {
        bytes -= block(id).length;
        blocks[(int) id] = null;
        if (freeCount == free.length) {
            free = Arrays.copyOf(free, freeCount * 2);
        }
        free[freeCount++] = (int) id;
    }

    @Override
    public void close() {
        Arrays.fill(blocks, null);
        used = 0;
        freeCount = 0;
        bytes = 0;
    }

    private byte[] block(long id) {
        byte[] block = blocks[(int) id];
        if (block == null) {
            throw new IllegalStateException("block " + id + " is not kept");
        }
        return block;
    }
}
