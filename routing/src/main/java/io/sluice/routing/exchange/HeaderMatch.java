package io.sluice.routing.exchange;

import io.sluice.routing.Binding;
import io.sluice.routing.BindingArguments;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a binding of a headers exchange asks for.
 *
 * @param all true if every field must match, false if one is enough
 * @param fields headers asked for
 */
record HeaderMatch(boolean all, List<Field> fields, Binding.End destination) {
    private static final String X_MATCH = "x-match";

    /** A header and its value in the form of {@link MessageFields}, null if it need only be there. */
    private record Field(String name, @Nullable String value) {}

    /** Why these arguments are none of a headers exchange's, in RabbitMQ's words; null if they are. */
    static @Nullable String refusal(Map<String, String> arguments) {
        String mode = arguments.get(X_MATCH);
        if (mode == null) {
            return null;
        }
        Character code = BindingArguments.types(arguments).get(X_MATCH);
        if (code != null) {
            return "Invalid x-match field type " + BindingArguments.typeName(code) + " (value " + mode
                    + "); expected longstr";
        }
        return switch (mode) {
            case "all", "any", "all-with-x", "any-with-x" -> null;
            default -> "Invalid x-match field value <<\"" + mode + "\">>; expected all, any, all-with-x, or any-with-x";
        };
    }

    static HeaderMatch of(Binding binding) {
        Map<String, String> arguments = binding.arguments();
        String mode = arguments.getOrDefault(X_MATCH, "all");
        boolean withX = mode.endsWith("-with-x");
        Map<String, Character> types = BindingArguments.types(arguments);
        List<Field> fields = new ArrayList<>();
        arguments.forEach((name, text) -> {
            boolean taken = withX ? !name.equals(X_MATCH) : !name.startsWith("x-");
            if (taken && !name.equals(BindingArguments.TYPES)) {
                Character code = types.get(name);
                boolean isVoid = code != null && code == 'V';
                fields.add(
                        new Field(name, isVoid ? null : MessageFields.value(code, BindingArguments.bytes(code, text))));
            }
        });
        return new HeaderMatch(!mode.startsWith("any"), List.copyOf(fields), binding.destination());
    }

    boolean matches(MessageFields message) {
        for (Field field : fields) {
            String value = message.header(field.name());
            boolean matches =
                    value != null && (field.value() == null || field.value().equals(value));
            if (matches != all) {
                return matches;
            }
        }
        return all;
    }
}
