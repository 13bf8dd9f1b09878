package io.sluice.amqp091.session;

import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An open connection at one moment, for listings.
 *
 * @param name {@code PEER:PORT -> LOCAL:PORT}, unique while it is open
 * @param openedMillis when it was opened, epoch ms
 * @param frameMax largest frame agreed on, bytes
 * @param heartbeatSeconds interval agreed on, 0 = none
 * @param clientProperties what the client said of itself, nested tables included
 */
public record ConnectionInfo(
        String name,
        String user,
        String vhost,
        InetSocketAddress peer,
        InetSocketAddress local,
        long openedMillis,
        int frameMax,
        int channelMax,
        int heartbeatSeconds,
        Publishing publishing,
        Map<String, @Nullable Object> clientProperties,
        List<Channel> channels) {
    /** Whether the broker reads what the client publishes; in RabbitMQ's words running, flow and blocked. */
    public enum Publishing {
        RUNNING,
        /** Slowed for a moment: the core is busy, or consumers of a queue have fallen behind. */
        FLOW,
        /** Not before there is disk space again. */
        BLOCKED
    }

    /**
     * A channel.
     *
     * @param unacked deliveries that are not settled
     * @param prefetch limit over all its consumers, 0 = none
     */
    public record Channel(
            int number, boolean confirms, boolean transactional, int unacked, int prefetch, List<Consumer> consumers) {}

    /**
     * A consumer.
     *
     * @param prefetch its own limit, 0 = none
     */
    public record Consumer(String tag, String queue, boolean acks, int prefetch) {}
}
