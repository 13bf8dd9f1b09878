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
     * @param will what is published when its client is gone, null = nothing
     */
    record SessionInfo(
            String clientId,
            QueueRef queue,
            long expirySeconds,
            long disconnectedAt,
            Principal owner,
            List<StoredSubscription> subscriptions,
            @Nullable StoredWill will) {}

    /** A durable subscription as stored. */
    record StoredSubscription(
            String topicFilter,
            int maximumQos,
            boolean noLocal,
            boolean retainAsPublished,
            int retainHandling,
            int identifier) {}

    /**
     * A will message (MQTT 5.0, section 3.1.2.5) that outlives the broker with its session.
     *
     * @param properties encoded PUBLISH properties that are forwarded
     * @param expirySeconds message expiry interval, -1 = none
     * @param delaySeconds how long after the end of the connection it is published
     */
    @SuppressWarnings("ArrayRecordComponent") // handed on, never compared
    record StoredWill(
            String topic,
            byte[] payload,
            int qos,
            boolean retain,
            byte[] properties,
            long expirySeconds,
            long delaySeconds) {}

    /** Names of the queues of sessions start so; clients cannot declare or delete such queues. */
    String QUEUE_PREFIX = "mqtt-session.";

    /** True if the queue belongs to a session. */
    static boolean isSessionQueue(QueueRef queue) {
        return queue.spec().name().startsWith(QUEUE_PREFIX);
    }

    @Nullable
    SessionInfo find(String clientId);

    Collection<SessionInfo> all();

    /** Creates the session and its durable queue, or answers the present one. */
    CompletionStage<SessionInfo> open(Caller caller, String clientId, long expirySeconds);

    /** Records connection state and expiry; -1 = connected. */
    CompletionStage<Void> update(Caller caller, String clientId, long expirySeconds, long disconnectedAt);

    /** Keeps the will of a session, in place of one before. */
    CompletionStage<Void> keepWill(Caller caller, String clientId, StoredWill will);

    /** Forgets the will of a session, if it is still this very object: it was published or is not to be. */
    CompletionStage<Void> forgetWill(Caller caller, String clientId, StoredWill will);

    /** Deletes the session, its queue and its subscriptions. */
    CompletionStage<Void> delete(Caller caller, String clientId);

    /**
     * After a restart the subscriptions of stored sessions are part of routes again before any client connects: the adapter
     * supplies the subscriber that stands for each session. Called once, before listeners open.
     */
    void restore(java.util.function.Function<SessionInfo, Subscriber> subscriberOf);
}
