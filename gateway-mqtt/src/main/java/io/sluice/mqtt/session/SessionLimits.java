package io.sluice.mqtt.session;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * Bounds of the messages that wait for slow subscribers, and counters; one object per gateway, shared by its sessions.
 * Thread-safe.
 */
public final class SessionLimits {
    private final int messagesPerSession;
    private final long bytesPerSession;
    private final long bytesInAll;
    private final AtomicLong pendingBytes = new AtomicLong();
    private final LongAdder dropped = new LongAdder();
    private final LongAdder delivered = new LongAdder();

    /**
     * Creates the limits.
     *
     * @param messagesPerSession messages that may wait in one session
     * @param bytesPerSession bytes that may wait in one session
     * @param bytesInAll bytes that may wait in all sessions together
     */
    public SessionLimits(int messagesPerSession, long bytesPerSession, long bytesInAll) {
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

    void left(int bytes) {
        pendingBytes.addAndGet(-bytes);
    }

    void countDropped() {
        dropped.increment();
    }

    void countDelivered(int messages) {
        delivered.add(messages);
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
