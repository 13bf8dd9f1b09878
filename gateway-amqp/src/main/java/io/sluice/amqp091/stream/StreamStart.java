package io.sluice.amqp091.stream;

import java.time.Instant;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** Where a consumer of a stream begins: consumer argument {@code x-stream-offset}. */
public sealed interface StreamStart {
    /** The first message that there is. */
    record First() implements StreamStart {}

    /** The last batch of messages. */
    record Last() implements StreamStart {}

    /** What comes from now on. */
    record Next() implements StreamStart {}

    /** From an offset on, or from the first message if that has gone. */
    record Offset(long offset) implements StreamStart {}

    /** From the first message of this time or later on, epoch ms. */
    record Time(long millis) implements StreamStart {}

    /**
     * Reads the argument's value.
     *
     * @param now epoch ms
     * @return null if it is no position
     */
    static @Nullable StreamStart parse(@Nullable Object value, long now) {
        if (value instanceof Byte || value instanceof Short || value instanceof Integer || value instanceof Long) {
            long offset = ((Number) value).longValue();
            return offset < 0 ? null : new Offset(offset);
        }
        if (value instanceof Instant time) {
            return new Time(time.toEpochMilli());
        }
        return value instanceof String text ? parseText(text, now) : null;
    }

    private static @Nullable StreamStart parseText(String text, long now) {
        return switch (text) {
            case "first" -> new First();
            case "last" -> new Last();
            case "next" -> new Next();
            default -> {
                OptionalLong ago = Interval.millis(text);
                yield ago.isPresent() ? new Time(now - ago.getAsLong()) : null;
            }
        };
    }
}
