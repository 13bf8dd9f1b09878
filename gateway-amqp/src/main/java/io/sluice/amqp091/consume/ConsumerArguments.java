package io.sluice.amqp091.consume;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.entity.ArgumentChecks;
import io.sluice.amqp091.session.Session;
import io.sluice.amqp091.stream.StreamFilter;
import io.sluice.amqp091.stream.StreamStart;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Arguments of {@code basic.consume}, checked as RabbitMQ checks them. Stateless. */
final class ConsumerArguments {
    static final String PRIORITY = "x-priority";

    private static final String STREAM_OFFSET = "x-stream-offset";
    private static final String STREAM_FILTER = "x-stream-filter";
    private static final String STREAM_MATCH_UNFILTERED = "x-stream-match-unfiltered";
    /** Says to a broker with mirrored queues what this one never does. */
    private static final String CANCEL_ON_FAILOVER = "x-cancel-on-ha-failover";

    private static final Set<String> OF_QUEUES = Set.of(PRIORITY, ArgumentChecks.CONSUMER_TIMEOUT, CANCEL_ON_FAILOVER);

    private static final Set<String> OF_STREAMS = Set.of(STREAM_OFFSET, STREAM_FILTER, STREAM_MATCH_UNFILTERED);

    private ConsumerArguments() {}

    /** Refuses what a consumer of a queue does not take; what is not built yet with 540. */
    static void checkQueue(ArgumentChecks checks, Map<String, @Nullable Object> arguments) {
        for (String argument : arguments.keySet()) {
            if (OF_STREAMS.contains(argument)) {
                throw checks.notOfType(argument, "rabbit_classic_queue");
            }
            if (argument.startsWith("x-") && !OF_QUEUES.contains(argument)) {
                throw notBuilt(argument);
            }
        }
    }

    /** Where a consumer of a stream begins. */
    static StreamStart streamStart(Session connection, String stream, Map<String, @Nullable Object> arguments) {
        ArgumentChecks checks = new ArgumentChecks(connection.host().name(), stream, arguments);
        for (String argument : arguments.keySet()) {
            if (argument.equals(PRIORITY) || argument.equals(ArgumentChecks.CONSUMER_TIMEOUT)) {
                throw checks.notOfType(argument, "rabbit_stream_queue");
            }
            if (argument.startsWith("x-") && !OF_STREAMS.contains(argument) && !argument.equals(CANCEL_ON_FAILOVER)) {
                throw notBuilt(argument);
            }
        }
        if (!arguments.containsKey(STREAM_OFFSET)) {
            return new StreamStart.Next();
        }
        StreamStart start = StreamStart.parse(
                arguments.get(STREAM_OFFSET),
                connection.shared().broker().clock().epochMillis());
        if (start == null) {
            throw checks.invalid(STREAM_OFFSET, "invalid_stream_offset_arg");
        }
        return start;
    }

    /** Which messages of a stream a consumer gets. */
    static StreamFilter streamFilter(Session connection, String stream, Map<String, @Nullable Object> arguments) {
        StreamFilter filter = StreamFilter.parse(arguments.get(STREAM_FILTER), arguments.get(STREAM_MATCH_UNFILTERED));
        if (filter == null) {
            throw new ArgumentChecks(connection.host().name(), stream, arguments)
                    .invalid(STREAM_FILTER, "text or a list of texts, and a boolean");
        }
        return filter;
    }

    private static AmqpException notBuilt(String argument) {
        return new AmqpException(ReplyCode.NOT_IMPLEMENTED, "consumer argument '" + argument + "' is not supported");
    }
}
