package io.sluice.routing.replay;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordView;
import io.sluice.routing.topic.TopicFilters;
import io.sluice.routing.topic.TopicNames;
import org.jspecify.annotations.Nullable;

/**
 * The address in a canonical record. Topic: {@code sl.topic}; else the key of an MQTT message (one with {@code sl.qos}); else
 * the routing key translated. Routing key: {@code sl.routing-key}; else the MQTT topic translated; else the key. Moves the
 * header cursor of the record. Stateless.
 */
public final class RecordAddress {
    /** What decoding puts in place of bytes that are not UTF-8. */
    private static final char REPLACEMENT = '\uFFFD';

    private RecordAddress() {}

    /** MQTT topic of the record, null if it has no address of its own. */
    public static @Nullable String topic(RecordView record) {
        String topic = mqttTopic(record);
        if (topic != null) {
            return topic;
        }
        String key = routingKey(record);
        return key == null ? null : TopicNames.topicOfKey(key);
    }

    /** AMQP routing key of the record, null if it has none: then it has no key and no header that names it. */
    public static @Nullable String routingKey(RecordView record) {
        if (record.findHeader(MessageHeaders.ROUTING_KEY)) {
            return text(record.headerValue());
        }
        String topic = mqttTopic(record);
        return topic != null ? TopicNames.keyOfTopic(topic) : text(record.keyBytes());
    }

    /** True if the record came through an exchange or from MQTT, rather than straight from a Kafka producer. */
    public static boolean isRouted(RecordView record) {
        return record.findHeader(MessageHeaders.ROUTING_KEY)
                || mqttTopic(record) != null
                || record.findHeader(MessageHeaders.EXCHANGE)
                || record.findHeader(MessageHeaders.DURABLE);
    }

    /** True if a Kafka producer wrote the record, rather than a door that notes what it came with. */
    public static boolean isOfProducer(RecordView record) {
        return !record.findHeader(MessageHeaders.ROUTING_KEY)
                && !record.findHeader(MessageHeaders.QOS)
                && !record.findHeader(MessageHeaders.EXCHANGE)
                && !record.findHeader(MessageHeaders.DURABLE);
    }

    /** Its MQTT topic, null if it names none that a client could have published to: Kafka producers set any header. */
    private static @Nullable String mqttTopic(RecordView record) {
        if (record.findHeader(MessageHeaders.TOPIC)) {
            return topicName(record.headerValue());
        }
        return record.findHeader(MessageHeaders.QOS) ? topicName(record.keyBytes()) : null;
    }

    /** True if it names an MQTT topic that a client could have published to. */
    public static boolean hasTopic(RecordView record) {
        return mqttTopic(record) != null;
    }

    private static @Nullable String topicName(byte @Nullable [] bytes) {
        String topic = text(bytes);
        return topic == null || topic.indexOf(REPLACEMENT) >= 0 || !TopicFilters.isValidName(topic) ? null : topic;
    }

    private static @Nullable String text(byte @Nullable [] bytes) {
        return bytes == null ? null : new String(bytes, UTF_8);
    }
}
