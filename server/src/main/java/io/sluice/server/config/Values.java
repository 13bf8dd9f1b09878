package io.sluice.server.config;

import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Parsers of setting values. Each refuses with an {@link IllegalArgumentException} that says what would be right. */
final class Values {
    private static final Pattern SIZE =
            Pattern.compile("(\\d{1,18})\\s*(B|KiB|MiB|GiB|TiB|)", Pattern.CASE_INSENSITIVE);
    private static final Pattern SHARE = Pattern.compile("(\\d{1,2})\\s*%");
    /** A host name, an IPv4 address or an IPv6 address in brackets, and perhaps a port. */
    private static final Pattern HOST_PORT = Pattern.compile("(\\[[0-9a-fA-F:.]+]|[A-Za-z0-9._-]+)(?::(\\d{1,5}))?");

    private Values() {}

    static String text(String text) {
        return text;
    }

    static Function<String, String> oneOf(String... allowed) {
        List<String> names = List.of(allowed);
        return text -> {
            String value = text.toLowerCase(Locale.ROOT);
            if (!names.contains(value)) {
                throw new IllegalArgumentException("must be one of " + String.join(", ", names));
            }
            return value;
        };
    }

    static Function<String, Integer> number(int min, int max) {
        return text -> {
            try {
                int value = Integer.parseInt(text);
                if (value >= min && value <= max) {
                    return value;
                }
            } catch (NumberFormatException e) {
                // refused below, with the bounds
            }
            throw new IllegalArgumentException("must be a whole number from " + min + " to " + max);
        };
    }

    static int port(String text) {
        return number(0, 65535).apply(text);
    }

    static Function<String, Long> longSize(long min, long max) {
        return text -> {
            Matcher matcher = SIZE.matcher(text);
            if (matcher.matches()) {
                int shift = switch (matcher.group(2).toLowerCase(Locale.ROOT)) {
                    case "kib" -> 10;
                    case "mib" -> 20;
                    case "gib" -> 30;
                    case "tib" -> 40;
                    default -> 0;
                };
                long number = Long.parseLong(matcher.group(1));
                if (number <= max >> shift && number << shift >= min) {
                    return number << shift;
                }
            }
            throw new IllegalArgumentException("must be a size such as 512KiB, 16MiB or a number of bytes, from "
                    + readable(min) + " to " + readable(max));
        };
    }

    static Function<String, Integer> size(int min, int max) {
        return longSize(min, max).andThen(Math::toIntExact);
    }

    /** A size, or a percentage of {@code whole}. */
    static Function<String, Long> sizeOrShare(long min, LongSupplier whole) {
        Function<String, Long> size = longSize(min, 1L << 50);
        return text -> {
            Matcher matcher = SHARE.matcher(text);
            if (matcher.matches()) {
                int percent = Integer.parseInt(matcher.group(1));
                if (percent == 0) {
                    throw new IllegalArgumentException("must be from 1% to 99%");
                }
                return Math.max(min, whole.getAsLong() / 100 * percent);
            }
            return size.apply(text);
        };
    }

    static SluiceConfig.Advertised advertised(String text) {
        Matcher matcher = HOST_PORT.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("must be HOST or HOST:PORT, an IPv6 address in brackets");
        }
        String host = matcher.group(1).replace("[", "").replace("]", "");
        return new SluiceConfig.Advertised(host, matcher.group(2) == null ? 0 : port(matcher.group(2)));
    }

    static String readable(long bytes) {
        String[] units = {"B", "KiB", "MiB", "GiB", "TiB"};
        int unit = 0;
        long value = bytes;
        while (value >= 1024 && value % 1024 == 0 && unit < units.length - 1) {
            value /= 1024;
            unit++;
        }
        return value + (unit == 0 ? " bytes" : units[unit]);
    }
}
