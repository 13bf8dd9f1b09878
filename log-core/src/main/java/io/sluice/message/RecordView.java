package io.sluice.message;

import io.netty.buffer.ByteBuf;
import io.netty.util.AsciiString;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Flyweight over one record: absolute positions of key, value and headers within a buffer that somebody else keeps alive.
 * Reusable; wrapping allocates nothing. Not thread-safe. Positions are absolute indexes of {@link #buffer()}.
 *
 * <p>Layout after the offset delta: {@code keyLength key valueLength value headerCount (nameLength name valueLength value)*},
 * all lengths zigzag varints, -1 = null.
 */
public final class RecordView {
    private @Nullable ByteBuf buffer;
    private long offset;
    private long timestamp;
    private int keyStart;
    private int keyLength;
    private int valueStart;
    private int valueLength;
    private int headerCount;
    private int headersStart;
    private int end;

    // header cursor
    private int headersLeft;
    private int next;
    private int nameStart;
    private int nameLength;
    private int headerValueStart;
    private int headerValueLength;

    // varint reader
    private int position;

    /**
     * Reads the fields that start at {@code fieldsStart} (the key length).
     *
     * @throws IndexOutOfBoundsException or IllegalArgumentException if lengths do not fit
     */
    public RecordView wrap(ByteBuf buffer, int fieldsStart, long offset, long timestamp) {
        this.buffer = buffer;
        this.offset = offset;
        this.timestamp = timestamp;
        position = fieldsStart;
        keyLength = varint(buffer);
        keyStart = position;
        position += Math.max(0, keyLength);
        valueLength = varint(buffer);
        valueStart = position;
        position += Math.max(0, valueLength);
        headerCount = varint(buffer);
        headersStart = position;
        if (headerCount < 0 || position > buffer.capacity()) {
            throw new IllegalArgumentException("record fields exceed their buffer");
        }
        end = -1;
        rewindHeaders();
        return this;
    }

    public ByteBuf buffer() {
        if (buffer == null) {
            throw new IllegalStateException("no record wrapped");
        }
        return buffer;
    }

    public long offset() {
        return offset;
    }

    /** Record timestamp, epoch ms. */
    public long timestamp() {
        return timestamp;
    }

    public int keyStart() {
        return keyStart;
    }

    /** Key length in bytes, -1 = null. */
    public int keyLength() {
        return keyLength;
    }

    public int valueStart() {
        return valueStart;
    }

    /** Value length in bytes, -1 = null (a tombstone). */
    public int valueLength() {
        return valueLength;
    }

    public int headerCount() {
        return headerCount;
    }

    public int headersStart() {
        return headersStart;
    }

    /** The value as an unretained slice; empty for null. */
    public ByteBuf valueSlice() {
        return buffer().slice(valueStart, Math.max(0, valueLength));
    }

    /** The key as a copied array, null if absent. */
    public byte @Nullable [] keyBytes() {
        return keyLength < 0 ? null : bytes(keyStart, keyLength);
    }

    /** Puts the header cursor before the first header. */
    public void rewindHeaders() {
        headersLeft = headerCount;
        next = headersStart;
    }

    /** Moves to the next header; false after the last. */
    public boolean nextHeader() {
        if (headersLeft == 0) {
            end = next;
            return false;
        }
        headersLeft--;
        ByteBuf b = buffer();
        position = next;
        nameLength = varint(b);
        nameStart = position;
        position += nameLength;
        headerValueLength = varint(b);
        headerValueStart = position;
        position += Math.max(0, headerValueLength);
        if (nameLength < 0 || position > b.capacity()) {
            throw new IllegalArgumentException("record header exceeds its buffer");
        }
        next = position;
        return true;
    }

    public int headerNameStart() {
        return nameStart;
    }

    public int headerNameLength() {
        return nameLength;
    }

    public int headerValueStart() {
        return headerValueStart;
    }

    /** Length of the current header's value, -1 = null. */
    public int headerValueLength() {
        return headerValueLength;
    }

    /** True if the current header has this name. */
    public boolean headerNameIs(byte[] name) {
        if (nameLength != name.length) {
            return false;
        }
        ByteBuf b = buffer();
        for (int i = 0; i < name.length; i++) {
            if (b.getByte(nameStart + i) != name[i]) {
                return false;
            }
        }
        return true;
    }

    /** Name of the current header, copied. */
    public String headerName() {
        return new String(bytes(nameStart, nameLength), java.nio.charset.StandardCharsets.UTF_8);
    }

    /** Value of the current header, copied; null if null. */
    public byte @Nullable [] headerValue() {
        return headerValueLength < 0 ? null : bytes(headerValueStart, headerValueLength);
    }

    /** Finds the first header of this name and leaves the cursor on it. */
    public boolean findHeader(byte[] name) {
        rewindHeaders();
        while (nextHeader()) {
            if (headerNameIs(name)) {
                return true;
            }
        }
        return false;
    }

    /** Value of the current header as a decimal number, or {@code fallback} if it is not one. */
    public long headerAsLong(long fallback) {
        if (headerValueLength <= 0 || headerValueLength > 20) {
            return fallback;
        }
        try {
            return new AsciiString(bytes(headerValueStart, headerValueLength), false).parseLong();
        } catch (NumberFormatException e) {
            return fallback;
        }
    }

    /** Index after the last header. Walks the headers once. */
    public int end() {
        if (end < 0) {
            rewindHeaders();
            boolean more = true;
            while (more) {
                more = nextHeader();
            }
        }
        return end;
    }

    private byte[] bytes(int start, int length) {
        byte[] copy = new byte[length];
        buffer().getBytes(start, copy);
        return copy;
    }

    private int varint(ByteBuf b) {
        int raw = 0;
        int shift = 0;
        byte read;
        do {
            if (shift > 28) {
                throw new IllegalArgumentException("varint longer than 5 bytes");
            }
            read = b.getByte(position++);
            raw |= (read & 0x7F) << shift;
            shift += 7;
        } while (read < 0);
        return (raw >>> 1) ^ -(raw & 1);
    }

    @Override
    public String toString() {
        return "RecordView{offset=" + offset + ", key=" + Arrays.toString(keyBytes()) + ", value=" + valueLength
                + " B}";
    }
}
