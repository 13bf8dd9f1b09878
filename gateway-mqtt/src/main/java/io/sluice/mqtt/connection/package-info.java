/** One MQTT connection: its states, its publishes and its subscriptions. Confined to the event loop of its channel. */
@NullMarked
package io.sluice.mqtt.connection;

import org.jspecify.annotations.NullMarked;
