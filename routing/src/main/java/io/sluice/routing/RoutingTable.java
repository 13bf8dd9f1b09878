package io.sluice.routing;

import io.sluice.log.StreamInfo;
import io.sluice.message.RecordView;
import io.sluice.queue.QueueRef;
import io.sluice.routing.policy.AppliedPolicy;
import io.sluice.routing.policy.Policies;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Names and routes of a virtual host at one moment. Immutable; lookups are cached and safe on any thread. */
public interface RoutingTable {
    @Nullable
    ExchangeInfo exchange(String name);

    @Nullable
    QueueRef queue(String name);

    @Nullable
    QueueDeclaration queueDeclaration(String name);

    @Nullable
    StreamInfo stream(String name);

    /** The policies of the virtual host. */
    Policies policies();

    /** What policies say of a queue or stream; nothing if there is none of this name. */
    AppliedPolicy queuePolicy(String name);

    Collection<ExchangeInfo> exchanges();

    Collection<QueueRef> queues();

    /** Streams by name; internal ones included. */
    Collection<String> streamNames();

    /**
     * Routes a message published to an exchange. Empty exchange name = default exchange (key = queue name). Callers that
     * publish the same key again keep the answer for as long as {@link VirtualHost#table} is this object, unless it is {@link
     * Route#BY_MESSAGE}: then they ask for each message, with its headers.
     *
     * @param qos 0 = at most once (transient): QoS 0 rules for direct subscribers; 1 or 2 = at least once
     * @param headers record with the message headers, borrowed for the call; null if the caller has not got them at hand
     * @throws RoutingException NOT_FOUND if there is no such exchange
     */
    Route route(String exchange, String routingKey, int qos, @Nullable RecordView headers);

    /**
     * Routes a message that its sender gave several routing keys: to every destination of any of them, to each once. Exchanges that
     * do not look at the key see the first.
     *
     * @param routingKeys at least one
     * @throws RoutingException NOT_FOUND if there is no such exchange
     */
    Route route(String exchange, List<String> routingKeys, int qos, RecordView headers);

    /**
     * Routes an MQTT publish: as {@link #route} on the topic exchange, with the topic taken apart once.
     *
     * @param retain store as retained message too (a stream target of the route)
     * @param headers as for {@link #route}
     */
    Route routeTopic(String topic, int qos, boolean retain, @Nullable RecordView headers);
}
