package io.sluice.server.management;

import io.sluice.routing.Binding;
import io.sluice.routing.topic.TopicNames;
import org.jspecify.annotations.Nullable;

/**
 * One end of a route as an operator writes it.
 *
 * @param end exchange, queue or stream
 * @param pattern pattern that the notation itself carries ({@code mqtt:FILTER}), null if none
 */
record RouteEnd(Binding.End end, @Nullable String pattern) {
    private static final String TOPIC_EXCHANGE = "amq.topic";
    private static final int MAX_NAME_CHARS = 255;

    static RouteEnd parse(String field, @Nullable String text) {
        if (text == null || text.isBlank()) {
            throw RouteException.bad("A route needs '" + field + "'.");
        }
        int colon = text.indexOf(':');
        String kind = colon < 0 ? "" : text.substring(0, colon);
        String name = text.substring(colon + 1);
        if (name.isEmpty() || name.length() > MAX_NAME_CHARS) {
            throw RouteException.bad("'" + field + "' must name something in 1 to " + MAX_NAME_CHARS + " characters.");
        }
        return switch (kind) {
            case "exchange" -> new RouteEnd(new Binding.End(Binding.Kind.EXCHANGE, name), null);
            case "queue" -> new RouteEnd(new Binding.End(Binding.Kind.QUEUE, name), null);
            case "stream" -> new RouteEnd(new Binding.End(Binding.Kind.STREAM, name), null);
            case "mqtt" ->
                new RouteEnd(
                        new Binding.End(Binding.Kind.EXCHANGE, TOPIC_EXCHANGE),
                        TopicNames.bindingPatternOfFilter(filter(field, name)));
            default ->
                throw RouteException.bad("'" + field + "' is '" + text
                        + "'; it must be exchange:NAME, queue:NAME, stream:NAME or mqtt:FILTER.");
        };
    }

    /** An MQTT topic filter: {@code +} alone in its level, {@code #} alone in the last (MQTT 5.0, section 4.7.1). */
    private static String filter(String field, String filter) {
        String[] levels = filter.split("/", -1);
        for (int i = 0; i < levels.length; i++) {
            String level = levels[i];
            boolean wild = level.equals("+") || level.equals("#") && i == levels.length - 1;
            if (!wild && (level.contains("+") || level.contains("#") || level.indexOf('\0') >= 0)) {
                throw RouteException.bad("'" + field + "' holds the MQTT filter '" + filter
                        + "', where '+' must stand alone in its level and '#' alone in the last.");
            }
        }
        return filter;
    }

    static String write(Binding.End end) {
        return end.kind().name().toLowerCase(java.util.Locale.ROOT) + ":" + end.name();
    }
}
