package io.sluice.routing;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.Unpooled;
import io.sluice.message.HeaderTypes;
import java.util.Map;

/**
 * Arguments of bindings as text: the types of those that are no text stand under {@value #TYPES}, as in the headers of messages,
 * bytes as characters of ISO 8859-1. Stateless.
 */
public final class BindingArguments {
    /** Name of the argument that gives the types of the others; see {@link HeaderTypes}. */
    public static final String TYPES = "sl.types";

    private BindingArguments() {}

    /** Type codes by name; what is missing is text. */
    public static Map<String, Character> types(Map<String, String> arguments) {
        String types = arguments.get(TYPES);
        if (types == null) {
            return Map.of();
        }
        byte[] bytes = types.getBytes(UTF_8);
        return HeaderTypes.parse(Unpooled.wrappedBuffer(bytes), 0, bytes.length);
    }

    /** The bytes that a message's header of this value has. */
    public static byte[] bytes(@org.jspecify.annotations.Nullable Character code, String text) {
        return text.getBytes(code != null && code == 'b' ? ISO_8859_1 : UTF_8);
    }

    /** RabbitMQ's name of a type. */
    public static String typeName(char code) {
        return switch (code) {
            case 't' -> "bool";
            case 'y' -> "byte";
            case 'Y' -> "unsignedbyte";
            case 's' -> "short";
            case 'u' -> "unsignedshort";
            case 'i' -> "signedint";
            case 'I' -> "unsignedint";
            case 'l' -> "long";
            case 'f' -> "float";
            case 'd' -> "double";
            case 'D' -> "decimal";
            case 'T' -> "timestamp";
            case 'V' -> "void";
            case 'b' -> "binary";
            case 'j' -> "table";
            default -> "longstr";
        };
    }
}
