package io.sluice.mqtt.connection;

import io.sluice.io.Clock;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Wills whose delay runs (MQTT 5.0 section 3.1.3.2.2): published when it is over or the session ends, whichever is first, and
 * not at all if the session is resumed before. Thread-safe.
 */
final class Wills {
    private final Clock clock;
    private final Map<SessionKey, Waiting> waiting = new ConcurrentHashMap<>();

    Wills(Clock clock) {
        this.clock = clock;
    }

    private record Waiting(long dueAt, Runnable publish) {}

    /**
     * Keeps a will.
     *
     * @param dueAt epoch ms
     */
    void delay(SessionKey key, long dueAt, Runnable publish) {
        waiting.put(key, new Waiting(dueAt, publish));
    }

    /** The client is back, or its session is over: publishes the will if it is due or {@code ended}, else drops it. */
    void settle(SessionKey key, boolean ended) {
        Waiting will = waiting.remove(key);
        if (will != null && (ended || will.dueAt <= clock.epochMillis())) {
            will.publish.run();
        }
    }

    /** Drops those of a virtual host that is gone. */
    void forget(String vhost) {
        waiting.keySet().removeIf(key -> key.vhost().equals(vhost));
    }

    /** Publishes those whose delay is over. */
    void publishDue() {
        if (waiting.isEmpty()) {
            return;
        }
        long now = clock.epochMillis();
        waiting.forEach((key, will) -> {
            if (will.dueAt <= now && waiting.remove(key, will)) {
                will.publish.run();
            }
        });
    }
}
