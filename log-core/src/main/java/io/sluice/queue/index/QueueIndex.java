package io.sluice.queue.index;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.queue.ReferenceVisitor;

/**
 * The references of a queue in their order, first in, first out. The first ones and the last ones are in the heap; what lies
 * between is in sealed blocks of a {@link BlockStore}, so that a long backlog costs the heap eight bytes per block
 * of messages. Each reference has a number, which rises by one from the first to the last and never changes. Not thread-safe.
 */
public final class QueueIndex {
    /** References that an empty index keeps room for. */
    private static final int KEEP = 256;

    private static final long[] NO_BLOCKS = new long[0];

    private final BlockStore store;
    /** References of a sealed block; up to twice as many at the head are not sealed: most queues never have more. */
    private final int block;

    private final ReferenceRing head = new ReferenceRing();
    private ReferenceRing tail = head;
    private long[] blocks = NO_BLOCKS;
    private int firstBlock;
    private int blockCount;
    private long first;

    /** An empty index; the number of its first reference will be {@code first}. */
    public QueueIndex(BlockStore store, long first) {
        this.store = store;
        block = store.references();
        this.first = first;
    }

    public boolean isEmpty() {
        return head.size() == 0;
    }

    public long size() {
        return head.size() + (long) blockCount * block + (tail == head ? 0 : tail.size());
    }

    /** Number of the first reference; if empty, of the next that is added. */
    public long first() {
        return first;
    }

    public void add(long position, long state, long expiry) {
        if (tail == head) {
            if (head.size() < 2 * block) {
                head.add(position, state, expiry);
                return;
            }
            tail = new ReferenceRing();
        }
        tail.add(position, state, expiry);
        if (tail.size() == block) {
            seal();
        }
    }

    public long firstPosition() {
        return head.position(0);
    }

    public long firstState() {
        return head.state(0);
    }

    public long firstExpiry() {
        return head.expiry(0);
    }

    /**
     * Removes the first reference; there must be one.
     *
     * @throws io.sluice.log.LogException if the block behind it cannot be read: nothing has changed then, it can be tried again
     */
    public void removeFirst() {
        if (head.size() > 1) {
            head.removeFirst();
        } else {
            refill();
        }
        first++;
    }

    /**
     * Shows references from a number on; stops after at least {@code max}, at a block's end.
     *
     * @return the number to go on with, -1 after the last
     * @throws io.sluice.log.LogException if a block cannot be read
     */
    public long visit(long from, int max, ReferenceVisitor visitor) {
        long at = Math.max(from, first);
        long end = first + size();
        long stop = at + max;
        if (at < first + head.size()) {
            int until = (int) Math.min(head.size(), stop - first);
            show(head, (int) (at - first), until, visitor);
            at = first + until;
        }
        long firstSealed = first + head.size();
        while (at < stop && at < firstSealed + (long) blockCount * block) {
            int sealed = (int) ((at - firstSealed) / block);
            int skip = (int) ((at - firstSealed) % block);
            int[] seen = new int[1];
            decode(blocks[(firstBlock + sealed) & (blocks.length - 1)], (position, state, expiry) -> {
                if (seen[0]++ >= skip) {
                    visitor.visit(position, state, expiry);
                }
            });
            at += block - skip;
        }
        if (at < stop && at < end) {
            long firstOfTail = firstSealed + (long) blockCount * block;
            int until = (int) Math.min(tail.size(), stop - firstOfTail);
            show(tail, (int) (at - firstOfTail), until, visitor);
            at = firstOfTail + until;
        }
        return at >= end ? -1 : at;
    }

    /** Forgets all references, and shows nothing of them to anybody. */
    public void clear() {
        first += size();
        for (int i = 0; i < blockCount; i++) {
            store.free(blocks[(firstBlock + i) & (blocks.length - 1)]);
        }
        blocks = NO_BLOCKS;
        blockCount = 0;
        head.clear(0);
        tail = head;
    }

    private void seal() {
        ByteBuf out = Unpooled.buffer(2 * block);
        try {
            ReferenceCodec codec = new ReferenceCodec();
            codec.reset();
            for (int i = 0; i < block; i++) {
                codec.write(out, tail.position(i), tail.state(i), tail.expiry(i));
            }
            if (blockCount == blocks.length) {
                grow();
            }
            blocks[(firstBlock + blockCount) & (blocks.length - 1)] = store.put(out);
            blockCount++;
        } finally {
            out.release();
        }
        tail.clear(block);
    }

    /** The last reference of the head goes, the next ones take its place. */
    private void refill() {
        if (blockCount > 0) {
            long oldest = blocks[firstBlock];
            ByteBuf bytes = load(oldest);
            try {
                head.clear(2 * block);
                new ReferenceCodec().read(bytes, block, head::add);
            } finally {
                bytes.release();
            }
            firstBlock = (firstBlock + 1) & (blocks.length - 1);
            blockCount--;
            store.free(oldest);
            if (blockCount == 0 && tail.size() == 0) {
                tail = head;
            }
        } else if (tail != head) {
            // few or many, they are the head now
            head.clear(2 * block);
            for (int i = 0; i < tail.size(); i++) {
                head.add(tail.position(i), tail.state(i), tail.expiry(i));
            }
            tail = head;
            blocks = NO_BLOCKS;
        } else {
            head.clear(KEEP);
        }
    }

    private void decode(long id, ReferenceVisitor visitor) {
        ByteBuf bytes = load(id);
        try {
            new ReferenceCodec().read(bytes, block, visitor);
        } finally {
            bytes.release();
        }
    }

    private ByteBuf load(long id) {
        ByteBuf bytes = Unpooled.buffer(2 * block);
        boolean loaded = false;
        try {
            store.get(id, bytes);
            loaded = true;
            return bytes;
        } finally {
            if (!loaded) {
                bytes.release();
            }
        }
    }

    private void grow() {
        long[] wider = new long[Math.max(8, blocks.length * 2)];
        for (int i = 0; i < blockCount; i++) {
            wider[i] = blocks[(firstBlock + i) & (blocks.length - 1)];
        }
        blocks = wider;
        firstBlock = 0;
    }

    private static void show(ReferenceRing ring, int from, int until, ReferenceVisitor visitor) {
        for (int i = from; i < until; i++) {
            visitor.visit(ring.position(i), ring.state(i), ring.expiry(i));
        }
    }
}
