package io.sluice.amqp091.convert;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.sluice.amqp091.codec.FieldTable;
import io.sluice.amqp091.codec.Wire;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Header values as text with a type code in {@code sl.types}, and back. Codes: {@code t} boolean, {@code y} and {@code Y} signed and
 * unsigned octet, {@code s} and {@code u} short, {@code i} and {@code I} signed and unsigned 32 bits, {@code l} 64 bits, {@code f},
 * {@code d} float and double, {@code D} decimal, {@code T} time in epoch ms, {@code V} void, {@code b} bytes, {@code j} nested table or
 * array as JSON. Stateless.
 */
final class HeaderValues {
    private HeaderValues() {}

    /** Type code of a field of this type letter; 0 for text. */
    static char code(byte letter) {
        return switch (letter) {
            case 'S' -> 0;
            case 'x' -> 'b';
            case 'b' -> 'y';
            case 'B' -> 'Y';
            case 'I' -> 'i';
            case 'i' -> 'I';
            case 'L' -> 'l';
            case 'A', 'F' -> 'j';
            default -> (char) letter;
        };
    }

    /** True if text and code rebuild the field's bytes. */
    static boolean isExact(byte letter) {
        return letter != 'L' && letter != 'A' && letter != 'F' && letter != 'D' && letter != 'T';
    }

    /** A value as text; null for void. */
    static @Nullable String text(@Nullable Object value) {
        if (value == null) {
            return null;
        }
        if (value instanceof Instant time) {
            return Long.toString(time.toEpochMilli());
        }
        if (value instanceof BigDecimal decimal) {
            return decimal.toPlainString();
        }
        if (value instanceof List<?> || value instanceof Map<?, ?>) {
            StringBuilder json = new StringBuilder();
            json(json, value);
            return json.toString();
        }
        return value.toString();
    }

    /** Writes type letter and value of a header of this code; as text or bytes where the value does not fit the code. */
    static void write(ByteBuf out, char code, ByteBuf source, int start, int length) {
        if (length < 0 || code == 'V') {
            out.writeByte('V');
            return;
        }
        if (code != 0 && code != 'b' && code != 'j' && length <= 64) {
            int mark = out.writerIndex();
            try {
                writeTyped(out, code, source.toString(start, length, UTF_8));
                return;
            } catch (IllegalArgumentException | ArithmeticException e) {
                out.writerIndex(mark); // another producer's idea of this code: pass the text on
            }
        }
        boolean text = code != 'b' && io.netty.buffer.ByteBufUtil.isText(source, start, length, UTF_8);
        out.writeByte(text ? 'S' : 'x');
        out.writeInt(length);
        out.writeBytes(source, start, length);
    }

    private static void writeTyped(ByteBuf out, char code, String text) {
        switch (code) {
            case 't' -> out.writeByte('t').writeBoolean(text.equals("true") || text.equals("1"));
            case 'y' -> out.writeByte('b').writeByte(Byte.parseByte(text));
            case 'Y' -> out.writeByte('B').writeByte(Short.parseShort(text));
            case 's' -> out.writeByte('s').writeShort(Short.parseShort(text));
            case 'u' -> out.writeByte('u').writeShort(Integer.parseInt(text));
            case 'i' -> out.writeByte('I').writeInt(Integer.parseInt(text));
            case 'I' -> out.writeByte('i').writeInt(Integer.parseUnsignedInt(text));
            case 'l' -> out.writeByte('l').writeLong(Long.parseLong(text));
            case 'f' -> out.writeByte('f').writeFloat(Float.parseFloat(text));
            case 'd' -> out.writeByte('d').writeDouble(Double.parseDouble(text));
            case 'T' -> out.writeByte('T').writeLong(Math.floorDiv(Long.parseLong(text), 1000L));
            case 'D' -> FieldTable.writeValue(out, new BigDecimal(text));
            default -> throw new IllegalArgumentException("unknown type code " + code);
        }
    }

    private static void json(StringBuilder out, @Nullable Object value) {
        if (value instanceof Map<?, ?> map) {
            char separator = '{';
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                out.append(separator);
                quote(out, String.valueOf(entry.getKey()));
                out.append(':');
                json(out, entry.getValue());
                separator = ',';
            }
            out.append(map.isEmpty() ? "{}" : "}");
        } else if (value instanceof List<?> list) {
            out.append('[');
            String separator = "";
            for (Object element : list) {
                out.append(separator);
                json(out, element);
                separator = ",";
            }
            out.append(']');
        } else if (value instanceof byte[] bytes) {
            quote(out, java.util.Base64.getEncoder().encodeToString(bytes));
        } else if (value == null || value instanceof Boolean || value instanceof Number number && isFinite(number)) {
            out.append(value);
        } else {
            quote(out, String.valueOf(text(value)));
        }
    }

    private static boolean isFinite(Number number) {
        return Double.isFinite(number.doubleValue());
    }

    private static void quote(StringBuilder out, String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20) {
                out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }

    /** Writes a text field. */
    static void writeText(ByteBuf out, String name, String value) {
        Wire.writeShortString(out, name);
        out.writeByte('S');
        Wire.writeLongString(out, value);
    }
}
