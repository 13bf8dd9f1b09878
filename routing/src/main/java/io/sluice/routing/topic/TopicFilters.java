package io.sluice.routing.topic;

import static java.nio.charset.StandardCharsets.UTF_8;

/** The rules of MQTT topic names and filters (MQTT 5.0, section 4.7). Stateless. */
public final class TopicFilters {
    /** Longest topic name or filter, bytes of UTF-8. */
    public static final int MAX_BYTES = 65_535;

    /** Most levels of a topic name or filter: tries are walked recursively. */
    public static final int MAX_LEVELS = 1_024;

    private TopicFilters() {}

    /** True if a client may publish to it: not empty, no wildcard, no NUL, within {@link #MAX_BYTES} and {@link #MAX_LEVELS}. */
    public static boolean isValidName(String topic) {
        int levels = 1;
        for (int i = 0; i < topic.length(); i++) {
            char c = topic.charAt(i);
            if (c == '+' || c == '#' || c == '\0') {
                return false;
            }
            levels += c == '/' ? 1 : 0;
        }
        return levels <= MAX_LEVELS && fits(topic);
    }

    /** True for names starting with {@code $}, which are the broker's own: nobody else's messages go there (4.7.2). */
    public static boolean isReserved(String topic) {
        return topic.startsWith("$");
    }

    /** True if a client may subscribe to it: {@code +} stands for a whole level, {@code #} for the whole last one. */
    public static boolean isValidFilter(String filter) {
        int last = filter.length() - 1;
        int levels = 1;
        for (int i = 0; i <= last; i++) {
            char c = filter.charAt(i);
            boolean startsLevel = i == 0 || filter.charAt(i - 1) == '/';
            if (c == '\0'
                    || c == '#' && !(startsLevel && i == last)
                    || c == '+' && !(startsLevel && (i == last || filter.charAt(i + 1) == '/'))) {
                return false;
            }
            levels += c == '/' ? 1 : 0;
        }
        return levels <= MAX_LEVELS && fits(filter);
    }

    /** True if the filter takes the topic. Both are valid. */
    public static boolean matches(String filter, String topic) {
        if (!topic.isEmpty() && topic.charAt(0) == '$' && startsWithWildcard(filter)) {
            return false;
        }
        int f = 0;
        int t = 0;
        while (true) {
            if (f < filter.length() && filter.charAt(f) == '#') {
                return true;
            }
            int filterEnd = end(filter, f);
            int topicEnd = end(topic, t);
            boolean wild = filterEnd == f + 1 && filter.charAt(f) == '+';
            if (!wild && !filter.regionMatches(f, topic, t, Math.max(filterEnd - f, topicEnd - t))) {
                return false;
            }
            if (topicEnd == topic.length()) {
                return filterEnd == filter.length() || filter.startsWith("/#", filterEnd);
            }
            if (filterEnd == filter.length()) {
                return false;
            }
            f = filterEnd + 1;
            t = topicEnd + 1;
        }
    }

    /** True if the first level is a wildcard: then it takes no topic starting with {@code $} (4.7.2). */
    static boolean startsWithWildcard(String filter) {
        return !filter.isEmpty() && (filter.charAt(0) == '+' || filter.charAt(0) == '#');
    }

    private static int end(String s, int from) {
        int end = s.indexOf('/', from);
        return end < 0 ? s.length() : end;
    }

    private static boolean fits(String s) {
        return !s.isEmpty()
                && (s.length() <= MAX_BYTES / 3 || s.length() <= MAX_BYTES && s.getBytes(UTF_8).length <= MAX_BYTES);
    }
}
