package io.sluice.routing.catalog;

import io.sluice.access.Principal;
import io.sluice.log.StreamId;
import io.sluice.queue.QueueId;
import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.Sessions.StoredSubscription;
import io.sluice.routing.Sessions.StoredWill;
import io.sluice.routing.VirtualHost.Description;
import io.sluice.routing.policy.Policy;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A fact of the catalog. The same records describe live changes, durable or not, and what replay reads. */
sealed interface CatalogRecord {
    /** Virtual host that the fact belongs to. */
    String vhost();

    /** A virtual host exists. */
    record Host(String vhost, Description description) implements CatalogRecord {}

    /** An exchange that is not predeclared. */
    record DeclaredExchange(String vhost, ExchangeInfo info, Principal owner) implements CatalogRecord {}

    /** A queue. */
    record DeclaredQueue(String vhost, QueueId id, QueueDeclaration declaration, Principal owner)
            implements CatalogRecord {}

    /** A stream; the engine keeps its partitions and effective settings. */
    record DeclaredStream(String vhost, String name, StreamId id, Map<String, String> configs, Principal owner)
            implements CatalogRecord {}

    /**
     * A binding.
     *
     * @param bridge number of the bridge that serves a binding whose source is a stream, else 0
     * @param startOffsets first offsets that such a bridge passes on, by partition; partitions beyond the list start at 0
     */
    record Bound(String vhost, Binding binding, long bridge, List<Long> startOffsets) implements CatalogRecord {}

    /** A durable MQTT session. */
    record Session(
            String vhost, String clientId, QueueId queue, long expirySeconds, long disconnectedAt, Principal owner)
            implements CatalogRecord {}

    /** A durable subscription of a session. */
    record Subscribed(String vhost, String clientId, StoredSubscription subscription) implements CatalogRecord {}

    /** The will of a durable session; null to name the one to remove. */
    record SessionWill(
            String vhost, String clientId, @Nullable StoredWill will) implements CatalogRecord {}

    /** A policy, of operators or not. */
    record SetPolicy(String vhost, boolean operator, Policy policy) implements CatalogRecord {}

    /** Ids below the limit may have been used. */
    record Ids(String vhost, long limit) implements CatalogRecord {}
}
