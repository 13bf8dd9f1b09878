package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;

/**
 * A content header (AMQP 0-9-1, section 2.3.5.2) with the positions of its properties; values are read when asked for. Reusable;
 * not thread-safe. Positions are absolute indexes of {@link #buffer}, which somebody else keeps alive and unchanged.
 */
public final class ContentHeader {
    public static final int CONTENT_TYPE = 15;
    public static final int CONTENT_ENCODING = 14;
    public static final int HEADERS = 13;
    public static final int DELIVERY_MODE = 12;
    public static final int PRIORITY = 11;
    public static final int CORRELATION_ID = 10;
    public static final int REPLY_TO = 9;
    public static final int EXPIRATION = 8;
    public static final int MESSAGE_ID = 7;
    public static final int TIMESTAMP = 6;
    public static final int TYPE = 5;
    public static final int USER_ID = 4;
    public static final int APP_ID = 3;
    public static final int CLUSTER_ID = 2;

    private final ByteBuf buffer;
    private final int[] starts = new int[16];
    private final int[] lengths = new int[16];
    private int flags;
    private long bodySize;

    /**
     * Keeps a copy of each header in {@code buffer}.
     *
     * @param buffer growing buffer, owned by the caller
     */
    public ContentHeader(ByteBuf buffer) {
        this.buffer = buffer;
    }

    /**
     * Copies and checks the payload of a header frame.
     *
     * @throws AmqpException SYNTAX_ERROR, or UNEXPECTED_FRAME for another class than basic
     */
    public void read(ByteBuf payload) {
        int classId = payload.readUnsignedShort();
        if (classId != Protocol.CLASS_BASIC) {
            throw new AmqpException(ReplyCode.UNEXPECTED_FRAME, "content header of class " + classId);
        }
        payload.skipBytes(2); // weight, always 0
        bodySize = payload.readLong();
        buffer.clear();
        buffer.writeBytes(payload);
        flags = buffer.readUnsignedShort();
        if ((flags & 3) != 0) {
            throw new AmqpException(ReplyCode.SYNTAX_ERROR, "unknown property flags 0x" + Integer.toHexString(flags));
        }
        for (int property = CONTENT_TYPE; property >= CLUSTER_ID; property--) {
            if (!has(property)) {
                continue;
            }
            int length = switch (property) {
                case HEADERS -> Wire.lengthWithin(buffer);
                case DELIVERY_MODE, PRIORITY -> 1;
                case TIMESTAMP -> 8;
                default -> buffer.readUnsignedByte();
            };
            starts[property] = buffer.readerIndex();
            lengths[property] = length;
            buffer.skipBytes(length);
        }
        if (buffer.isReadable()) {
            throw new AmqpException(ReplyCode.SYNTAX_ERROR, buffer.readableBytes() + " bytes after the properties");
        }
        buffer.readerIndex(0);
    }

    /** Puts another text in place of a short string property. */
    public void replaceText(int property, byte[] text) {
        splice(starts[property], lengths[property], text);
        buffer.setByte(starts[property] - 1, text.length);
        shift(property, text.length - lengths[property]);
        lengths[property] = text.length;
    }

    /**
     * Takes a field out of the headers.
     *
     * @param start position of the field's name, with its length
     * @param end position after its value
     */
    public void removeHeader(int start, int end) {
        splice(start, end - start, new byte[0]);
        lengths[HEADERS] -= end - start;
        buffer.setInt(starts[HEADERS] - 4, lengths[HEADERS]);
        shift(HEADERS, start - end);
    }

    private void splice(int start, int length, byte[] with) {
        byte[] rest = new byte[buffer.writerIndex() - start - length];
        buffer.getBytes(start + length, rest);
        buffer.writerIndex(start).writeBytes(with).writeBytes(rest);
    }

    private void shift(int property, int by) {
        for (int after = property - 1; after >= CLUSTER_ID; after--) {
            starts[after] += by;
        }
    }

    /** Flags and values as they came; readable bytes are exactly these. */
    public ByteBuf buffer() {
        return buffer;
    }

    /** Announced bytes of body; negative if above 2^63. */
    public long bodySize() {
        return bodySize;
    }

    public boolean has(int property) {
        return (flags >> property & 1) != 0;
    }

    /** Position of a value, after its length if it has one. */
    public int start(int property) {
        return starts[property];
    }

    /** Bytes of a value. */
    public int length(int property) {
        return lengths[property];
    }

    /** Value of a short string property. */
    public String text(int property) {
        return buffer.toString(starts[property], lengths[property], java.nio.charset.StandardCharsets.UTF_8);
    }

    /** Value of a one-octet property, 0 if absent. */
    public int octet(int property) {
        return has(property) ? buffer.getUnsignedByte(starts[property]) : 0;
    }
}
