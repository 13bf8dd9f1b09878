package io.sluice.routing;

/**
 * An MQTT subscription.
 *
 * @param topicFilter MQTT topic filter as sent, without a share prefix
 * @param maximumQos granted QoS, 0 to 2
 * @param retainHandling 0 = send retained messages, 1 = only if the subscription is new, 2 = do not (MQTT 5.0, section 3.8.3.1)
 * @param identifier subscription identifier, 0 = none
 */
public record Subscription(
        Subscriber subscriber,
        String topicFilter,
        int maximumQos,
        boolean noLocal,
        boolean retainAsPublished,
        int retainHandling,
        int identifier) {}
