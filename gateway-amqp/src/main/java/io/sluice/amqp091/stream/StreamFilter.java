package io.sluice.amqp091.stream;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.message.RecordView;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which messages of a stream a consumer asks for, by the value that their publisher gave them (RabbitMQ, "Stream Filtering"): exact
 * here, where RabbitMQ passes whole chunks that may hold one. Immutable.
 */
public final class StreamFilter {
    /** Everything. */
    public static final StreamFilter NONE = new StreamFilter(List.of(), true);

    private static final byte[] VALUE = "x-stream-filter-value".getBytes(UTF_8);

    private final List<byte[]> values;
    private final boolean unfiltered;

    private StreamFilter(List<byte[]> values, boolean unfiltered) {
        this.values = values;
        this.unfiltered = unfiltered;
    }

    /**
     * Reads consumer arguments.
     *
     * @param filter {@code x-stream-filter}: text, or a list of which what is no text is passed over
     * @param matchUnfiltered {@code x-stream-match-unfiltered}: messages without a value pass too
     * @return null if the arguments are none
     */
    public static @Nullable StreamFilter parse(@Nullable Object filter, @Nullable Object matchUnfiltered) {
        List<byte[]> values = new ArrayList<>();
        if (filter instanceof String text) {
            values.add(text.getBytes(UTF_8));
        } else if (filter instanceof List<?> list) {
            for (Object value : list) {
                if (value instanceof String text) {
                    values.add(text.getBytes(UTF_8));
                }
            }
        } else {
            return filter == null && matchUnfiltered == null ? NONE : null;
        }
        if (matchUnfiltered == null || matchUnfiltered instanceof Boolean) {
            return new StreamFilter(values, Boolean.TRUE.equals(matchUnfiltered));
        }
        return null;
    }

    /** True if the consumer gets the message. Moves the header cursor. */
    @SuppressWarnings("ReferenceEquality") // the one that asks nothing
    public boolean takes(RecordView record) {
        if (this == NONE) {
            return true;
        }
        if (!record.findHeader(VALUE)) {
            return unfiltered;
        }
        for (byte[] value : values) {
            if (equal(record, value)) {
                return true;
            }
        }
        return false;
    }

    private static boolean equal(RecordView record, byte[] value) {
        if (record.headerValueLength() != value.length) {
            return false;
        }
        for (int i = 0; i < value.length; i++) {
            if (record.buffer().getByte(record.headerValueStart() + i) != value[i]) {
                return false;
            }
        }
        return true;
    }
}
