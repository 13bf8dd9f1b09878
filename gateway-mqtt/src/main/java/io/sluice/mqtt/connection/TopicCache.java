package io.sluice.mqtt.connection;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingTable;
import org.jspecify.annotations.Nullable;

/**
 * Topics that a connection published to lately, found by their bytes so that a repeated topic is neither decoded nor routed
 * again. Bounded: one entry, then a direct-mapped table. Not thread-safe.
 */
final class TopicCache {
    private static final int SLOTS = 64;

    private @Nullable Entry last;
    private Entry @Nullable [] table;

    /** A topic name with its routes. */
    static final class Entry {
        /** As EMQX has it: messages to {@code $delayed/SECONDS/TOPIC} are published to {@code TOPIC} later. */
        private static final String DELAYED = "$delayed/";
        /** As in EMQX, seconds; about 50 days. */
        private static final int MAX_DELAY_SECONDS = 4_294_967;

        final byte[] bytes;
        final String name;
        final int orderHash;

        /** By how much its messages are delayed, ms. */
        final long delayMillis;

        /** True for names that start with {@code $}: they are the broker's own (section 4.7.2). */
        final boolean reserved;

        private final byte[] published;
        private final Resource resource;
        private @Nullable RoutingTable routedBy;
        private final @Nullable Route[] routes = new Route[4];

        Entry(byte[] published) {
            String whole = new String(published, UTF_8);
            int seconds = delaySeconds(whole);
            this.published = published;
            this.name = seconds < 0 ? whole : whole.substring(whole.indexOf('/', DELAYED.length()) + 1);
            this.bytes = seconds < 0 ? published : name.getBytes(UTF_8);
            this.delayMillis = Math.max(0, seconds) * 1_000L;
            this.orderHash = name.hashCode();
            this.reserved = name.startsWith("$");
            this.resource = new Resource(Resource.Kind.TOPIC, name);
        }

        /** The seconds of a topic that delays, -1 of any other and of one that is not well formed. */
        private static int delaySeconds(String topic) {
            if (!topic.startsWith(DELAYED)) {
                return -1;
            }
            int slash = topic.indexOf('/', DELAYED.length());
            if (slash == DELAYED.length() || slash < 0 || slash > DELAYED.length() + 7 || slash == topic.length() - 1) {
                return -1;
            }
            int seconds = 0;
            for (int i = DELAYED.length(); i < slash; i++) {
                int digit = topic.charAt(i) - '0';
                if (digit < 0 || digit > 9) {
                    return -1;
                }
                seconds = seconds * 10 + digit;
            }
            return seconds > MAX_DELAY_SECONDS ? -1 : seconds;
        }

        boolean mayPublish(Caller caller) {
            return caller.authorizer().permits(caller.principal(), caller.vhost(), Operation.WRITE, resource);
        }

        /** Route in this table; kept for as long as the table is the same object. */
        @SuppressWarnings("ReferenceEquality") // tables say by identity that nothing changed
        Route route(RoutingTable now, int qos, boolean retain) {
            if (routedBy != now) {
                routes[0] = null;
                routes[1] = null;
                routes[2] = null;
                routes[3] = null;
                routedBy = now;
            }
            int i = qos + (retain ? 2 : 0);
            Route route = routes[i];
            if (route == null) {
                route = now.routeTopic(name, qos, retain, null);
                routes[i] = route;
            }
            return route;
        }

        private boolean is(ByteBuf in, int start, int length) {
            if (published.length != length) {
                return false;
            }
            // Topics of one client differ at their ends first.
            for (int i = length - 1; i >= 0; i--) {
                if (in.getByte(start + i) != published[i]) {
                    return false;
                }
            }
            return true;
        }
    }

    /** The entry of a topic that was used before, null if it must be checked and {@link #add added}. */
    @Nullable
    Entry find(ByteBuf in, int start, int length) {
        Entry entry = last;
        if (entry != null && entry.is(in, start, length)) {
            return entry;
        }
        Entry[] t = table;
        if (t == null) {
            return null;
        }
        entry = t[slot(in, start, length)];
        if (entry != null && entry.is(in, start, length)) {
            last = entry;
            return entry;
        }
        return null;
    }

    /** Adds a checked topic name. */
    Entry add(ByteBuf in, int start, int length) {
        byte[] bytes = new byte[length];
        in.getBytes(start, bytes);
        Entry entry = new Entry(bytes);
        if (last != null) {
            if (table == null) {
                table = new Entry[SLOTS];
            }
            table[slot(in, start, length)] = entry;
        }
        last = entry;
        return entry;
    }

    private static int slot(ByteBuf in, int start, int length) {
        int hash = length;
        for (int i = start; i < start + length; i++) {
            hash = 31 * hash + in.getByte(i);
        }
        return (hash ^ (hash >>> 8)) & (SLOTS - 1);
    }
}
