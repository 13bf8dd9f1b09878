package io.sluice.routing.exchange;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.message.HeaderTypes;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordView;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Application headers and properties of one message as exchanges compare them. A value is its class and its bytes, so that equal
 * values of the same class are equal text: RabbitMQ compares all integers with one another, both kinds of floating-point numbers,
 * and text with bytes, but no number with text. Of a repeated header the last value counts. Immutable.
 */
final class MessageFields {
    static final MessageFields NONE = new MessageFields(Map.of(), Map.of());

    /** Header that stands for an application header whose plain name is that of a property. */
    private static final String SHADOWED = new String(MessageHeaders.SHADOWED_PREFIX, UTF_8);

    private static final Set<String> PROPERTIES = Set.of(
            name(MessageHeaders.CONTENT_TYPE),
            name(MessageHeaders.CONTENT_ENCODING),
            name(MessageHeaders.MESSAGE_ID),
            name(MessageHeaders.CORRELATION_ID),
            name(MessageHeaders.REPLY_TO),
            name(MessageHeaders.REPLY_TO_GROUP_ID),
            name(MessageHeaders.APP_ID),
            name(MessageHeaders.TYPE),
            name(MessageHeaders.TIMESTAMP));

    private final Map<String, String> headers;
    private final Map<String, String> properties;

    private MessageFields(Map<String, String> headers, Map<String, String> properties) {
        this.headers = headers;
        this.properties = properties;
    }

    static MessageFields of(RecordView record) {
        Map<String, Character> types = record.findHeader(MessageHeaders.TYPES)
                ? HeaderTypes.parse(record.buffer(), record.headerValueStart(), Math.max(0, record.headerValueLength()))
                : Map.of();
        Map<String, String> headers = new HashMap<>();
        Map<String, String> properties = new HashMap<>();
        record.rewindHeaders();
        while (record.nextHeader()) {
            String name = record.headerName();
            byte[] value = record.headerValue();
            if (name.startsWith(SHADOWED)) {
                String plain = name.substring(SHADOWED.length());
                headers.put(plain, value(types.get(plain), value));
            } else if (PROPERTIES.contains(name)) {
                properties.put(name, value(null, value));
            } else if (!name.startsWith("sl.") && !name.startsWith("~")) {
                headers.put(name, value(types.get(name), value));
            }
        }
        return new MessageFields(headers, properties);
    }

    /** The value of a header in comparable form, null if it is not there. */
    @Nullable
    String header(String name) {
        return headers.get(name);
    }

    /** The value of a property by its canonical name in comparable form, null if it is not there. */
    @Nullable
    String property(String name) {
        return properties.get(name);
    }

    /**
     * A value in comparable form.
     *
     * @param code type code as in {@code sl.types}, null = text
     */
    static String value(@Nullable Character code, byte @Nullable [] bytes) {
        char kind = bytes == null ? 'V' : kind(code == null ? 0 : code);
        return kind == 'V' || bytes == null ? "V" : kind + new String(bytes, ISO_8859_1);
    }

    private static char kind(char code) {
        return switch (code) {
            case 'y', 'Y', 's', 'u', 'i', 'I', 'l' -> 'l';
            case 'f', 'd' -> 'd';
            case 0, 'b' -> 'b';
            default -> code;
        };
    }

    private static String name(byte[] canonical) {
        return new String(canonical, UTF_8);
    }
}
