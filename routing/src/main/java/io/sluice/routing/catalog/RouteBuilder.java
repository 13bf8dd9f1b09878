package io.sluice.routing.catalog;

import io.sluice.log.StreamId;
import io.sluice.queue.QueueRef;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.Route;
import io.sluice.routing.Route.DirectGroup;
import io.sluice.routing.Subscriber;
import io.sluice.routing.SubscriberMatch;
import io.sluice.routing.Subscription;
import io.sluice.routing.catalog.HostTable.QueueEntry;
import io.sluice.routing.catalog.HostTable.StreamEntry;
import io.sluice.routing.exchange.Address;
import io.sluice.routing.exchange.Exchange;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.routing.topic.TopicFilters;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;

/**
 * Works out one route: walks from the exchange over exchange-to-exchange bindings, entering each exchange once however they
 * are bound in circles, and its alternate where an exchange leads nowhere, and collects queues, streams and MQTT subscribers without duplicates.
 */
final class RouteBuilder {
    private static final DirectGroup[] NO_GROUPS = {};

    private final HostTable table;
    private final List<Address> addresses;
    private final int qos;
    private boolean byMessage;
    /** Destinations of the exchange that is being entered. */
    private int found;

    private final Set<String> entered = new HashSet<>();
    private final Deque<String> next = new ArrayDeque<>();
    private final Map<Long, QueueRef> queues = new LinkedHashMap<>();
    private final Map<StreamId, StreamTarget> streams = new LinkedHashMap<>();
    private final IdentityHashMap<Subscriber, Merged> subscribers = new IdentityHashMap<>();

    /** Overlapping subscriptions of one session. */
    private static final class Merged {
        int maximumQos;
        boolean noLocal = true;
        boolean retainAsPublished;
        int[] identifiers = {};

        void add(Subscription subscription) {
            maximumQos = Math.max(maximumQos, subscription.maximumQos());
            noLocal &= subscription.noLocal();
            retainAsPublished |= subscription.retainAsPublished();
            if (subscription.identifier() != 0) {
                identifiers = Arrays.copyOf(identifiers, identifiers.length + 1);
                identifiers[identifiers.length - 1] = subscription.identifier();
            }
        }
    }

    /**
     * Starts a route.
     *
     * @param addresses the message under each of its routing keys, at least one; only keys are told apart
     */
    RouteBuilder(HostTable table, List<Address> addresses, int qos) {
        this.table = table;
        this.addresses = addresses;
        this.qos = qos;
    }

    void publish(String exchange) {
        if (exchange.isEmpty()) {
            defaultExchange();
            return;
        }
        next.add(exchange);
        while (!next.isEmpty()) {
            String name = next.remove();
            Exchange entry = entered.add(name) ? table.exchanges.get(name) : null;
            if (entry == null) {
                continue;
            }
            byMessage |= entry.dependsOnMessage();
            found = 0;
            for (Address address : addresses) {
                entry.route(address, this::destination);
                if (name.equals(HostTable.MQTT_EXCHANGE)
                        && !table.subscriptions.isEmpty()
                        && !TopicFilters.isReserved(address.topic())) {
                    table.subscriptions.match(address.levels(), this::subscription);
                }
                if (!looksAtKeys(entry)) {
                    break;
                }
            }
            String alternate = found == 0 ? table.alternate(entry.info()) : null;
            if (alternate != null) {
                next.add(alternate);
            }
        }
    }

    private static boolean looksAtKeys(Exchange exchange) {
        return exchange.info().type() == ExchangeInfo.Type.DIRECT
                || exchange.info().type() == ExchangeInfo.Type.TOPIC;
    }

    /** True if an exchange on the way looked at more than the address. */
    boolean dependsOnMessage() {
        return byMessage;
    }

    void addStream(StreamTarget target) {
        streams.putIfAbsent(target.stream(), target);
    }

    Route build() {
        DirectGroup[] direct = groupSubscribers();
        if (queues.isEmpty() && streams.isEmpty()) {
            return direct.length == 0 ? Route.NONE : new Route(TargetSet.EMPTY, direct);
        }
        return new Route(new TargetSet(List.copyOf(queues.values()), List.copyOf(streams.values())), direct);
    }

    /** Every queue and stream is bound to the default exchange by its name (AMQP 0-9-1, 3.1.3.1). */
    private void defaultExchange() {
        for (Address address : addresses) {
            String name = address.key();
            if (table.queues.containsKey(name)) {
                destination(new Binding.End(Binding.Kind.QUEUE, name));
            } else {
                destination(new Binding.End(Binding.Kind.STREAM, name));
            }
        }
    }

    private void destination(Binding.End end) {
        found++;
        switch (end.kind()) {
            case EXCHANGE -> next.add(end.name());
            case QUEUE -> {
                QueueEntry queue = table.queues.get(end.name());
                if (queue != null) {
                    queues.putIfAbsent(queue.ref().id().value(), queue.ref());
                }
            }
            case STREAM -> {
                StreamEntry stream = table.streams.get(end.name());
                if (stream != null && !InternalStreams.isReserved(end.name())) {
                    addStream(new StreamTarget(stream.info().id(), stream.info().partitions()));
                }
            }
        }
    }

    private void subscription(Subscription subscription) {
        found++;
        subscribers
                .computeIfAbsent(subscription.subscriber(), subscriber -> new Merged())
                .add(subscription);
    }

    private DirectGroup[] groupSubscribers() {
        if (subscribers.isEmpty()) {
            return NO_GROUPS;
        }
        IdentityHashMap<Executor, List<SubscriberMatch>> groups = new IdentityHashMap<>();
        subscribers.forEach((subscriber, merged) -> {
            QueueRef queue = subscriber.queue();
            if (queue != null && Math.min(qos, merged.maximumQos) > 0) {
                queues.putIfAbsent(queue.id().value(), queue);
                return;
            }
            groups.computeIfAbsent(subscriber.executor(), executor -> new ArrayList<>())
                    .add(new SubscriberMatch(
                            subscriber,
                            merged.maximumQos,
                            merged.noLocal,
                            merged.retainAsPublished,
                            merged.identifiers));
        });
        DirectGroup[] direct = new DirectGroup[groups.size()];
        int i = 0;
        for (Map.Entry<Executor, List<SubscriberMatch>> group : groups.entrySet()) {
            direct[i++] = new DirectGroup(group.getKey(), group.getValue().toArray(SubscriberMatch[]::new));
        }
        return direct;
    }
}
