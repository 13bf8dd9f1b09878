package io.sluice.queue.index;

import io.netty.buffer.ByteBuf;
import io.sluice.log.LogException;
import java.util.Random;

/** Blocks of which every second one, at random, cannot be read at once. */
final class FlakyBlocks implements BlockStore {
    private final Random random;
    private final MemoryBlocks blocks;
    private int failures;

    FlakyBlocks(Random random, MemoryBlocks blocks) {
        this.random = random;
        this.blocks = blocks;
    }

    /** How often a block could not be read. */
    int failures() {
        return failures;
    }

    @Override
    public int references() {
        return blocks.references();
    }

    @Override
    public long put(ByteBuf block) {
        return blocks.put(block);
    }

    @Override
    public void get(long id, ByteBuf into) {
        if (random.nextBoolean()) {
            failures++;
            throw new LogException(LogException.Reason.IO_ERROR, "cannot be read now");
        }
        blocks.get(id, into);
    }

    @Override
    public void free(long id) {
        blocks.free(id);
    }

    @Override
    public void close() {
        blocks.close();
    }
}
