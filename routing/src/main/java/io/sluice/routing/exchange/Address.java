package io.sluice.routing.exchange;

import io.sluice.message.RecordView;
import io.sluice.routing.topic.PatternTrie.Syntax;
import io.sluice.routing.topic.TopicNames;
import org.jspecify.annotations.Nullable;

/**
 * What exchanges look at of one message: its address as routing key and as MQTT topic, of which the other form and the words are
 * worked out when asked for, and its headers.
 */
public final class Address {
    private @Nullable String key;
    private @Nullable String topic;
    private String @Nullable [] words;
    private String @Nullable [] levels;
    private final @Nullable RecordView record;
    private @Nullable MessageFields fields;

    private Address(@Nullable String key, @Nullable String topic, @Nullable RecordView record) {
        this.key = key;
        this.topic = topic;
        this.record = record;
    }

    /** A message published with a routing key. */
    public static Address ofKey(String key) {
        return new Address(key, null, null);
    }

    /**
     * A message published with a routing key.
     *
     * @param record its headers, borrowed for the routing; null = none are known
     */
    public static Address ofKey(String key, @Nullable RecordView record) {
        return new Address(key, null, record);
    }

    /**
     * A message published to an MQTT topic.
     *
     * @param record its headers, borrowed for the routing; null = none are known
     */
    public static Address ofTopic(String topic, @Nullable RecordView record) {
        return new Address(null, topic, record);
    }

    /** The headers of the message. */
    MessageFields fields() {
        if (fields == null) {
            fields = record == null ? MessageFields.NONE : MessageFields.of(record);
        }
        return fields;
    }

    /** The AMQP routing key. */
    public String key() {
        if (key == null) {
            key = topic == null ? "" : TopicNames.keyOfTopic(topic);
        }
        return key;
    }

    /** The MQTT topic name. */
    public String topic() {
        if (topic == null) {
            topic = key == null ? "" : TopicNames.topicOfKey(key);
        }
        return topic;
    }

    /** Words of the routing key. */
    public String[] words() {
        if (words == null) {
            words = Syntax.AMQP.split(key());
        }
        return words;
    }

    /** Levels of the topic. */
    public String[] levels() {
        if (levels == null) {
            levels = Syntax.MQTT.split(topic());
        }
        return levels;
    }
}
