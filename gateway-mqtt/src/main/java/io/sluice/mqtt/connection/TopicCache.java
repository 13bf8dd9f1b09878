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
        final byte[] bytes;
        final String name;
        final int orderHash;

        /** True for names that start with {@code $}: they are the broker's own (section 4.7.2). */
        final boolean reserved;

        private final Resource resource;
        private @Nullable RoutingTable routedBy;
        private final @Nullable Route[] routes = new Route[4];

        Entry(byte[] bytes) {
            this.bytes = bytes;
            this.name = new String(bytes, UTF_8);
            this.orderHash = name.hashCode();
            this.reserved = name.startsWith("$");
            this.resource = new Resource(Resource.Kind.TOPIC, name);
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
            if (bytes.length != length) {
                return false;
            }
            // Topics of one client differ at their ends first.
            for (int i = length - 1; i >= 0; i--) {
                if (in.getByte(start + i) != bytes[i]) {
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
