package io.sluice.server.management;

import io.sluice.io.Clock;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.LinkedHashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Log lines about requests that are refused or never end: one a second at most for each address, with the number of those left out
 * since, so that a flood of them does not fill the log. Remembers the last {@value #ADDRESSES} addresses. Thread-safe.
 */
final class Complaints {
    private static final Logger LOG = LoggerFactory.getLogger(HttpHandler.class);
    private static final long INTERVAL_NANOS = 1_000_000_000L;
    private static final int ADDRESSES = 256;

    private record Last(long at, int leftOut) {}

    private final Clock clock;
    private final Map<Object, Last> lines = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Object, Last> eldest) {
            return size() > ADDRESSES;
        }
    };

    Complaints(Clock clock) {
        this.clock = clock;
    }

    /** Writes a line about the connection of {@code peer}, unless one of its address was written within the last second. */
    void about(SocketAddress peer, String what) {
        int leftOut = due(peer instanceof InetSocketAddress socket ? address(socket) : peer);
        if (leftOut == 0) {
            LOG.warn("management {}: {}", peer, what);
        } else if (leftOut > 0) {
            LOG.warn("management {}: {} (and {} more of this address)", peer, what, leftOut);
        }
    }

    private static Object address(InetSocketAddress socket) {
        InetAddress address = socket.getAddress();
        return address == null ? socket : address;
    }

    /** Lines left out since the last one; -1 to leave out this one too. */
    private synchronized int due(Object address) {
        long now = clock.nanoTime();
        Last last = lines.get(address);
        if (last != null && now - last.at() < INTERVAL_NANOS) {
            lines.put(address, new Last(last.at(), last.leftOut() + 1));
            return -1;
        }
        lines.put(address, new Last(now, 0));
        return last == null ? 0 : last.leftOut();
    }
}
