package io.sluice.queue.index;

import io.netty.buffer.ByteBuf;

/**
 * Keeps sealed blocks of queue indexes. Blocks are derived data: they are gone after a restart, and rebuilt from checkpoint and
 * log. Not thread-safe: one shard's.
 */
public interface BlockStore extends AutoCloseable {
    /** References of a block. */
    int references();

    /**
     * Keeps the readable bytes of a block; does not take the buffer over.
     *
     * @return its id, not negative; reused once it is freed
     */
    long put(ByteBuf block);

    /**
     * Appends a kept block to {@code into}.
     *
     * @throws io.sluice.log.LogException IO_ERROR, or CORRUPT_BATCH if it does not read back as it was put
     */
    void get(long id, ByteBuf into);

    /** Forgets a block. */
    void free(long id);

    /** Forgets all. */
    @Override
    void close();
}
