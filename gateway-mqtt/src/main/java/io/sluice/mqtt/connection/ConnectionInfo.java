package io.sluice.mqtt.connection;

import java.net.InetSocketAddress;

/**
 * A connected client at one moment, for listings.
 *
 * @param name {@code PEER:PORT -> LOCAL:PORT}, unique while it is open
 * @param version 3 for MQTT 3.1.1, 5 for MQTT 5.0
 * @param openedMillis when the connection was opened, epoch ms
 * @param keepAliveSeconds as the client asked, 0 = none
 */
public record ConnectionInfo(
        String name,
        String clientId,
        String user,
        String vhost,
        int version,
        InetSocketAddress peer,
        InetSocketAddress local,
        long openedMillis,
        int keepAliveSeconds) {}
