package io.sluice.message;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import java.util.HashMap;
import java.util.Map;

/** The header {@code sl.types}: {@code name=code;name=code}; {@code % ; =} in names are percent-escaped. Stateless. */
public final class HeaderTypes {
    private HeaderTypes() {}

    /** Adds the type of one header. */
    public static void append(StringBuilder types, String name, char code) {
        if (types.length() > 0) {
            types.append(';');
        }
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            switch (c) {
                case '%' -> types.append("%25");
                case ';' -> types.append("%3B");
                case '=' -> types.append("%3D");
                default -> types.append(c);
            }
        }
        types.append('=').append(code);
    }

    /** Reads the header into name and code; what is not understood is left out. */
    public static Map<String, Character> parse(ByteBuf buffer, int start, int length) {
        Map<String, Character> codes = new HashMap<>();
        for (String entry : buffer.toString(start, length, UTF_8).split(";")) {
            int equals = entry.indexOf('=');
            if (equals > 0 && equals == entry.length() - 2) {
                String name = entry.substring(0, equals)
                        .replace("%3B", ";")
                        .replace("%3D", "=")
                        .replace("%25", "%");
                codes.put(name, entry.charAt(equals + 1));
            }
        }
        return codes;
    }
}
