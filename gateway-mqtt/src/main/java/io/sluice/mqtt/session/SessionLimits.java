package io.sluice.mqtt.session;

import io.sluice.queue.QueueId;
import io.sluice.queue.QueueRef;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Bounds of the messages that wait for slow subscribers, and counters; one object per gateway, shared by its sessions.
 * Thread-safe.
 */
public final class SessionLimits {
    private static final Logger LOG = LoggerFactory.getLogger(SessionLimits.class);

    private final int subscriptionsPerSession;
    private final int messagesPerSession;
    private final long bytesPerSession;
    private final long bytesInAll;
    private final AtomicLong pendingBytes = new AtomicLong();
    private final Set<QueueId> full = ConcurrentHashMap.newKeySet();
    private final LongAdder dropped = new LongAdder();
    private final LongAdder delivered = new LongAdder();
    private final LongAdder received = new LongAdder();

    /**
     * Creates the limits.
     *
     * @param subscriptionsPerSession subscriptions that a session may have
     * @param messagesPerSession messages that may wait in one session
     * @param bytesPerSession bytes that may wait in one session
     * @param bytesInAll bytes that may wait in all sessions together
     */
    public SessionLimits(int subscriptionsPerSession, int messagesPerSession, long bytesPerSession, long bytesInAll) {
        this.subscriptionsPerSession = subscriptionsPerSession;
        this.messagesPerSession = messagesPerSession;
        this.bytesPerSession = bytesPerSession;
        this.bytesInAll = bytesInAll;
    }

    /** Books a message; false if it must be dropped. */
    boolean admit(int messages, long bytes, int more) {
        if (messages >= messagesPerSession || bytes + more > bytesPerSession) {
            return false;
        }
        if (pendingBytes.addAndGet(more) > bytesInAll) {
            pendingBytes.addAndGet(-more);
            return false;
        }
        return true;
    }

    /** A message is not queued for an offline session that holds as many as it may; counted, and said once until it is back. */
    public void queueFull(QueueRef queue, int limit) {
        dropped.increment();
        if (full.add(queue.id())) {
            LOG.warn(
                    "{} holds {} messages, the limit; what is published meanwhile is not queued for it",
                    queue.spec().name(),
                    limit);
        }
    }

    void resumed(@Nullable QueueRef queue) {
        if (queue != null && !full.isEmpty()) {
            full.remove(queue.id());
        }
    }

    void left(int bytes) {
        pendingBytes.addAndGet(-bytes);
    }

    int subscriptionsPerSession() {
        return subscriptionsPerSession;
    }

    void countDropped(int messages) {
        if (messages > 0) {
            dropped.add(messages);
        }
    }

    void countDelivered(int messages) {
        delivered.add(messages);
    }

    /** Counts what one read of a publisher brought. */
    public void countReceived(int messages) {
        received.add(messages);
    }

    /** Messages that clients published. */
    public long received() {
        return received.sum();
    }

    /** Messages dropped because a subscriber was too slow, they expired or exceeded its packet size. */
    public long dropped() {
        return dropped.sum();
    }

    /** Messages sent to subscribers. */
    public long delivered() {
        return delivered.sum();
    }

    /** Bytes waiting for slow subscribers. */
    public long pendingBytes() {
        return pendingBytes.get();
    }
}
