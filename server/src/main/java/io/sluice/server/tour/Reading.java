package io.sluice.server.tour;

/**
 * A message of the tour.
 *
 * @param topic MQTT topic; as AMQP routing key with dots
 * @param value payload
 */
record Reading(String topic, String value) {
    String routingKey() {
        return topic.replace('/', '.');
    }

    @Override
    public String toString() {
        return topic + " = " + value;
    }
}
