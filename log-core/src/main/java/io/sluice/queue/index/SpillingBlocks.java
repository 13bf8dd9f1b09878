package io.sluice.queue.index;

import io.netty.buffer.ByteBuf;
import io.sluice.engine.ScratchSpace;
import io.sluice.io.StorageFile;
import io.sluice.log.LogException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Blocks in the heap up to a budget, in scratch files beyond it. A file is filled from its beginning, deleted when none of its
 * blocks is needed any more, and written anew when less than a quarter of it is: one stuck queue does not hold others' space.
 * A block that cannot be written stays in the heap.
 *
 * <pre>
 * block in a file   CRC32C of what follows (4 bytes), length (4 bytes), the block
 * </pre>
 */
public final class SpillingBlocks implements BlockStore {
    private static final int HEAD = 8;
    private static final long FREE = -1;
    private static final long IN_HEAP = -2;

    private final ScratchSpace scratch;
    private final long heapBudget;
    private final int fileBytes;
    private final int references;

    // by block: where it is, its place in a file or one of the marks above
    private long[] places = new long[16];
    private int[] lengths = new int[16];
    private byte[] @Nullable [] inHeap = new byte[16][];
    private int used;
    private int[] free = new int[16];
    private int freeCount;
    private long heapBytes;

    private @Nullable BlockFile[] files = new BlockFile[4];
    private int current = -1;
    private long created;

    private static final class BlockFile {
        final String name;
        final StorageFile file;
        int end;
        int live;

        BlockFile(String name, StorageFile file) {
            this.name = name;
            this.file = file;
        }
    }

    /**
     * An empty store.
     *
     * @param heapBudget bytes of blocks in the heap
     * @param fileBytes size of a scratch file
     * @param references references of a block
     */
    public SpillingBlocks(ScratchSpace scratch, long heapBudget, int fileBytes, int references) {
        this.scratch = scratch;
        this.heapBudget = heapBudget;
        this.fileBytes = fileBytes;
        this.references = references;
    }

    @Override
    public int references() {
        return references;
    }

    /** Bytes of blocks in the heap. */
    public long heapBytes() {
        return heapBytes;
    }

    /** Bytes of scratch files. */
    public long fileBytes() {
        long bytes = 0;
        for (BlockFile file : files) {
            bytes += file == null ? 0 : file.end;
        }
        return bytes;
    }

    @Override
    public long put(ByteBuf block) {
        int id = newId();
        byte[] bytes = new byte[block.readableBytes()];
        block.getBytes(block.readerIndex(), bytes);
        lengths[id] = bytes.length;
        if (heapBytes + bytes.length <= heapBudget || !write(id, bytes)) {
            places[id] = IN_HEAP;
            inHeap[id] = bytes;
            heapBytes += bytes.length;
        }
        return id;
    }

    @Override
    public void get(long id, ByteBuf into) {
        byte[] bytes = inHeap[(int) id];
        into.writeBytes(bytes == null ? read((int) id) : bytes);
    }

    @Override
    public void free(long id) {
        int block = (int) id;
        long place = places[block];
        if (place == FREE) {
            throw new IllegalStateException("block " + id + " is not kept");
        }
        if (place == IN_HEAP) {
            heapBytes -= lengths[block];
            inHeap[block] = null;
        }
        places[block] = FREE;
        if (freeCount == free.length) {
            free = Arrays.copyOf(free, freeCount * 2);
        }
        free[freeCount++] = block;
        if (place != IN_HEAP) {
            leave(fileOf(place), HEAD + lengths[block]);
        }
    }

    @Override
    public void close() {
        for (int i = 0; i < files.length; i++) {
            if (files[i] != null) {
                drop(i);
            }
        }
        current = -1;
        Arrays.fill(inHeap, null);
        used = 0;
        freeCount = 0;
        heapBytes = 0;
    }

    private int newId() {
        if (freeCount > 0) {
            return free[--freeCount];
        }
        if (used == places.length) {
            places = Arrays.copyOf(places, used * 2);
            lengths = Arrays.copyOf(lengths, used * 2);
            inHeap = Arrays.copyOf(inHeap, used * 2);
        }
        return used++;
    }

    private boolean write(int id, byte[] bytes) {
        int size = HEAD + bytes.length;
        int before = current;
        try {
            BlockFile file = current < 0 ? null : files[current];
            if (file == null || file.end + size > fileBytes && file.end > 0) {
                file = open();
            }
            ByteBuffer out = ByteBuffer.allocate(size);
            out.position(Integer.BYTES);
            out.putInt(bytes.length).put(bytes);
            out.putInt(0, crc(out.array(), size)).flip();
            file.file.write(file.end, out);
            places[id] = (long) current << Integer.SIZE | file.end;
            file.end += size;
            file.live += size;
            if (before >= 0 && before != current) {
                leave(before, 0);
            }
            return true;
        } catch (IOException e) {
            // the heap has to take it; a full disk pauses publishers long before this matters
            return false;
        }
    }

    private BlockFile open() throws IOException {
        int slot = 0;
        while (slot < files.length && files[slot] != null) {
            slot++;
        }
        String name = "index-" + created++;
        BlockFile file = new BlockFile(name, scratch.create(name));
        if (slot == files.length) {
            files = Arrays.copyOf(files, slot * 2);
        }
        files[slot] = file;
        current = slot;
        return file;
    }

    /** So many bytes of the file are not needed any more. */
    private void leave(int slot, int bytes) {
        BlockFile file = files[slot];
        if (file == null) {
            throw new IllegalStateException("no file in slot " + slot);
        }
        file.live -= bytes;
        if (slot == current) {
            return;
        }
        if (file.live == 0) {
            drop(slot);
        } else if (file.live < file.end / 4) {
            move(slot, file);
        }
    }

    private void move(int slot, BlockFile from) {
        for (int id = 0; id < used; id++) {
            if (places[id] >= 0 && fileOf(places[id]) == slot) {
                int size = HEAD + lengths[id];
                if (!rewrite(id)) {
                    // another block that goes from the file brings this back
                    return;
                }
                from.live -= size;
            }
        }
        drop(slot);
    }

    private boolean rewrite(int id) {
        try {
            return write(id, read(id));
        } catch (LogException e) {
            // whoever needs the block says so
            return false;
        }
    }

    private byte[] read(int id) {
        long place = places[id];
        BlockFile file = place < 0 ? null : files[fileOf(place)];
        if (file == null) {
            throw new IllegalStateException("block " + id + " is not kept");
        }
        int size = HEAD + lengths[id];
        ByteBuffer in = ByteBuffer.allocate(size);
        try {
            if (file.file.readFully(place & 0xFFFF_FFFFL, in)
                    && in.getInt(0) == crc(in.array(), size)
                    && in.getInt(Integer.BYTES) == lengths[id]) {
                return Arrays.copyOfRange(in.array(), HEAD, size);
            }
        } catch (IOException e) {
            throw new LogException(LogException.Reason.IO_ERROR, "a queue index cannot be read: " + e.getMessage(), e);
        }
        throw new LogException(
                LogException.Reason.CORRUPT_BATCH, "a queue index is damaged; a restart makes it anew from the log");
    }

    private void drop(int slot) {
        BlockFile file = files[slot];
        files[slot] = null;
        if (file != null) {
            try {
                file.file.close();
                scratch.delete(file.name);
            } catch (IOException e) {
                // wiped by the next start
                return;
            }
        }
    }

    private static int fileOf(long place) {
        return (int) (place >>> Integer.SIZE);
    }

    private static int crc(byte[] block, int size) {
        CRC32C crc = new CRC32C();
        crc.update(block, Integer.BYTES, size - Integer.BYTES);
        return (int) crc.getValue();
    }
}
