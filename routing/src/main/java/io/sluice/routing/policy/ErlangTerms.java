package io.sluice.routing.policy;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Values of JSON as RabbitMQ's error texts show them. Stateless. */
final class ErlangTerms {
    private ErlangTerms() {}

    static String text(@Nullable Object value) {
        if (value instanceof String text) {
            return "<<\"" + text + "\">>";
        } else if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                    .map(entry -> text(entry.getKey()) + " => " + text(entry.getValue()))
                    .collect(Collectors.joining(",", "#{", "}"));
        } else if (value instanceof List<?> list) {
            return list.stream().map(ErlangTerms::text).collect(Collectors.joining(",", "[", "]"));
        }
        return String.valueOf(value);
    }
}
