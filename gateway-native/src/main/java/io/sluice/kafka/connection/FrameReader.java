package io.sluice.kafka.connection;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.kafka.common.protocol.Readable;
import org.apache.kafka.common.record.internal.MemoryRecords;

/**
 * Lets Kafka's generated messages read straight from a frame. Record batches are not copied: their places in the frame are
 * noted in wire order and taken with {@link #retainedRecords}; the message itself is given empty records in their place.
 */
public final class FrameReader implements Readable {
    private final ByteBuf frame;
    private int[] places = new int[8];
    private int count;

    FrameReader(ByteBuf frame) {
        this.frame = frame;
    }

    /** The {@code index}-th record set of the frame in wire order, retained for the caller. */
    public ByteBuf retainedRecords(int index) {
        if (index < 0 || index >= count) {
            throw new IndexOutOfBoundsException("record set " + index + " of " + count);
        }
        return frame.retainedSlice(places[2 * index], places[2 * index + 1]);
    }

    @Override
    public MemoryRecords readRecords(int length) {
        check(length);
        if (2 * count == places.length) {
            places = Arrays.copyOf(places, places.length * 2);
        }
        places[2 * count] = frame.readerIndex();
        places[2 * count + 1] = length;
        count++;
        frame.skipBytes(length);
        return MemoryRecords.EMPTY;
    }

    @Override
    public byte readByte() {
        return frame.readByte();
    }

    @Override
    public short readShort() {
        return frame.readShort();
    }

    @Override
    public int readInt() {
        return frame.readInt();
    }

    @Override
    public long readLong() {
        return frame.readLong();
    }

    @Override
    public double readDouble() {
        return frame.readDouble();
    }

    @Override
    public byte[] readArray(int length) {
        check(length);
        byte[] bytes = new byte[length];
        frame.readBytes(bytes);
        return bytes;
    }

    @Override
    public ByteBuffer readByteBuffer(int length) {
        return ByteBuffer.wrap(readArray(length));
    }

    @Override
    public int readUnsignedVarint() {
        int value = 0;
        for (int shift = 0; shift <= 28; shift += 7) {
            byte b = frame.readByte();
            value |= (b & 0x7F) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw new MalformedRequestException("varint longer than 5 bytes");
    }

    @Override
    public int readVarint() {
        int raw = readUnsignedVarint();
        return (raw >>> 1) ^ -(raw & 1);
    }

    @Override
    public long readVarlong() {
        long raw = 0;
        for (int shift = 0; shift <= 63; shift += 7) {
            byte b = frame.readByte();
            raw |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return (raw >>> 1) ^ -(raw & 1);
            }
        }
        throw new MalformedRequestException("varlong longer than 10 bytes");
    }

    @Override
    public int remaining() {
        return frame.readableBytes();
    }

    @Override
    public Readable slice() {
        return new FrameReader(frame.slice());
    }

    private void check(int length) {
        if (length < 0 || length > frame.readableBytes()) {
            throw new MalformedRequestException(
                    "field of " + length + " bytes in a frame with " + frame.readableBytes() + " bytes left");
        }
    }
}
