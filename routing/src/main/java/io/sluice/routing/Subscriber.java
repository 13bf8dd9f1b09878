package io.sluice.routing;

import io.sluice.queue.QueueRef;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * A taker of messages that has an MQTT session: online, offline, or both in turn. Messages whose effective QoS is 0, and all
 * messages of a session without a durable queue, are handed over directly, loop to loop, without the log.
 */
public interface Subscriber {
    /** Session name, for noLocal and listings. */
    String clientId();

    /** Event loop that {@link #deliver} runs on; sets of messages for subscribers of one loop travel as one task. */
    Executor executor();

    /** Durable queue of a persistent session: messages of QoS 1 and 2 are stored there. Null for a clean session. */
    @Nullable
    QueueRef queue();

    /**
     * Hands over a message; runs on {@link #executor}. The message is borrowed for the call: retain to keep.
     *
     * @param match subscriptions that matched and the effective QoS
     */
    void deliver(DirectMessage message, SubscriberMatch match);

    /** Hands over a run of messages, those left out that the subscriber published itself if the match is noLocal. */
    default void deliver(DirectRun run, SubscriberMatch match) {
        for (int i = 0; i < run.size(); i++) {
            DirectMessage message = run.message(i);
            if (!match.noLocal() || !clientId().equals(message.publisherId())) {
                deliver(message, match);
            }
        }
    }

    /**
     * After the {@code deliver} calls of one task: flush the connection. Runs on {@link #executor}; may come more than once, and
     * then finds nothing to do.
     */
    void flush();
}
