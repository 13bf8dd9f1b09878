package io.sluice.amqp091.stream;

import io.sluice.log.StreamConfig;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Arguments of a stream's declaration as the settings of the stream, under the names that Kafka's tools show them by. Without
 * them a stream keeps everything, as with RabbitMQ. Immutable.
 *
 * @param maxAge how long messages are kept, ms, -1 = for ever
 * @param maxBytes bytes above which the oldest go, -1 = any number
 * @param segmentBytes size of a segment; whole segments go, -1 = as the broker has it
 */
public record StreamSettings(long maxAge, long maxBytes, long segmentBytes) {
    private static final String RETENTION_MILLIS = "retention.ms";
    private static final String RETENTION_BYTES = "retention.bytes";
    private static final String SEGMENT_BYTES = "segment.bytes";

    /** Milliseconds of {@code x-max-age}; empty if it is no length of time. */
    public static OptionalLong maxAge(String text) {
        return Interval.millis(text);
    }

    /** How the log keeps it. */
    public StreamConfig config() {
        StreamConfig base = StreamConfig.DEFAULT;
        return new StreamConfig(
                segmentBytes < 0 ? base.segmentBytes() : segmentBytes,
                base.segmentMillis(),
                maxAge,
                maxBytes,
                false,
                true,
                base.maxBatchBytes(),
                base.logAppendTime(),
                base.durability());
    }

    /** What was asked for, by Kafka's names. */
    public Map<String, String> configs() {
        Map<String, String> configs = new TreeMap<>();
        configs.put(RETENTION_MILLIS, Long.toString(maxAge));
        if (maxBytes >= 0) {
            configs.put(RETENTION_BYTES, Long.toString(maxBytes));
        }
        if (segmentBytes >= 0) {
            configs.put(SEGMENT_BYTES, Long.toString(segmentBytes));
        }
        return configs;
    }

    /**
     * The first of these settings that is another one at a stream that is there already, as an AMQP argument; what was not asked
     * for is not compared, since Kafka's tools may have set it.
     */
    public @Nullable Difference difference(Map<String, String> present) {
        Difference difference = maxAge < 0 ? null : compare("x-max-age", maxAge, present.get(RETENTION_MILLIS));
        if (difference == null && maxBytes >= 0) {
            difference = compare("x-max-length-bytes", maxBytes, present.get(RETENTION_BYTES));
        }
        if (difference == null && segmentBytes >= 0) {
            difference = compare("x-stream-max-segment-size-bytes", segmentBytes, present.get(SEGMENT_BYTES));
        }
        return difference;
    }

    private static @Nullable Difference compare(String argument, long wanted, @Nullable String present) {
        return Long.toString(wanted).equals(present) ? null : new Difference(argument, present);
    }

    /**
     * Two declarations disagree.
     *
     * @param present value of the stream that is there, in the settings' unit; null = none
     */
    public record Difference(String argument, @Nullable String present) {}
}
