package io.sluice.kafka.connection;

import java.net.InetSocketAddress;

/**
 * An open connection at one moment, for listings.
 *
 * @param name {@code PEER:PORT -> LOCAL:PORT}, unique while it is open
 * @param openedMillis when it was opened, epoch ms
 */
public record ConnectionInfo(
        String name, String user, String vhost, InetSocketAddress peer, InetSocketAddress local, long openedMillis) {}
