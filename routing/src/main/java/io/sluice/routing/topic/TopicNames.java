package io.sluice.routing.topic;

import org.jspecify.annotations.Nullable;

/**
 * The map between MQTT topic names and AMQP routing keys. It is a bijection: every key has one topic and every topic one key,
 * so a name keeps its identity however often it crosses between the protocols.
 *
 * <pre>
 *   topic   key
 *   /       .       the separators
 *   .       %2E     a dot within an MQTT level
 *   %2F     /       a slash within an AMQP word
 *   %2B     +       characters that MQTT does not allow in topic names (MQTT 5.0, 4.7.1 and 1.5.4)
 *   %23     #
 *   %00     NUL
 * </pre>
 *
 * <p>A name that already holds the text of one of these escapes gets {@code 25} inserted after its percent sign on the side
 * where the escape has a meaning: the topic {@code a%2Eb} is the key {@code a%252Eb}. Escapes are upper case; other percent
 * signs stand for themselves. {@code *} is never translated. Stateless.
 */
public final class TopicNames {
    private TopicNames() {}

    /** The AMQP routing key of an MQTT topic name. */
    public static String keyOfTopic(String topic) {
        return translate(topic, true);
    }

    /** The MQTT topic name of an AMQP routing key; empty for the empty key, which no MQTT subscriber can match. */
    public static String topicOfKey(String key) {
        return translate(key, false);
    }

    /**
     * The AMQP binding pattern that stands for an MQTT filter in listings: {@code +} becomes {@code *}, levels are translated
     * as in names. The pattern alone cannot express a level that is literally {@code *}, nor that wildcards leave out names
     * starting with {@code $}; routing matches such bindings by the filter itself.
     */
    public static String bindingPatternOfFilter(String mqttFilter) {
        String[] levels = Words.split(mqttFilter, '/');
        StringBuilder pattern = new StringBuilder(mqttFilter.length() + 8);
        for (int i = 0; i < levels.length; i++) {
            if (i > 0) {
                pattern.append('.');
            }
            String level = levels[i];
            if (level.equals("+")) {
                pattern.append('*');
            } else if (level.equals("#")) {
                pattern.append('#');
            } else {
                pattern.append(keyOfTopic(level));
            }
        }
        return pattern.toString();
    }

    private static String translate(String name, boolean toKey) {
        int length = name.length();
        StringBuilder out = null;
        int i = 0;
        while (i < length) {
            char c = name.charAt(i);
            if (c == '%') {
                int escape = i + 1;
                while (isPair(name, escape, '2', '5')) {
                    escape += 2;
                }
                char meant = escaped(name, escape);
                if (meant == NONE) {
                    append(out, c);
                    i++;
                    continue;
                }
                out = begin(out, name, i);
                int depth = (escape - i - 1) / 2;
                boolean meaningHere = (meant == '.') != toKey;
                if (!meaningHere) {
                    append(out, "%25", name, i + 1, escape + 2);
                } else if (depth > 0) {
                    append(out, "%", name, i + 3, escape + 2);
                } else {
                    append(out, meant);
                }
                i = escape + 2;
                continue;
            }
            String replacement = toKey ? inKey(c) : inTopic(c);
            if (replacement != null) {
                out = begin(out, name, i);
                out.append(replacement);
            } else {
                append(out, c);
            }
            i++;
        }
        return out == null ? name : out.toString();
    }

    private static final char NONE = '\uFFFF';

    /** The character that the two digits at {@code at} stand for as an escape. */
    private static char escaped(String name, int at) {
        if (at + 2 > name.length()) {
            return NONE;
        }
        char high = name.charAt(at);
        char low = name.charAt(at + 1);
        if (high == '2') {
            return switch (low) {
                case 'E' -> '.';
                case 'F' -> '/';
                case 'B' -> '+';
                case '3' -> '#';
                default -> NONE;
            };
        }
        return high == '0' && low == '0' ? '\0' : NONE;
    }

    private static @Nullable String inKey(char c) {
        return switch (c) {
            case '/' -> ".";
            case '.' -> "%2E";
            default -> null;
        };
    }

    private static @Nullable String inTopic(char c) {
        return switch (c) {
            case '.' -> "/";
            case '/' -> "%2F";
            case '+' -> "%2B";
            case '#' -> "%23";
            case '\0' -> "%00";
            default -> null;
        };
    }

    private static boolean isPair(String name, int at, char first, char second) {
        return at + 2 <= name.length() && name.charAt(at) == first && name.charAt(at + 1) == second;
    }

    private static StringBuilder begin(@Nullable StringBuilder out, String name, int upTo) {
        return out != null ? out : new StringBuilder(name.length() + 16).append(name, 0, upTo);
    }

    private static void append(@Nullable StringBuilder out, char c) {
        if (out != null) {
            out.append(c);
        }
    }

    private static void append(StringBuilder out, String prefix, String name, int from, int to) {
        out.append(prefix).append(name, from, to);
    }
}
