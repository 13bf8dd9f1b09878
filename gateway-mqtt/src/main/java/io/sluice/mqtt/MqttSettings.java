package io.sluice.mqtt;

import io.sluice.log.Durability;
import io.sluice.mqtt.connection.ConnectionSettings;

/**
 * Limits of the MQTT door.
 *
 * @param maxPacketBytes largest packet taken, bytes, up to 268,435,460 (256 MiB)
 * @param maxConnectBytes largest CONNECT taken, bytes: what a client may make the broker hold before it is known
 * @param connectTimeoutMillis time for CONNECT to arrive
 * @param receiveMaximum QoS 1 publishes of one client that may wait for their PUBACK, 1 to 65535
 * @param maxInFlight QoS 1 deliveries to one client that may wait for their PUBACK, 1 to 65535; the client's own receive maximum
 *     lowers it
 * @param topicAliasMaximum topic aliases a client may use, 0 to 65535
 * @param maxKeepAliveSeconds longest keep-alive; less than 65535 also bounds clients that asked for none
 * @param maxConnections connections at a time; one more is refused with "quota exceeded" (MQTT 3.1.1: "server unavailable")
 * @param maxSessions sessions that outlive their connection, connected or not; refused as above
 * @param maxSubscriptions subscriptions of one session
 * @param maxQueued QoS 1 messages that may wait in the queue of an offline session; what is published above is not queued for it
 * @param pendingMessages messages that may wait for one slow subscriber
 * @param pendingBytes bytes that may wait for one slow subscriber
 * @param totalPendingBytes bytes that may wait for all slow subscribers together
 * @param durability what a QoS 1 publish waits for before its PUBACK
 */
public record MqttSettings(
        int maxPacketBytes,
        int maxConnectBytes,
        int connectTimeoutMillis,
        int receiveMaximum,
        int maxInFlight,
        int topicAliasMaximum,
        int maxKeepAliveSeconds,
        int maxConnections,
        int maxSessions,
        int maxSubscriptions,
        int maxQueued,
        int pendingMessages,
        long pendingBytes,
        long totalPendingBytes,
        Durability durability) {
    /** The settings of a broker that nobody configured. */
    public static final MqttSettings DEFAULT = new MqttSettings(
            1024 * 1024,
            128 * 1024,
            10_000,
            1_000,
            1_000,
            32,
            65_535,
            1_000_000,
            1_000_000,
            10_000,
            1_000_000,
            100_000,
            64L * 1024 * 1024,
            256L * 1024 * 1024,
            Durability.GROUP);

    public MqttSettings {
        range("maxPacketBytes", maxPacketBytes, 1024, 268_435_460);
        range("maxConnectBytes", maxConnectBytes, 128, 512 * 1024);
        range("connectTimeoutMillis", connectTimeoutMillis, 1, 600_000);
        range("receiveMaximum", receiveMaximum, 1, 65_535);
        range("maxInFlight", maxInFlight, 1, 65_535);
        range("topicAliasMaximum", topicAliasMaximum, 0, 65_535);
        range("maxKeepAliveSeconds", maxKeepAliveSeconds, 1, 65_535);
        range("maxConnections", maxConnections, 1, Integer.MAX_VALUE);
        range("maxSessions", maxSessions, 0, Integer.MAX_VALUE);
        range("maxSubscriptions", maxSubscriptions, 1, 1_000_000);
        range("maxQueued", maxQueued, 1, Integer.MAX_VALUE);
        range("pendingMessages", pendingMessages, 1, 10_000_000);
    }

    /** The same with another limit of packets, bytes. */
    public MqttSettings withMaxPacketBytes(int bytes) {
        return new MqttSettings(
                bytes,
                maxConnectBytes,
                connectTimeoutMillis,
                receiveMaximum,
                maxInFlight,
                topicAliasMaximum,
                maxKeepAliveSeconds,
                maxConnections,
                maxSessions,
                maxSubscriptions,
                maxQueued,
                pendingMessages,
                pendingBytes,
                totalPendingBytes,
                durability);
    }

    /** The same with another durability of QoS 1 publishes. */
    public MqttSettings withDurability(Durability level) {
        return new MqttSettings(
                maxPacketBytes,
                maxConnectBytes,
                connectTimeoutMillis,
                receiveMaximum,
                maxInFlight,
                topicAliasMaximum,
                maxKeepAliveSeconds,
                maxConnections,
                maxSessions,
                maxSubscriptions,
                maxQueued,
                pendingMessages,
                pendingBytes,
                totalPendingBytes,
                level);
    }

    ConnectionSettings forConnections() {
        return new ConnectionSettings(
                maxPacketBytes,
                maxConnectBytes,
                connectTimeoutMillis,
                receiveMaximum,
                maxInFlight,
                topicAliasMaximum,
                maxKeepAliveSeconds,
                maxConnections,
                maxQueued,
                durability);
    }

    private static void range(String name, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(name + " is " + value + ", must be " + least + " to " + most);
        }
    }
}
