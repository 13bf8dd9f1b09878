package io.sluice.log.record;

import io.netty.buffer.ByteBuf;

/** Zigzag varints at absolute positions. */
final class Varints {
    private Varints() {}

    /** Index after the varint at {@code at}. */
    static int skip(ByteBuf buffer, int at) {
        int next = at;
        while (buffer.getByte(next++) < 0) {
            if (next - at > 10) {
                throw new IllegalArgumentException("varint longer than 10 bytes");
            }
        }
        return next;
    }

    static int readInt(ByteBuf buffer, int at) {
        return (int) readLong(buffer, at);
    }

    static long readLong(ByteBuf buffer, int at) {
        long raw = 0;
        int shift = 0;
        int next = at;
        byte read;
        do {
            if (shift > 63) {
                throw new IllegalArgumentException("varint longer than 10 bytes");
            }
            read = buffer.getByte(next++);
            raw |= (long) (read & 0x7F) << shift;
            shift += 7;
        } while (read < 0);
        return (raw >>> 1) ^ -(raw & 1);
    }
}
