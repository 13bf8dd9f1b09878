package io.sluice.routing.exchange;

import io.sluice.routing.topic.PatternTrie.Syntax;
import io.sluice.routing.topic.TopicNames;
import org.jspecify.annotations.Nullable;

/** The address of one message as routing key and as MQTT topic; the other form and the words are worked out when asked for. */
public final class Address {
    private @Nullable String key;
    private @Nullable String topic;
    private String @Nullable [] words;
    private String @Nullable [] levels;

    private Address(@Nullable String key, @Nullable String topic) {
        this.key = key;
        this.topic = topic;
    }

    /** A message published with a routing key. */
    public static Address ofKey(String key) {
        return new Address(key, null);
    }

    /** A message published to an MQTT topic. */
    public static Address ofTopic(String topic) {
        return new Address(null, topic);
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
