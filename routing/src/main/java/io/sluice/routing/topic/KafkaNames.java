package io.sluice.routing.topic;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The map between names of streams and of Kafka's topics, which have 1 to {@value #MAX_LENGTH} of the characters {@code a-z A-Z
 * 0-9 . _ -} and are neither {@code .} nor {@code ..}. A name that is legal there is the topic's name. In any other name each byte
 * of UTF-8 that is not one of these characters, and each {@code _} before two upper-case hex digits, is written {@code _HH}; in
 * {@code .} and {@code ..} each dot is. Two names of the second kind never have one topic name; the catalog refuses a stream whose
 * topic name another stream of its virtual host has already. Stateless.
 */
public final class KafkaNames {
    /** Longest topic name, characters. */
    public static final int MAX_LENGTH = 249;

    private KafkaNames() {}

    /** The topic name of a stream, null if it would be too long. */
    public static @Nullable String topicOf(String stream) {
        String topic = isLegal(stream) ? stream : escaped(stream);
        return topic.length() <= MAX_LENGTH ? topic : null;
    }

    /** The stream whose name is illegal in Kafka that this topic name stands for, null if it stands for none. */
    public static @Nullable String escapedStream(String topic) {
        if (topic.indexOf('_') < 0 || !isLegal(topic)) {
            return null;
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(topic.length());
        for (int i = 0; i < topic.length(); i++) {
            if (isEscape(topic, i)) {
                bytes.write(Integer.parseInt(topic.substring(i + 1, i + 3), 16));
                i += 2;
            } else {
                bytes.write(topic.charAt(i));
            }
        }
        try {
            String name = UTF_8.newDecoder()
                    .decode(ByteBuffer.wrap(bytes.toByteArray()))
                    .toString();
            return !isLegal(name) && topic.equals(topicOf(name)) ? name : null;
        } catch (CharacterCodingException e) {
            return null;
        }
    }

    /** True if Kafka allows the name as it is. */
    public static boolean isLegal(String name) {
        if (name.isEmpty() || name.length() > MAX_LENGTH || name.equals(".") || name.equals("..")) {
            return false;
        }
        for (int i = 0; i < name.length(); i++) {
            if (!isLegal(name.charAt(i))) {
                return false;
            }
        }
        return true;
    }

    private static boolean isLegal(int c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-';
    }

    private static String escaped(String name) {
        boolean dots = name.equals(".") || name.equals("..");
        StringBuilder topic = new StringBuilder(name.length() + 16);
        byte[] bytes = name.getBytes(UTF_8);
        String latin = new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1);
        for (int i = 0; i < bytes.length; i++) {
            int c = bytes[i] & 0xFF;
            if (isLegal(c) && !dots && !isEscape(latin, i)) {
                topic.append((char) c);
            } else {
                topic.append(String.format(Locale.ROOT, "_%02X", c));
            }
        }
        return topic.toString();
    }

    private static boolean isEscape(String name, int at) {
        return name.charAt(at) == '_'
                && at + 2 < name.length()
                && isHex(name.charAt(at + 1))
                && isHex(name.charAt(at + 2));
    }

    private static boolean isHex(char c) {
        return c >= '0' && c <= '9' || c >= 'A' && c <= 'F';
    }
}
