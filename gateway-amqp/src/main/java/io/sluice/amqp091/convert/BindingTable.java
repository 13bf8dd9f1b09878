package io.sluice.amqp091.convert;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.sluice.message.HeaderTypes;
import io.sluice.routing.BindingArguments;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Arguments of bindings in the form of {@link BindingArguments}. Stateless. */
public final class BindingTable {
    private BindingTable() {}

    /** The arguments as text with their types. */
    public static Map<String, String> text(Map<String, @Nullable Object> arguments) {
        Map<String, String> text = new TreeMap<>();
        StringBuilder types = new StringBuilder();
        new TreeMap<>(arguments).forEach((name, value) -> {
            char code = code(value);
            String string = value instanceof byte[] bytes ? new String(bytes, ISO_8859_1) : HeaderValues.text(value);
            text.put(name, string == null ? "" : string);
            if (code != 0) {
                HeaderTypes.append(types, name, code);
            }
        });
        if (types.length() > 0) {
            text.put(BindingArguments.TYPES, types.toString());
        }
        return text;
    }

    private static char code(@Nullable Object value) {
        if (value == null) {
            return 'V';
        } else if (value instanceof String) {
            return 0;
        } else if (value instanceof Boolean) {
            return 't';
        } else if (value instanceof Byte) {
            return 'y';
        } else if (value instanceof Short) {
            return 's';
        } else if (value instanceof Integer) {
            return 'i';
        } else if (value instanceof Long) {
            return 'l';
        } else if (value instanceof Float) {
            return 'f';
        } else if (value instanceof Double) {
            return 'd';
        } else if (value instanceof BigDecimal) {
            return 'D';
        } else if (value instanceof Instant) {
            return 'T';
        } else if (value instanceof byte[]) {
            return 'b';
        }
        return 'j';
    }
}
