package io.sluice.queue;

import org.jspecify.annotations.Nullable;

/**
 * What a queue does with its messages.
 *
 * @param deadLetterExchange exchange for rejected messages, empty = default exchange, null = drop them
 * @param deadLetterKey routing key for dead letters, null = the message's own
 * @param deliveryLimit failed deliveries after which a message is dead-lettered, -1 = none
 */
public record QueuePolicy(
        @Nullable String deadLetterExchange, @Nullable String deadLetterKey, int deliveryLimit) {
    public static final QueuePolicy NONE = new QueuePolicy(null, null, -1);
}
