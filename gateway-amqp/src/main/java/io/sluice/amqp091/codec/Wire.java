package io.sluice.amqp091.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;

/**
 * Elementary types (AMQP 0-9-1, section 4.2.5). Readers throw {@link IndexOutOfBoundsException} past the end of the frame,
 * which the frame's handler turns into a syntax error. Stateless.
 */
public final class Wire {
    private Wire() {}

    /**
     * Reads a name.
     *
     * @throws AmqpException FRAME_ERROR if it is not UTF-8, as RabbitMQ has it: two names must not become one
     */
    public static String readShortString(ByteBuf in) {
        int start = in.readerIndex() + 1;
        int length = in.readUnsignedByte();
        in.skipBytes(length); // checks against the end of the frame, which reading text alone would not
        checkText(in, start, length);
        return in.toString(start, length, UTF_8);
    }

    /** Refuses bytes that are not UTF-8 with FRAME_ERROR. */
    public static void checkText(ByteBuf in, int start, int length) {
        if (!ByteBufUtil.isText(in, start, length, UTF_8)) {
            throw new AmqpException(ReplyCode.FRAME_ERROR, "malformed UTF-8 in a short string");
        }
    }

    /** Reads a field name of a message's headers, whose exact bytes are kept elsewhere. */
    static String readFieldName(ByteBuf in) {
        int start = in.readerIndex() + 1;
        int length = in.readUnsignedByte();
        in.skipBytes(length);
        return in.toString(start, length, UTF_8);
    }

    /** Length checked against what the frame still has before anything is allocated. */
    public static byte[] readLongString(ByteBuf in) {
        byte[] bytes = new byte[lengthWithin(in)];
        in.readBytes(bytes);
        return bytes;
    }

    /** Reads an unsigned 32-bit length and checks that so much is left. */
    static int lengthWithin(ByteBuf in) {
        long length = in.readUnsignedInt();
        if (length > in.readableBytes()) {
            throw new AmqpException(
                    ReplyCode.SYNTAX_ERROR, "length " + length + " exceeds the " + in.readableBytes() + " bytes left");
        }
        return (int) length;
    }

    /** Writes at most 255 bytes of UTF-8, cut at a character boundary. */
    public static void writeShortString(ByteBuf out, String text) {
        int at = out.writerIndex();
        out.writeByte(0);
        if (text.length() <= 85) {
            out.setByte(at, out.writeCharSequence(text, UTF_8));
            return;
        }
        byte[] bytes = text.getBytes(UTF_8);
        int length = cut(bytes, 255);
        out.setByte(at, length);
        out.writeBytes(bytes, 0, length);
    }

    /** Writes bytes of {@code source} as a short string, cut at a character boundary of 255 bytes. */
    public static void writeShortString(ByteBuf out, ByteBuf source, int start, int length) {
        int cut = length;
        if (cut > 255) {
            cut = 255;
            while (cut > 0 && (source.getByte(start + cut) & 0xC0) == 0x80) {
                cut--;
            }
        }
        out.writeByte(cut);
        out.writeBytes(source, start, cut);
    }

    public static void writeLongString(ByteBuf out, String text) {
        int at = out.writerIndex();
        out.writeInt(0);
        out.setInt(at, ByteBufUtil.writeUtf8(out, text));
    }

    public static void writeLongString(ByteBuf out, byte[] bytes) {
        out.writeInt(bytes.length);
        out.writeBytes(bytes);
    }

    private static int cut(byte[] utf8, int limit) {
        if (utf8.length <= limit) {
            return utf8.length;
        }
        int length = limit;
        while (length > 0 && (utf8[length] & 0xC0) == 0x80) {
            length--;
        }
        return length;
    }
}
