package io.sluice.amqp091.stream;

import java.util.OptionalLong;

/** Lengths of time as stream arguments give them: a number and a unit, {@code 5m}. Stateless. */
final class Interval {
    private static final long DAY = 86_400_000L;
    private static final int MAX_DIGITS = 9;

    private Interval() {}

    /** Milliseconds; empty if it is none. */
    static OptionalLong millis(String text) {
        int digits = text.length() - 1;
        if (digits < 1 || digits > MAX_DIGITS) {
            return OptionalLong.empty();
        }
        long number = 0;
        for (int i = 0; i < digits; i++) {
            char c = text.charAt(i);
            if (c < '0' || c > '9') {
                return OptionalLong.empty();
            }
            number = number * 10 + c - '0';
        }
        long unit = switch (text.charAt(digits)) {
            case 'Y' -> 365 * DAY;
            case 'M' -> 30 * DAY;
            case 'D' -> DAY;
            case 'h' -> 3_600_000L;
            case 'm' -> 60_000L;
            case 's' -> 1000L;
            default -> 0;
        };
        return number == 0 || unit == 0 ? OptionalLong.empty() : OptionalLong.of(number * unit);
    }
}
