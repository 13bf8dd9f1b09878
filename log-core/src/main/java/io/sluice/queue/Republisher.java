package io.sluice.queue;

import io.sluice.log.record.BatchView;

/** Routes dead letters; implemented in {@code routing}, which log-core may not import. */
@FunctionalInterface
public interface Republisher {
    /**
     * Publishes a copy of the record to the queue's dead-letter target with the death added to its history. Runs on the shard
     * thread; must not block. {@code settled} runs (any thread) when the copy is as durable as the original, or when there is
     * nowhere to put it; only then is the original settled (append first, settle second).
     *
     * @param source batch holding the record; retained for the duration of the call only
     * @param reason {@code rejected} or {@code delivery_limit}
     */
    void deadLetter(QueueSpec queue, BatchView source, long offset, String reason, int deliveryCount, Runnable settled);
}
