package io.sluice.routing.topic;

/** Splits names at a separator; empty words count, and the empty name has no word. */
public final class Words {
    private static final String[] NONE = {};

    private Words() {}

    /** The words of {@code name}. */
    public static String[] split(String name, char separator) {
        int length = name.length();
        if (length == 0) {
            return NONE;
        }
        int count = 1;
        for (int i = 0; i < length; i++) {
            if (name.charAt(i) == separator) {
                count++;
            }
        }
        String[] words = new String[count];
        int start = 0;
        for (int i = 0; i < count - 1; i++) {
            int end = name.indexOf(separator, start);
            words[i] = name.substring(start, end);
            start = end + 1;
        }
        words[count - 1] = name.substring(start);
        return words;
    }
}
