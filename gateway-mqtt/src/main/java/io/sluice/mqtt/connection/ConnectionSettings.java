package io.sluice.mqtt.connection;

import io.sluice.log.Durability;

/** The limits that a connection enforces; units and bounds as in {@code MqttSettings}. */
public record ConnectionSettings(
        int maxPacketBytes,
        int maxConnectBytes,
        int connectTimeoutMillis,
        int receiveMaximum,
        int maxInFlight,
        int topicAliasMaximum,
        int maxKeepAliveSeconds,
        int maxConnections,
        int maxQueued,
        Durability durability) {}
