package io.sluice.server.config;

import io.sluice.log.Durability;
import io.sluice.mqtt.MqttSettings;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Everything an operator may set, checked. Made by {@link ConfigLoader} only.
 *
 * @param data data directory
 * @param bind addresses that every listener binds, loopback only until users can be configured
 * @param durability level asked for all messages, null for the defaults by kind of message
 * @param amqp AMQP door
 * @param mqtt MQTT door
 * @param kafka native door
 * @param connectSeconds time in which a new connection must have said who it is
 * @param managementPort port of the management listener, 0 for a free one
 * @param limits bounds on memory, disk and files
 * @param logLevel least severe level that is logged
 * @param routes routes of the configuration file
 */
public record SluiceConfig(
        Path data,
        List<InetAddress> bind,
        @Nullable Durability durability,
        Amqp amqp,
        Mqtt mqtt,
        Native kafka,
        int connectSeconds,
        int managementPort,
        Limits limits,
        String logLevel,
        List<RouteSetting> routes) {

    /**
     * AMQP door.
     *
     * @param port TCP port, 0 for a free one
     * @param maxMessageBytes largest message body, bytes
     * @param consumerTimeoutMillis time for an acknowledgement, ms, 0 = any time
     */
    public record Amqp(int port, int maxMessageBytes, long consumerTimeoutMillis) {}

    /**
     * MQTT door.
     *
     * @param port TCP port, 0 for a free one
     * @param settings limits
     */
    public record Mqtt(int port, MqttSettings settings) {}

    /**
     * Native door.
     *
     * @param port TCP port, 0 for a free one
     * @param advertised where clients are told to connect, null for the local address that each client reached
     * @param maxRequestBytes largest request, bytes
     */
    public record Native(int port, @Nullable Advertised advertised, int maxRequestBytes) {}

    /**
     * Address handed out to native clients.
     *
     * @param host host name or address
     * @param port TCP port, 0 for the listener's own
     */
    public record Advertised(String host, int port) {}

    /**
     * Bounds.
     *
     * @param memoryBytes messages not yet confirmed, at which publishers are paused
     * @param diskWarnBytes free disk space below which a warning is logged, null = twice {@code diskMinBytes}
     * @param diskMinBytes free disk space below which publishers are paused or refused, null = chosen by the engine
     * @param openFiles segment files kept open
     * @param cleanerSeconds period of retention and compaction, 0 = never
     * @param checkpointSeconds longest time between checkpoints, 0 = none while running
     */
    public record Limits(
            long memoryBytes,
            @Nullable Long diskWarnBytes,
            @Nullable Long diskMinBytes,
            int openFiles,
            int cleanerSeconds,
            int checkpointSeconds) {}
}
