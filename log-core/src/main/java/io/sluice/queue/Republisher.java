package io.sluice.queue;

import io.sluice.log.LogException;
import io.sluice.log.record.BatchView;

/** Routes dead letters and delayed messages; implemented in {@code routing}, which log-core may not import. */
public interface Republisher {
    /**
     * Publishes a copy of the record to the queue's dead-letter target with the death added to its history. Runs on the shard
     * thread; must not block. The original is settled with the batch that names it in {@link
     * io.sluice.shard.PublishBatch#inPlaceOf}, in the same pass; else after {@link Outcome#settled}.
     *
     * @param source batch holding the record; retained for the duration of the call only
     */
    void deadLetter(
            QueueSpec queue, BatchView source, long offset, DeathReason reason, int deliveryCount, Outcome outcome);

    /**
     * Publishes a record of a {@link QueuePolicy#delayed} queue to where it was to go, since it has fallen due; else as {@link
     * #deadLetter}.
     */
    void due(QueueSpec queue, BatchView source, long offset, Outcome outcome);

    /** What became of the copy. Exactly one method is called, once, on any thread. */
    interface Outcome {
        /** The copy is as durable as the original, or there is nowhere to put it. */
        void settled();

        /** The copy is not stored: the dead letter is given to the republisher again, after a second at the earliest. */
        void failed(LogException error);
    }
}
