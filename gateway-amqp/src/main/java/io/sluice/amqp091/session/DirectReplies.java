package io.sluice.amqp091.session;

import io.sluice.routing.Route;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.jspecify.annotations.Nullable;

/**
 * Channels that consume from the pseudo-queue {@value #QUEUE} (RabbitMQ, "Direct reply-to"): what is published to the default
 * exchange with the name that such a channel's requests carry goes straight to its connection, without queue and log. One per
 * gateway; thread-safe.
 */
public final class DirectReplies {
    public static final String QUEUE = "amq.rabbitmq.reply-to";

    private static final String PREFIX = QUEUE + ".";

    private record Entry(String vhost, Route route) {}

    private final ConcurrentMap<String, Entry> byName = new ConcurrentHashMap<>();

    /** True for the name of a channel that takes replies, or took them. */
    public static boolean isName(String routingKey) {
        return routingKey.startsWith(PREFIX);
    }

    /** A name that nobody can guess: to know it is the permission to answer. */
    public static String newName() {
        UUID one = RandomNames.uuid();
        UUID two = RandomNames.uuid();
        ByteBuffer bytes = ByteBuffer.allocate(32);
        bytes.putLong(one.getMostSignificantBits()).putLong(one.getLeastSignificantBits());
        bytes.putLong(two.getMostSignificantBits()).putLong(two.getLeastSignificantBits());
        return PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes.array());
    }

    public void add(String vhost, String name, Route route) {
        byName.put(name, new Entry(vhost, route));
    }

    public void remove(String name) {
        byName.remove(name);
    }

    /** Where replies to this name go, null if nobody takes them. */
    @Nullable
    public Route find(String vhost, String name) {
        Entry entry = byName.get(name);
        return entry == null || !entry.vhost().equals(vhost) ? null : entry.route();
    }
}
