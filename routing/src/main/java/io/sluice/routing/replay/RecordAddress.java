package io.sluice.routing.replay;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordView;
import io.sluice.routing.topic.TopicNames;
import org.jspecify.annotations.Nullable;

/**
 * The address in a canonical record. Topic: {@code sl.topic}; else the key of an MQTT message (one with {@code sl.qos}); else
 * the routing key translated. Routing key: {@code sl.routing-key}; else the MQTT topic translated; else the key. Moves the
 * header cursor of the record. Stateless.
 */
public final class RecordAddress {
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
                || record.findHeader(MessageHeaders.TOPIC)
                || record.findHeader(MessageHeaders.QOS)
                || record.findHeader(MessageHeaders.EXCHANGE)
                || record.findHeader(MessageHeaders.DURABLE);
    }

    private static @Nullable String mqttTopic(RecordView record) {
        if (record.findHeader(MessageHeaders.TOPIC)) {
            return text(record.headerValue());
        }
        return record.findHeader(MessageHeaders.QOS) ? text(record.keyBytes()) : null;
    }

    private static @Nullable String text(byte @Nullable [] bytes) {
        return bytes == null ? null : new String(bytes, UTF_8);
    }
}
