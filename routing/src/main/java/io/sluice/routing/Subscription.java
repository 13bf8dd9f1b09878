package io.sluice.routing;

/**
 * An MQTT subscription.
 *
 * @param topicFilter MQTT topic filter as sent, without a share prefix
 * @param maximumQos granted QoS, 0 to 2
 * @param identifier subscription identifier, 0 = none
 */
public record Subscription(
        Subscriber subscriber,
        String topicFilter,
        int maximumQos,
        boolean noLocal,
        boolean retainAsPublished,
        int identifier) {}
