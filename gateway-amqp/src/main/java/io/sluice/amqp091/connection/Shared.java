package io.sluice.amqp091.connection;

import io.sluice.access.Authenticator;
import io.sluice.routing.Broker;

/** What all connections of a gateway share. */
record Shared(
        Broker broker,
        Authenticator authenticator,
        Amqp091Settings settings,
        ExclusiveQueues exclusiveQueues,
        String version) {}
