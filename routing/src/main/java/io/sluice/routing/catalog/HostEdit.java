package io.sluice.routing.catalog;

import io.sluice.engine.LogEngine;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueueRef;
import io.sluice.queue.Queues;
import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.Sessions.StoredWill;
import io.sluice.routing.Subscriber;
import io.sluice.routing.Subscription;
import io.sluice.routing.VirtualHost.Description;
import io.sluice.routing.catalog.CatalogRecord.Bound;
import io.sluice.routing.catalog.CatalogRecord.DeclaredExchange;
import io.sluice.routing.catalog.CatalogRecord.DeclaredQueue;
import io.sluice.routing.catalog.CatalogRecord.DeclaredStream;
import io.sluice.routing.catalog.CatalogRecord.Host;
import io.sluice.routing.catalog.CatalogRecord.Session;
import io.sluice.routing.catalog.CatalogRecord.SessionWill;
import io.sluice.routing.catalog.CatalogRecord.SetPolicy;
import io.sluice.routing.catalog.CatalogRecord.Subscribed;
import io.sluice.routing.catalog.HostTable.QueueEntry;
import io.sluice.routing.catalog.HostTable.SessionEntry;
import io.sluice.routing.catalog.HostTable.StreamEntry;
import io.sluice.routing.exchange.BindingId;
import io.sluice.routing.exchange.Exchange;
import io.sluice.routing.policy.Policies;
import io.sluice.routing.topic.PatternTrie;
import io.sluice.routing.topic.PersistentMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A virtual host's table in the making: live changes and replay put the same records into it. Validates nothing. Confined to
 * the thread of the catalog.
 */
final class HostEdit {
    final LogEngine engine;
    final Queues running;
    final String vhost;
    PersistentMap<String, Exchange> exchanges = PersistentMap.empty();
    PersistentMap<String, QueueEntry> queues = PersistentMap.empty();
    PersistentMap<String, StreamEntry> streams = PersistentMap.empty();
    PersistentMap<StreamId, String> streamNames = PersistentMap.empty();
    PersistentMap<BindingId, Bound> bindings = PersistentMap.empty();
    PersistentMap<Binding.End, PersistentMap<BindingId, Bound>> bySource = PersistentMap.empty();
    PersistentMap<Binding.End, PersistentMap<BindingId, Bound>> byDestination = PersistentMap.empty();
    PersistentMap<BindingId, Bound> bridges = PersistentMap.empty();
    PersistentMap<String, SessionEntry> sessions = PersistentMap.empty();
    PatternTrie<Subscription> subscriptions = PatternTrie.empty(PatternTrie.Syntax.MQTT);
    Policies policies = Policies.NONE;
    Description description = Description.NONE;

    /** A virtual host with the predeclared exchanges (AMQP 0-9-1, 3.1.3) and nothing else. */
    HostEdit(LogEngine engine, Queues running, String vhost) {
        this.engine = engine;
        this.running = running;
        this.vhost = vhost;
        predeclare("", ExchangeInfo.Type.DIRECT);
        predeclare("amq.direct", ExchangeInfo.Type.DIRECT);
        predeclare("amq.fanout", ExchangeInfo.Type.FANOUT);
        predeclare(HostTable.MQTT_EXCHANGE, ExchangeInfo.Type.TOPIC);
        predeclare("amq.match", ExchangeInfo.Type.HEADERS);
        predeclare("amq.headers", ExchangeInfo.Type.HEADERS);
    }

    HostEdit(HostTable table, Queues running) {
        this.engine = table.engine;
        this.running = running;
        this.vhost = table.vhost;
        reset(table);
    }

    HostTable freeze() {
        return new HostTable(this);
    }

    /** Back to the state of {@code table}. */
    void reset(HostTable table) {
        exchanges = table.exchanges;
        queues = table.queues;
        streams = table.streams;
        streamNames = table.streamNames;
        bindings = table.bindings;
        bySource = table.bySource;
        byDestination = table.byDestination;
        bridges = table.bridges;
        sessions = table.sessions;
        subscriptions = table.subscriptions;
        policies = table.policies;
        description = table.description;
    }

    /** Adds or replaces what the record names. Its queue or stream runs already. */
    void put(CatalogRecord record) {
        if (record instanceof DeclaredExchange x) {
            exchanges = exchanges.put(x.info().name(), Exchange.of(x.info()));
        } else if (record instanceof DeclaredQueue q) {
            queues = queues.put(
                    q.declaration().name(), new QueueEntry(q.declaration(), runningQueue(q.id()), q.owner()));
        } else if (record instanceof DeclaredStream s) {
            StreamInfo info = engine.stream(s.id());
            if (info == null) {
                throw new IllegalStateException("stream '" + s.name() + "' has no data");
            }
            streams = streams.put(s.name(), new StreamEntry(info, s.configs(), s.owner()));
            streamNames = streamNames.put(s.id(), s.name());
        } else if (record instanceof Bound b) {
            bind(b);
        } else if (record instanceof Session m) {
            SessionEntry present = sessions.get(m.clientId());
            sessions = sessions.put(
                    m.clientId(),
                    new SessionEntry(
                            m.clientId(),
                            runningQueue(m.queue()),
                            m.expirySeconds(),
                            m.disconnectedAt(),
                            m.owner(),
                            present == null ? PersistentMap.empty() : present.subscriptions(),
                            present == null ? null : present.will()));
        } else if (record instanceof Subscribed u) {
            SessionEntry s = sessions.get(u.clientId());
            if (s != null) {
                sessions = sessions.put(
                        u.clientId(),
                        withSubscriptions(
                                s, s.subscriptions().put(u.subscription().topicFilter(), u.subscription())));
            }
        } else if (record instanceof SessionWill w) {
            will(w.clientId(), w.will());
        } else if (record instanceof SetPolicy p) {
            policies = policies.with(p.operator(), p.policy());
        } else if (record instanceof Host h) {
            description = h.description();
        }
    }

    /** Takes away what the record names, but nothing that depends on it. */
    void remove(CatalogRecord record) {
        if (record instanceof DeclaredExchange x) {
            exchanges = exchanges.remove(x.info().name());
        } else if (record instanceof DeclaredQueue q) {
            queues = queues.remove(q.declaration().name());
        } else if (record instanceof DeclaredStream s) {
            streams = streams.remove(s.name());
            streamNames = streamNames.remove(s.id());
        } else if (record instanceof Bound b) {
            unbind(b);
        } else if (record instanceof Session m) {
            sessions = sessions.remove(m.clientId());
        } else if (record instanceof Subscribed u) {
            SessionEntry s = sessions.get(u.clientId());
            if (s != null) {
                sessions = sessions.put(
                        u.clientId(),
                        withSubscriptions(
                                s, s.subscriptions().remove(u.subscription().topicFilter())));
            }
        } else if (record instanceof SessionWill w) {
            will(w.clientId(), null);
        } else if (record instanceof SetPolicy p) {
            policies = policies.without(p.operator(), p.policy().name());
        }
    }

    void subscribe(Subscription subscription) {
        subscriptions = subscriptions.with(
                subscription.topicFilter(), subscription.subscriber().clientId(), subscription);
    }

    /** Removes the subscription unless the same client id has put another subscriber in its place. */
    boolean unsubscribe(Subscriber subscriber, String filter) {
        Subscription present = subscriptions.get(filter, subscriber.clientId());
        if (present == null || !sameSession(present.subscriber(), subscriber)) {
            return false;
        }
        subscriptions = subscriptions.without(filter, subscriber.clientId());
        return true;
    }

    @SuppressWarnings("ReferenceEquality") // a clean session is its subscriber object
    private static boolean sameSession(Subscriber a, Subscriber b) {
        QueueRef queue = a.queue();
        QueueRef other = b.queue();
        return a == b || queue != null && other != null && queue.id().equals(other.id());
    }

    private static SessionEntry withSubscriptions(
            SessionEntry s, PersistentMap<String, io.sluice.routing.Sessions.StoredSubscription> subscriptions) {
        return new SessionEntry(
                s.clientId(), s.queue(), s.expirySeconds(), s.disconnectedAt(), s.owner(), subscriptions, s.will());
    }

    private void will(String clientId, @Nullable StoredWill will) {
        SessionEntry s = sessions.get(clientId);
        if (s != null) {
            sessions = sessions.put(
                    clientId,
                    new SessionEntry(
                            clientId,
                            s.queue(),
                            s.expirySeconds(),
                            s.disconnectedAt(),
                            s.owner(),
                            s.subscriptions(),
                            will));
        }
    }

    private void bind(Bound bound) {
        Binding binding = bound.binding();
        BindingId id = BindingId.of(binding);
        if (binding.source().kind() == Binding.Kind.EXCHANGE) {
            Exchange source = exchanges.get(binding.source().name());
            if (source == null) {
                throw new IllegalStateException(
                        "binding of a missing exchange '" + binding.source().name() + "'");
            }
            exchanges = exchanges.put(binding.source().name(), source.with(binding));
        } else {
            bridges = bridges.put(id, bound);
        }
        bindings = bindings.put(id, bound);
        bySource = indexed(bySource, binding.source(), id, bound);
        byDestination = indexed(byDestination, binding.destination(), id, bound);
    }

    private void unbind(Bound bound) {
        Binding binding = bound.binding();
        BindingId id = BindingId.of(binding);
        Exchange source = binding.source().kind() == Binding.Kind.EXCHANGE
                ? exchanges.get(binding.source().name())
                : null;
        if (source != null) {
            exchanges = exchanges.put(binding.source().name(), source.without(binding));
        }
        bridges = bridges.remove(id);
        bindings = bindings.remove(id);
        bySource = unindexed(bySource, binding.source(), id);
        byDestination = unindexed(byDestination, binding.destination(), id);
    }

    private static PersistentMap<Binding.End, PersistentMap<BindingId, Bound>> indexed(
            PersistentMap<Binding.End, PersistentMap<BindingId, Bound>> index,
            Binding.End end,
            BindingId id,
            Bound bound) {
        PersistentMap<BindingId, Bound> present = index.get(end);
        PersistentMap<BindingId, Bound> base = present == null ? PersistentMap.empty() : present;
        return index.put(end, base.put(id, bound));
    }

    private static PersistentMap<Binding.End, PersistentMap<BindingId, Bound>> unindexed(
            PersistentMap<Binding.End, PersistentMap<BindingId, Bound>> index, Binding.End end, BindingId id) {
        PersistentMap<BindingId, Bound> present = index.get(end);
        if (present == null) {
            return index;
        }
        PersistentMap<BindingId, Bound> left = present.remove(id);
        return left.isEmpty() ? index.remove(end) : index.put(end, left);
    }

    private QueueRef runningQueue(QueueId id) {
        QueueRef ref = running.find(id);
        if (ref == null) {
            throw new IllegalStateException("queue " + id.value() + " is not open");
        }
        return ref;
    }

    private void predeclare(String name, ExchangeInfo.Type type) {
        exchanges = exchanges.put(name, Exchange.of(new ExchangeInfo(name, type, true, false, false, Map.of())));
    }
}
