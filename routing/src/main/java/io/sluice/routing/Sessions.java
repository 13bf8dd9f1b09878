package io.sluice.routing;

import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.queue.QueueRef;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** Durable MQTT sessions: their queue, expiry, subscriptions and owner are catalog records. Thread-safe. */
public interface Sessions {
    /**
     * A durable session.
     *
     * @param expirySeconds seconds after disconnect until it goes, -1 = never
     * @param disconnectedAt epoch ms of the last disconnect, -1 while connected (a restart counts as a disconnect)
     * @param owner who made it; only the same principal may resume it
     * @param subscriptions its durable subscriptions, with {@code filter} and options
     */
    record SessionInfo(
            String clientId,
            QueueRef queue,
            long expirySeconds,
            long disconnectedAt,
            Principal owner,
            List<StoredSubscription> subscriptions) {}

    /** A durable subscription as stored. */
    record StoredSubscription(
            String topicFilter,
            int maximumQos,
            boolean noLocal,
            boolean retainAsPublished,
            int retainHandling,
            int identifier) {}

    @Nullable
    SessionInfo find(String clientId);

    Collection<SessionInfo> all();

    /** Creates the session and its durable queue, or answers the present one. */
    CompletionStage<SessionInfo> open(Caller caller, String clientId, long expirySeconds);

    /** Records connection state and expiry; -1 = connected. */
    CompletionStage<Void> update(Caller caller, String clientId, long expirySeconds, long disconnectedAt);

    /** Deletes the session, its queue and its subscriptions. */
    CompletionStage<Void> delete(Caller caller, String clientId);

    /**
     * After a restart the subscriptions of stored sessions are part of routes again before any client connects: the adapter
     * supplies the subscriber that stands for each session. Called once, before listeners open.
     */
    void restore(java.util.function.Function<SessionInfo, Subscriber> subscriberOf);
}
