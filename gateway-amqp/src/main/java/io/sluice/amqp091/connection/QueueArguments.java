package io.sluice.amqp091.connection;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.queue.QueuePolicy;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Arguments of {@code queue.declare}. What is not built yet is refused with 540.
 *
 * @param type {@code classic}, {@code quorum} or {@code stream}
 * @param text all arguments as text
 */
record QueueArguments(String type, QueuePolicy policy, Map<String, String> text) {
    /** Failed deliveries after which a message of a quorum queue is dead-lettered unless told otherwise. */
    private static final int QUORUM_DELIVERY_LIMIT = 20;

    boolean isStream() {
        return type.equals("stream");
    }

    static QueueArguments parse(Map<String, @Nullable Object> arguments) {
        String type = "classic";
        String deadLetterExchange = null;
        String deadLetterKey = null;
        Integer limit = null;
        for (Map.Entry<String, @Nullable Object> argument : arguments.entrySet()) {
            String name = argument.getKey();
            switch (name) {
                case "x-queue-type" -> {
                    type = text(argument);
                    if (!type.equals("classic") && !type.equals("quorum") && !type.equals("stream")) {
                        throw invalid(name, "unknown queue type '" + type + "'");
                    }
                }
                case "x-dead-letter-exchange" -> deadLetterExchange = text(argument);
                case "x-dead-letter-routing-key" -> deadLetterKey = text(argument);
                case "x-delivery-limit" -> {
                    if (!(argument.getValue() instanceof Number number)
                            || number.longValue() < 0
                            || number.longValue() > Integer.MAX_VALUE) {
                        throw invalid(name, "expected a number from 0 on");
                    }
                    limit = number.intValue();
                }
                default -> {
                    if (name.startsWith("x-")) {
                        throw new AmqpException(
                                ReplyCode.NOT_IMPLEMENTED, "queue argument '" + name + "' is not supported");
                    }
                }
            }
        }
        if (deadLetterKey != null && deadLetterExchange == null) {
            throw invalid("x-dead-letter-routing-key", "needs x-dead-letter-exchange");
        }
        if (type.equals("stream") && (deadLetterExchange != null || limit != null)) {
            throw invalid("x-queue-type", "a stream has no dead-letter exchange and no delivery limit");
        }
        int deliveryLimit = limit != null ? limit : type.equals("quorum") ? QUORUM_DELIVERY_LIMIT : -1;
        return new QueueArguments(
                type,
                QueuePolicy.builder()
                        .deadLetterExchange(deadLetterExchange)
                        .deadLetterKey(deadLetterKey)
                        .deliveryLimit(deliveryLimit)
                        .build(),
                asText(arguments));
    }

    /** Arguments as text, by name. */
    static Map<String, String> asText(Map<String, @Nullable Object> arguments) {
        Map<String, String> text = new TreeMap<>();
        arguments.forEach((name, value) -> text.put(name, String.valueOf(value)));
        return text;
    }

    private static String text(Map.Entry<String, @Nullable Object> argument) {
        if (argument.getValue() instanceof String text) {
            return text;
        }
        throw invalid(argument.getKey(), "expected text");
    }

    private static AmqpException invalid(String name, String why) {
        return new AmqpException(ReplyCode.PRECONDITION_FAILED, "invalid argument '" + name + "': " + why);
    }
}
