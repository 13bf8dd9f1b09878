package io.sluice.queue;

import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The queues of a node. The catalog decides which exist; this runs them. Thread-safe; stages complete on the shard thread. */
public interface Queues {
    /**
     * Creates the queue, or opens it with the state recovered under its id. A new one that is durable outlives a crash from the
     * next commit on, so nothing that is stored once the stage has completed can be stored without it.
     */
    CompletionStage<QueueRef> open(QueueSpec spec);

    /**
     * Changes what the queue does with its messages: they are judged by the new policy at once, but for their time to live, which
     * they keep. Called on the shard thread it has taken effect for {@link QueueRef#spec} and whatever is taken up later when it
     * returns; any other thread hands it over. A queue that is gone is left alone.
     *
     * @throws IllegalArgumentException on the shard thread, if a queue cannot change so: priorities, whether consumers take turns and
     *     whether it is for delayed messages are for life
     */
    void reconfigure(QueueId id, QueuePolicy policy);

    /** Removes the queue and its state; its consumers are closed. Completes with the number of ready messages that went. */
    CompletionStage<Long> delete(QueueId id);

    /**
     * Removes the queues that were recovered and not opened since: their creation or deletion was cut short. Called once, when
     * the catalog has opened all it knows. Completes with their number.
     */
    CompletionStage<Integer> dropUnopened();

    /** The open queue of this id, null if none. */
    @Nullable
    QueueRef find(QueueId id);

    /**
     * Sets who deletes a queue that nobody used for as long as its policy says; called once before traffic. Told on the shard
     * thread; again after another such time if the queue is still there and unused.
     */
    void onExpired(Consumer<QueueSpec> listener);

    /** Sets where dead letters go; called once before traffic. */
    void republisher(Republisher republisher);
}
