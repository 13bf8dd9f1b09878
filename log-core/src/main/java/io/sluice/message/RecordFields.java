package io.sluice.message;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * Encodes the fields of a Kafka v2 record that follow its offset delta: key, value and headers, each with a zigzag varint
 * length (KIP-98, "Record"). Stateless.
 */
public final class RecordFields {
    private RecordFields() {}

    /** Writes a zigzag varint. */
    public static void writeVarint(ByteBuf out, int value) {
        writeUnsigned(out, (value << 1) ^ (value >> 31));
    }

    /** Writes a zigzag varlong. */
    public static void writeVarlong(ByteBuf out, long value) {
        long v = (value << 1) ^ (value >> 63);
        while ((v & ~0x7FL) != 0) {
            out.writeByte((int) (v & 0x7F) | 0x80);
            v >>>= 7;
        }
        out.writeByte((int) v);
    }

    /** Bytes that {@link #writeVarint} takes, 1 to 5. */
    public static int sizeOfVarint(int value) {
        int v = (value << 1) ^ (value >> 31);
        return (38 - Integer.numberOfLeadingZeros(v)) / 7 + (v == 0 ? 1 : 0);
    }

    /** Bytes that {@link #writeVarlong} takes, 1 to 10. */
    public static int sizeOfVarlong(long value) {
        long v = (value << 1) ^ (value >> 63);
        return (70 - Long.numberOfLeadingZeros(v)) / 7 + (v == 0 ? 1 : 0);
    }

    /** Writes a nullable byte string: key or value. */
    public static void writeBytes(ByteBuf out, byte @Nullable [] bytes) {
        if (bytes == null) {
            writeVarint(out, -1);
        } else {
            writeVarint(out, bytes.length);
            out.writeBytes(bytes);
        }
    }

    /** Writes the readable bytes of {@code bytes} as key or value without moving its reader index. */
    public static void writeBytes(ByteBuf out, ByteBuf bytes) {
        int length = bytes.readableBytes();
        writeVarint(out, length);
        out.writeBytes(bytes, bytes.readerIndex(), length);
    }

    /** Writes one header. */
    public static void writeHeader(ByteBuf out, byte[] name, byte @Nullable [] value) {
        writeVarint(out, name.length);
        out.writeBytes(name);
        writeBytes(out, value);
    }

    /** Writes one header whose value is the readable bytes of {@code value}. */
    public static void writeHeader(ByteBuf out, byte[] name, ByteBuf value) {
        writeVarint(out, name.length);
        out.writeBytes(name);
        writeBytes(out, value);
    }

    private static void writeUnsigned(ByteBuf out, int value) {
        int v = value;
        while ((v & ~0x7F) != 0) {
            out.writeByte((v & 0x7F) | 0x80);
            v >>>= 7;
        }
        out.writeByte(v);
    }
}
