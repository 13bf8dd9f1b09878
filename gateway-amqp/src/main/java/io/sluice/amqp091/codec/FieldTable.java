package io.sluice.amqp091.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Field tables and arrays with RabbitMQ's type letters ({@code t b B s u I i l L f d D S A T F V x}; RabbitMQ, "AMQP 0-9-1
 * errata", section 3). Depth at most {@value #MAX_DEPTH}, fields at most {@value #MAX_FIELDS} per table; sizes are bounded by the
 * frame. Stateless.
 *
 * <p>Java values: Boolean, Byte, Short ({@code B}, {@code s}), Integer ({@code u}, {@code I}), Long ({@code i}, {@code l}, {@code L}),
 * Float, Double, BigDecimal, String (byte[] where it is no UTF-8), List, Instant, Map, null, byte[] ({@code x}).
 */
public final class FieldTable {
    /** Tables within tables. */
    public static final int MAX_DEPTH = 16;
    /** Fields of a table or array. */
    public static final int MAX_FIELDS = 4096;

    private FieldTable() {}

    /**
     * Reads a method's arguments with their 32-bit length. A repeated name keeps the last value.
     *
     * @throws AmqpException SYNTAX_ERROR for a malformed table, FRAME_ERROR for a name that is not UTF-8
     */
    public static Map<String, @Nullable Object> read(ByteBuf in) {
        return table(in, 0, true);
    }

    private static Map<String, @Nullable Object> table(ByteBuf in, int depth, boolean strict) {
        int end = open(in, depth);
        Map<String, @Nullable Object> table = new LinkedHashMap<>();
        while (in.readerIndex() < end) {
            String name = strict ? Wire.readShortString(in) : Wire.readFieldName(in);
            table.put(name, value(in, depth, strict));
            checkCount(table.size());
        }
        close(in, end);
        return table;
    }

    private static List<@Nullable Object> array(ByteBuf in, int depth, boolean strict) {
        int end = open(in, depth);
        List<@Nullable Object> values = new ArrayList<>();
        while (in.readerIndex() < end) {
            values.add(value(in, depth, strict));
            checkCount(values.size());
        }
        close(in, end);
        return values;
    }

    private static int open(ByteBuf in, int depth) {
        if (depth >= MAX_DEPTH) {
            throw new AmqpException(ReplyCode.SYNTAX_ERROR, "field table nested deeper than " + MAX_DEPTH);
        }
        int length = Wire.lengthWithin(in);
        return in.readerIndex() + length;
    }

    private static void close(ByteBuf in, int end) {
        if (in.readerIndex() != end) {
            throw new AmqpException(ReplyCode.SYNTAX_ERROR, "field exceeds its table");
        }
    }

    private static void checkCount(int count) {
        if (count > MAX_FIELDS) {
            throw new AmqpException(ReplyCode.SYNTAX_ERROR, "more than " + MAX_FIELDS + " fields in a table");
        }
    }

    private static @Nullable Object value(ByteBuf in, int depth, boolean strict) {
        byte type = in.readByte();
        return switch (type) {
            case 't' -> in.readByte() != 0;
            case 'b' -> in.readByte();
            case 'B' -> in.readUnsignedByte();
            case 's' -> in.readShort();
            case 'u' -> in.readUnsignedShort();
            case 'I' -> in.readInt();
            case 'i' -> in.readUnsignedInt();
            case 'l', 'L' -> in.readLong();
            case 'f' -> in.readFloat();
            case 'd' -> in.readDouble();
            case 'D' -> {
                int scale = in.readUnsignedByte();
                yield new BigDecimal(BigInteger.valueOf(in.readInt()), scale);
            }
            case 'S' -> text(Wire.readLongString(in));
            case 'A' -> array(in, depth + 1, strict);
            case 'T' -> Instant.ofEpochSecond(seconds(in.readLong()));
            case 'F' -> table(in, depth + 1, strict);
            case 'V' -> null;
            case 'x' -> Wire.readLongString(in);
            default -> throw unknown(type);
        };
    }

    /** Text, or the bytes themselves where they are not UTF-8. */
    private static Object text(byte[] bytes) {
        try {
            return UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            return bytes;
        }
    }

    /** So far away that a count of milliseconds still reaches it. */
    private static long seconds(long raw) {
        return Math.max(Long.MIN_VALUE / 1000, Math.min(Long.MAX_VALUE / 1000, raw));
    }

    /** Moves past a value whose type letter was just read. */
    public static void skipValue(ByteBuf in, byte type) {
        switch (type) {
            case 't', 'b', 'B' -> in.skipBytes(1);
            case 's', 'u' -> in.skipBytes(2);
            case 'I', 'i', 'f' -> in.skipBytes(4);
            case 'l', 'L', 'd', 'T' -> in.skipBytes(8);
            case 'D' -> in.skipBytes(5);
            case 'S', 'A', 'F', 'x' -> in.skipBytes(Wire.lengthWithin(in));
            case 'V' -> {}
            default -> throw unknown(type);
        }
    }

    private static AmqpException unknown(byte type) {
        return new AmqpException(ReplyCode.SYNTAX_ERROR, "unknown field type 0x" + Integer.toHexString(type & 0xFF));
    }

    /** Reads one value of a message's headers, whose type letter stands at the reader index; names may be any bytes. */
    public static @Nullable Object readValue(ByteBuf in) {
        return value(in, 0, false);
    }

    /** Writes a table with its length. */
    public static void write(ByteBuf out, Map<String, ? extends @Nullable Object> table) {
        int at = out.writerIndex();
        out.writeInt(0);
        for (Map.Entry<String, ? extends @Nullable Object> field : table.entrySet()) {
            Wire.writeShortString(out, field.getKey());
            writeValue(out, field.getValue());
        }
        out.setInt(at, out.writerIndex() - at - 4);
    }

    /** Writes type letter and value. */
    public static void writeValue(ByteBuf out, @Nullable Object value) {
        if (value == null) {
            out.writeByte('V');
        } else if (value instanceof String text) {
            out.writeByte('S');
            Wire.writeLongString(out, text);
        } else if (value instanceof Boolean flag) {
            out.writeByte('t').writeBoolean(flag);
        } else if (value instanceof Number number) {
            writeNumber(out, number);
        } else if (value instanceof byte[] bytes) {
            out.writeByte('x');
            Wire.writeLongString(out, bytes);
        } else if (value instanceof Instant time) {
            out.writeByte('T').writeLong(time.getEpochSecond());
        } else if (value instanceof Map<?, ?> map) {
            out.writeByte('F');
            writeMap(out, map);
        } else if (value instanceof List<?> list) {
            out.writeByte('A');
            int at = out.writerIndex();
            out.writeInt(0);
            for (Object element : list) {
                writeValue(out, element);
            }
            out.setInt(at, out.writerIndex() - at - 4);
        } else {
            throw new IllegalArgumentException("no field type for " + value.getClass());
        }
    }

    private static void writeMap(ByteBuf out, Map<?, ?> map) {
        int at = out.writerIndex();
        out.writeInt(0);
        for (Map.Entry<?, ?> field : map.entrySet()) {
            Wire.writeShortString(out, String.valueOf(field.getKey()));
            writeValue(out, field.getValue());
        }
        out.setInt(at, out.writerIndex() - at - 4);
    }

    private static void writeNumber(ByteBuf out, Number number) {
        if (number instanceof Integer i) {
            out.writeByte('I').writeInt(i);
        } else if (number instanceof Long l) {
            out.writeByte('l').writeLong(l);
        } else if (number instanceof Short s) {
            out.writeByte('s').writeShort(s);
        } else if (number instanceof Byte b) {
            out.writeByte('b').writeByte(b);
        } else if (number instanceof Float f) {
            out.writeByte('f').writeFloat(f);
        } else if (number instanceof BigDecimal decimal) {
            out.writeByte('D')
                    .writeByte(decimal.scale())
                    .writeInt(decimal.unscaledValue().intValueExact());
        } else {
            out.writeByte('d').writeDouble(number.doubleValue());
        }
    }
}
