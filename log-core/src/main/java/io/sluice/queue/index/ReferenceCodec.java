package io.sluice.queue.index;

import io.netty.buffer.ByteBuf;
import io.sluice.log.LogException;
import io.sluice.queue.Reference;
import io.sluice.queue.ReferenceVisitor;
import java.util.Arrays;

/**
 * Encodes runs of references, each as what differs from the one before: one byte for a message that follows its predecessor in
 * the same partition with the same size, a few more otherwise. A run is read from its beginning.
 *
 * <pre>
 * entry   flags (1 byte), then as flagged, numbers as zigzag varlongs unless noted
 *   1     partition (1 byte), if it is not the one before
 *   2     offset less the last offset of this partition in the run less 1, if that is not 0
 *   4     size less the size before, if that is not 0
 *   8     upper half of the state (4 bytes), if it is not the one before
 *   16    expiry less the expiry before, if that is not 0
 * </pre>
 *
 * Not thread-safe; one object encodes or decodes one run at a time.
 */
public final class ReferenceCodec {
    private static final int PARTITION = 1;
    private static final int OFFSET = 2;
    private static final int SIZE = 4;
    private static final int STATE = 8;
    private static final int EXPIRY = 16;

    private final long[] lastOffsets = new long[Reference.MEMORY_PARTITION + 1];
    private int partition;
    private int size;
    private int upperState;
    private long expiry;

    /** Begins a run. */
    public void reset() {
        Arrays.fill(lastOffsets, -1);
        partition = 0;
        size = 0;
        upperState = 0;
        expiry = Reference.NEVER;
    }

    /** Writes the next reference of the run. */
    public void write(ByteBuf out, long position, long state, long expires) {
        int flagsAt = out.writerIndex();
        out.writeByte(0);
        int flags = 0;
        int newPartition = Reference.partition(position);
        if (newPartition != partition) {
            flags |= PARTITION;
            out.writeByte(newPartition);
            partition = newPartition;
        }
        long offset = Reference.offset(position);
        long gap = offset - lastOffsets[partition] - 1;
        if (gap != 0) {
            flags |= OFFSET;
            writeZigzag(out, gap);
        }
        lastOffsets[partition] = offset;
        int newSize = Reference.size(state);
        if (newSize != size) {
            flags |= SIZE;
            writeZigzag(out, (long) newSize - size);
            size = newSize;
        }
        int newUpper = (int) (state >>> Integer.SIZE);
        if (newUpper != upperState) {
            flags |= STATE;
            out.writeInt(newUpper);
            upperState = newUpper;
        }
        if (expires != expiry) {
            flags |= EXPIRY;
            writeZigzag(out, expires - expiry);
            expiry = expires;
        }
        out.setByte(flagsAt, flags);
    }

    /**
     * Reads {@code count} references.
     *
     * @throws LogException CORRUPT_BATCH if they are damaged
     */
    public void read(ByteBuf in, int count, ReferenceVisitor visitor) {
        reset();
        for (int i = 0; i < count; i++) {
            int flags = in.readByte();
            if ((flags & PARTITION) != 0) {
                partition = in.readByte();
                if (partition < 0) {
                    throw damaged("partition " + partition);
                }
            }
            long offset = lastOffsets[partition] + 1 + ((flags & OFFSET) != 0 ? readZigzag(in) : 0);
            lastOffsets[partition] = offset;
            if ((flags & SIZE) != 0) {
                size += (int) readZigzag(in);
            }
            if ((flags & STATE) != 0) {
                upperState = in.readInt();
            }
            if ((flags & EXPIRY) != 0) {
                expiry += readZigzag(in);
            }
            visitor.visit(
                    Reference.position(partition, offset),
                    (long) upperState << Integer.SIZE | (size & 0xFFFF_FFFFL),
                    expiry);
        }
    }

    private static void writeZigzag(ByteBuf out, long value) {
        long left = value << 1 ^ value >> 63;
        while ((left & ~0x7FL) != 0) {
            out.writeByte((int) (left & 0x7F) | 0x80);
            left >>>= 7;
        }
        out.writeByte((int) left);
    }

    private static long readZigzag(ByteBuf in) {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            byte b = in.readByte();
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return value >>> 1 ^ -(value & 1);
            }
        }
        throw damaged("a number is longer than 10 bytes");
    }

    private static LogException damaged(String what) {
        return new LogException(LogException.Reason.CORRUPT_BATCH, "references of a queue: " + what);
    }
}
