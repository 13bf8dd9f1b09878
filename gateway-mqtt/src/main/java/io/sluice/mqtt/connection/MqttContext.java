package io.sluice.mqtt.connection;

import io.sluice.access.Authenticator;
import io.sluice.mqtt.session.SessionLimits;
import io.sluice.routing.Broker;

/** What all connections of a gateway share. Thread-safe. */
public record MqttContext(
        Broker broker,
        Authenticator authenticator,
        ConnectionSettings settings,
        SessionLimits limits,
        SessionRegistry registry) {}
