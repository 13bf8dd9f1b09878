package io.sluice.shard;

/**
 * How much the publishers of one queue are slowed so that its consumers catch up. Consumers that take messages about as fast as
 * they come, and once fell behind, would stay behind for good: every message then waits as long as the backlog is, and is read
 * from the disk instead of from memory. A short pause after each read of a publisher gives them the processor. Consumers that are
 * much slower than the publishers slow nobody: there the queue is meant to fill. RabbitMQ does the same by its consumer bias and credit flow.
 *
 * <p>Shard thread.
 */
final class ConsumerLag {
    /** Longest pause, ms. */
    static final int MAX_PAUSE = 32;

    /** Messages that wait, from which on consumers are behind. */
    static final int BEHIND = 1_000;

    private static final long WINDOW_MILLIS = 20;
    /** Of two looks further apart than this the first says nothing, ms. */
    private static final long STALE_MILLIS = 1_000;
    /** Consumers that take fewer messages than this have other reasons to be slow, per second. */
    private static final long MIN_RATE = 1_000;
    /** A backlog that is gone in so long a time needs no longer pauses, ms. */
    private static final long GOAL_MILLIS = 500;

    private long since;
    private long readyBefore;
    private long deliveredBefore;
    private int pause;

    /**
     * Looks at the queue.
     *
     * @param now epoch ms
     * @param ready messages that wait
     * @param delivered messages delivered so far
     * @return ms that a publisher is to wait before it sends more, 0 to {@link #MAX_PAUSE}
     */
    int pause(long now, long ready, long delivered) {
        long passed = now - since;
        if (passed >= 0 && passed < WINDOW_MILLIS) {
            return pause;
        }
        long taken = delivered - deliveredBefore;
        long less = readyBefore - ready;
        since = now;
        readyBefore = ready;
        deliveredBefore = delivered;
        boolean nearlyKeepUp = 2 * taken >= taken - less && taken * 1_000 >= MIN_RATE * passed;
        if (passed < 0 || passed > STALE_MILLIS || ready < BEHIND || !nearlyKeepUp) {
            pause /= 2;
        } else if (less * GOAL_MILLIS < ready * passed) {
            pause = Math.min(MAX_PAUSE, Math.max(1, 2 * pause));
        } else if (2 * less * GOAL_MILLIS > 3 * ready * passed) {
            pause = Math.max(1, pause / 2);
        }
        return pause;
    }
}
