package io.sluice.amqp091.convert;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;
import io.sluice.routing.topic.TopicNames;
import org.jspecify.annotations.Nullable;

/**
 * Reply addresses of the form {@code /exchanges/EXCHANGE/KEY}. An asker on MQTT is reached through the topic exchange, so its
 * response topic travels as such an address; an AMQP worker that answers as usual, to the default exchange with the address as
 * routing key, is understood.
 *
 * @param exchange exchange to publish to
 * @param routingKey routing key
 */
public record ReplyAddress(String exchange, String routingKey) {
    private static final String PREFIX = "/exchanges/";
    private static final String TOPIC_PREFIX = "/exchanges/amq.topic/";
    private static final byte[] TOPIC_PREFIX_BYTES = TOPIC_PREFIX.getBytes(US_ASCII);

    /** The address in a routing key of the default exchange, null if it is none. */
    public static @Nullable ReplyAddress parse(String key) {
        if (!key.startsWith(PREFIX)) {
            return null;
        }
        int slash = key.indexOf('/', PREFIX.length());
        return slash <= PREFIX.length()
                ? null
                : new ReplyAddress(key.substring(PREFIX.length(), slash), key.substring(slash + 1));
    }

    /** True if the address is a response topic. */
    static boolean isTopic(ByteBuf in, int start, int length) {
        return length > TOPIC_PREFIX_BYTES.length && CanonicalName.equal(in, start, TOPIC_PREFIX_BYTES);
    }

    /** The MQTT topic of an address for which {@link #isTopic} holds. */
    static String topic(String address) {
        return TopicNames.topicOfKey(address.substring(TOPIC_PREFIX.length()));
    }
}
