package io.sluice.routing.catalog;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.sluice.access.Principal;
import io.sluice.engine.LogEngine;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.message.RecordView;
import io.sluice.queue.QueueRef;
import io.sluice.queue.StreamTarget;
import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.Sessions.SessionInfo;
import io.sluice.routing.Sessions.StoredSubscription;
import io.sluice.routing.Sessions.StoredWill;
import io.sluice.routing.Subscription;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.exchange.Address;
import io.sluice.routing.exchange.BindingId;
import io.sluice.routing.exchange.Exchange;
import io.sluice.routing.policy.AppliedPolicy;
import io.sluice.routing.policy.Policies;
import io.sluice.routing.policy.QueueType;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.routing.topic.PatternTrie;
import io.sluice.routing.topic.PersistentMap;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** All names and routes of a virtual host at one moment. Immutable but for the cache of routes it has worked out. */
final class HostTable implements RoutingTable {
    /** Exchange that MQTT publishes enter and MQTT subscriptions are bound to. */
    static final String MQTT_EXCHANGE = "amq.topic";

    /** Routes remembered per table. */
    private static final int CACHED_ROUTES = 16_384;

    /** A queue and its declaration. */
    record QueueEntry(QueueDeclaration declaration, QueueRef ref, Principal owner) {}

    /** A stream and the settings that were made explicitly. */
    record StreamEntry(StreamInfo info, Map<String, String> configs, Principal owner) {}

    /** A durable session; its subscriptions by filter. */
    record SessionEntry(
            String clientId,
            QueueRef queue,
            long expirySeconds,
            long disconnectedAt,
            Principal owner,
            PersistentMap<String, StoredSubscription> subscriptions,
            @Nullable StoredWill will) {
        SessionInfo info() {
            return new SessionInfo(
                    clientId, queue, expirySeconds, disconnectedAt, owner, List.copyOf(subscriptions.values()), will);
        }
    }

    private record RouteKey(String exchange, String key, int kind) {}

    final LogEngine engine;
    final String vhost;
    final PersistentMap<String, Exchange> exchanges;
    final PersistentMap<String, QueueEntry> queues;
    final PersistentMap<String, StreamEntry> streams;
    final PersistentMap<StreamId, String> streamNames;
    final PersistentMap<BindingId, CatalogRecord.Bound> bindings;
    final PersistentMap<Binding.End, PersistentMap<BindingId, CatalogRecord.Bound>> bySource;
    final PersistentMap<Binding.End, PersistentMap<BindingId, CatalogRecord.Bound>> byDestination;
    final PersistentMap<BindingId, CatalogRecord.Bound> bridges;
    final PersistentMap<String, SessionEntry> sessions;
    final PatternTrie<Subscription> subscriptions;
    final Policies policies;
    final VirtualHost.Description description;

    private final StreamTarget retained;
    private volatile @Nullable Cache<RouteKey, Route> routes;

    HostTable(HostEdit edit) {
        engine = edit.engine;
        vhost = edit.vhost;
        exchanges = edit.exchanges;
        queues = edit.queues;
        streams = edit.streams;
        streamNames = edit.streamNames;
        bindings = edit.bindings;
        bySource = edit.bySource;
        byDestination = edit.byDestination;
        bridges = edit.bridges;
        sessions = edit.sessions;
        subscriptions = edit.subscriptions;
        policies = edit.policies;
        description = edit.description;
        retained = new StreamTarget(InternalStreams.id(InternalStreams.retained(vhost)), 1);
    }

    @Override
    public @Nullable ExchangeInfo exchange(String name) {
        Exchange exchange = exchanges.get(name);
        return exchange == null ? null : exchange.info();
    }

    @Override
    public @Nullable QueueRef queue(String name) {
        QueueEntry entry = queues.get(name);
        return entry == null ? null : entry.ref();
    }

    @Override
    public @Nullable QueueDeclaration queueDeclaration(String name) {
        QueueEntry entry = queues.get(name);
        return entry == null ? null : entry.declaration();
    }

    @Override
    public @Nullable StreamInfo stream(String name) {
        StreamEntry entry = streams.get(name);
        if (entry != null) {
            return entry.info();
        }
        return InternalStreams.isReserved(name) ? engine.stream(InternalStreams.id(name)) : null;
    }

    @Override
    public Policies policies() {
        return policies;
    }

    @Override
    public AppliedPolicy queuePolicy(String name) {
        QueueEntry queue = queues.get(name);
        if (queue != null) {
            return policies.ofQueue(name, QueueType.of(queue.declaration().arguments()));
        }
        return streams.containsKey(name) ? policies.ofQueue(name, QueueType.STREAM) : AppliedPolicy.NONE;
    }

    /** Where a message goes that finds no destination here: what the declaration says, else a policy; null if nothing does. */
    @Nullable
    String alternate(ExchangeInfo exchange) {
        String declared = exchange.alternate();
        return declared != null
                ? declared
                : policies.ofExchange(exchange.name()).alternate();
    }

    @Override
    public Collection<ExchangeInfo> exchanges() {
        List<ExchangeInfo> infos = new ArrayList<>(exchanges.size());
        exchanges.forEach((name, exchange) -> infos.add(exchange.info()));
        infos.sort(Comparator.comparing(ExchangeInfo::name));
        return infos;
    }

    @Override
    public Collection<QueueRef> queues() {
        List<QueueRef> refs = new ArrayList<>(queues.size());
        queues.forEach((name, entry) -> refs.add(entry.ref()));
        refs.sort(Comparator.comparing(ref -> ref.spec().name()));
        return refs;
    }

    @Override
    public Collection<String> streamNames() {
        List<String> names = new ArrayList<>(streams.keys());
        names.sort(Comparator.naturalOrder());
        return names;
    }

    @Override
    public Route route(String exchange, String routingKey, int qos, @Nullable RecordView headers) {
        RouteKey key = new RouteKey(exchange, routingKey, qos == 0 ? 0 : 1);
        Route cached = cache().getIfPresent(key);
        if (cached != null && (headers == null || !cached.isByMessage())) {
            return cached;
        }
        checkExchange(exchange);
        RouteBuilder builder = new RouteBuilder(this, List.of(Address.ofKey(routingKey, headers)), qos);
        builder.publish(exchange);
        return remember(key, builder, headers);
    }

    @Override
    public Route route(String exchange, List<String> routingKeys, int qos, RecordView headers) {
        checkExchange(exchange);
        List<Address> addresses = new ArrayList<>(routingKeys.size());
        for (String key : routingKeys) {
            addresses.add(Address.ofKey(key, headers));
        }
        RouteBuilder builder = new RouteBuilder(this, addresses, qos);
        builder.publish(exchange);
        return builder.build();
    }

    @Override
    public Route routeTopic(String topic, int qos, boolean retain, @Nullable RecordView headers) {
        RouteKey key = new RouteKey("\0mqtt", topic, (qos == 0 ? 0 : 1) + (retain ? 2 : 0));
        Route cached = cache().getIfPresent(key);
        if (cached != null && (headers == null || !cached.isByMessage())) {
            return cached;
        }
        RouteBuilder builder = new RouteBuilder(this, List.of(Address.ofTopic(topic, headers)), qos);
        builder.publish(MQTT_EXCHANGE);
        if (retain) {
            builder.addStream(retained);
        }
        return remember(key, builder, headers);
    }

    private void checkExchange(String exchange) {
        if (!exchanges.containsKey(exchange)) {
            throw new RoutingException(
                    Reason.NOT_FOUND, "no exchange '" + exchange + "' in virtual host '" + vhost + "'");
        }
    }

    /** A route that depends on the message is never kept, but that it does is. */
    private Route remember(RouteKey key, RouteBuilder builder, @Nullable RecordView headers) {
        boolean byMessage = builder.dependsOnMessage();
        Route route = byMessage && headers == null ? Route.BY_MESSAGE : builder.build();
        cache().put(key, byMessage ? Route.BY_MESSAGE : route);
        return route;
    }

    /** Made at the first lookup: while many clients subscribe, most tables live too briefly to route anything. */
    private Cache<RouteKey, Route> cache() {
        Cache<RouteKey, Route> cache = routes;
        if (cache == null) {
            cache = Caffeine.newBuilder()
                    .maximumSize(CACHED_ROUTES)
                    .executor(Runnable::run)
                    .build();
            routes = cache;
        }
        return cache;
    }
}
