package io.sluice.queue;

/**
 * Counters of a queue; a snapshot that may be a few microseconds old.
 *
 * @param ready messages waiting
 * @param unacked messages delivered and not settled
 * @param consumers attached consumers
 */
public record QueueStats(long ready, long unacked, int consumers) {
    /** Nothing and nobody. */
    public static final QueueStats NONE = new QueueStats(0, 0, 0);
}
