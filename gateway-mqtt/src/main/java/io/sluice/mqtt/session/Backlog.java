package io.sluice.mqtt.session;

import io.sluice.mqtt.convert.MqttMessage;
import io.sluice.routing.DirectMessage;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Direct messages that a slow client has not been sent yet, in order, within the limits of {@link SessionLimits}; what exceeds
 * them is dropped and counted, the newest first. Owns a reference of each message. Not thread-safe.
 */
final class Backlog {
    private static final Logger LOG = LoggerFactory.getLogger(Backlog.class);
    private static final int OVERHEAD_BYTES = 64;

    private final String clientId;
    private final SessionLimits limits;
    private @Nullable ArrayDeque<PendingMessage> waiting;
    private long bytes;
    private long droppedHere;

    Backlog(String clientId, SessionLimits limits) {
        this.clientId = clientId;
        this.limits = limits;
    }

    boolean isEmpty() {
        return waiting == null;
    }

    /** Adds a message, or drops it. */
    void add(DirectMessage message, int qos, boolean retain, int[] identifiers, int size) {
        ArrayDeque<PendingMessage> queue = queue();
        int booked = OVERHEAD_BYTES + size;
        if (!limits.admit(queue.size(), bytes, booked)) {
            limits.countDropped(1);
            if (droppedHere++ == 0) {
                LOG.warn(
                        "MQTT session {} is too slow: {} messages, {} bytes wait; newer ones are dropped",
                        clientId,
                        queue.size(),
                        bytes);
            }
            clearIfEmpty();
            return;
        }
        bytes += booked;
        queue.add(new PendingMessage(own(message), qos, retain, identifiers, booked));
    }

    /** A reference of the message that may be kept long. */
    static DirectMessage own(DirectMessage message) {
        return message instanceof MqttMessage m ? m.compact() : (DirectMessage) message.retain();
    }

    @Nullable
    PendingMessage peek() {
        return waiting == null ? null : waiting.peek();
    }

    /** Takes the oldest; its reference goes to the caller. */
    void poll() {
        PendingMessage p = waiting == null ? null : waiting.poll();
        if (p == null) {
            return;
        }
        bytes -= p.bytes();
        limits.left(p.bytes());
        if (clearIfEmpty() && droppedHere > 0) {
            LOG.info("MQTT session {} caught up; {} messages were dropped", clientId, droppedHere);
            droppedHere = 0;
        }
    }

    /**
     * The connection is gone: what it had in flight comes first again; of the rest only QoS 1 stays, and nothing of either
     * unless {@code keep}.
     */
    void disconnected(ArrayDeque<PendingMessage> inFlight, boolean keep) {
        ArrayDeque<PendingMessage> before = waiting;
        waiting = null;
        if (keep && !inFlight.isEmpty()) {
            waiting = inFlight;
        } else {
            inFlight.forEach(p -> p.message().release());
        }
        if (before == null) {
            return;
        }
        for (PendingMessage p : before) {
            if (keep && p.qos() > 0) {
                queue().add(p);
            } else {
                p.message().release();
                limits.left(p.bytes());
                bytes -= p.bytes();
            }
        }
    }

    private ArrayDeque<PendingMessage> queue() {
        ArrayDeque<PendingMessage> queue = waiting;
        if (queue == null) {
            queue = new ArrayDeque<>();
            waiting = queue;
        }
        return queue;
    }

    private boolean clearIfEmpty() {
        if (waiting != null && waiting.isEmpty()) {
            waiting = null;
            return true;
        }
        return false;
    }
}
