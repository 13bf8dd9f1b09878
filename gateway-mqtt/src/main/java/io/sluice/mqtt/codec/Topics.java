package io.sluice.mqtt.codec;

import io.netty.buffer.ByteBuf;

/** Rules of topic names and filters (MQTT 5.0 section 4.7, the same in 3.1.1). */
public final class Topics {
    /** Longest name or filter in bytes: length prefix of two bytes. */
    public static final int MAX_LENGTH = 65_535;

    /** Deepest name or filter in levels; bounds the work of one lookup. */
    public static final int MAX_LEVELS = 128;

    private Topics() {}

    /** True if the UTF-8 bytes are a topic name that may be published to: not empty, no wildcard, not too deep. */
    public static boolean isName(ByteBuf in, int start, int length) {
        if (length == 0) {
            return false;
        }
        int levels = 1;
        for (int i = start; i < start + length; i++) {
            byte b = in.getByte(i);
            if (b == '+' || b == '#') {
                return false;
            }
            if (b == '/') {
                levels++;
            }
        }
        return levels <= MAX_LEVELS && Utf8.isValid(in, start, length);
    }

    /** As {@link #isName(ByteBuf, int, int)}. */
    public static boolean isName(String name) {
        return !name.isEmpty()
                && name.indexOf('+') < 0
                && name.indexOf('#') < 0
                && isShallow(name)
                && Utf8.isValid(name);
    }

    /** True if {@code filter} obeys sections 4.7.1.2 and 4.7.1.3: wildcards fill a level, {@code #} only the last. */
    public static boolean isFilter(String filter) {
        int length = filter.length();
        if (length == 0 || !isShallow(filter) || !Utf8.isValid(filter)) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            char c = filter.charAt(i);
            if (c == '#' && (i != length - 1 || (i > 0 && filter.charAt(i - 1) != '/'))) {
                return false;
            }
            if (c == '+'
                    && ((i > 0 && filter.charAt(i - 1) != '/') || (i < length - 1 && filter.charAt(i + 1) != '/'))) {
                return false;
            }
        }
        return true;
    }

    /** True for {@code $share/...}, legal or not (section 4.8.2). */
    public static boolean isShared(String filter) {
        return filter.startsWith("$share/") || filter.equals("$share");
    }

    /** True if the filter takes the topic; names starting with {@code $} are not taken by a leading wildcard (4.7.2). */
    public static boolean matches(String filter, String topic) {
        if (topic.startsWith("$") && (filter.startsWith("+") || filter.startsWith("#"))) {
            return false;
        }
        int f = 0;
        int t = 0;
        int filterLength = filter.length();
        int topicLength = topic.length();
        while (true) {
            int filterEnd = levelEnd(filter, f);
            if (filterEnd - f == 1 && filter.charAt(f) == '#') {
                return true;
            }
            if (t > topicLength) {
                return false;
            }
            int topicEnd = levelEnd(topic, t);
            boolean plus = filterEnd - f == 1 && filter.charAt(f) == '+';
            if (!plus && (filterEnd - f != topicEnd - t || !filter.regionMatches(f, topic, t, filterEnd - f))) {
                return false;
            }
            f = filterEnd + 1;
            t = topicEnd + 1;
            if (f > filterLength) {
                return t > topicLength;
            }
        }
    }

    private static int levelEnd(String s, int from) {
        int end = from > s.length() ? -1 : s.indexOf('/', from);
        return end < 0 ? s.length() : end;
    }

    private static boolean isShallow(String name) {
        int levels = 1;
        for (int i = name.indexOf('/'); i >= 0; i = name.indexOf('/', i + 1)) {
            levels++;
        }
        return levels <= MAX_LEVELS && name.length() <= MAX_LENGTH;
    }
}
