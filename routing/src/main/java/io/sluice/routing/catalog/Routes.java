package io.sluice.routing.catalog;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.log.StreamConfig;
import io.sluice.queue.QueuePolicy;
import io.sluice.routing.Binding;
import io.sluice.routing.Binding.End;
import io.sluice.routing.Binding.Kind;
import io.sluice.routing.Binding.Origin;
import io.sluice.routing.Broker;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.exchange.BindingId;
import io.sluice.routing.exchange.TopicExchange;
import io.sluice.routing.topic.TopicFilters;
import io.sluice.routing.topic.TopicNames;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Bindings as management and configuration write them: {@code exchange:NAME}, {@code queue:NAME}, {@code stream:NAME} or
 * {@code mqtt:FILTER}, short for the topic exchange with the translated filter. A missing stream (one partition) or durable
 * queue is created unless the route is refused, a missing exchange is an error. Thread-safe; stages complete on the shard thread.
 */
public final class Routes {
    /**
     * A route as written.
     *
     * @param key routing key or pattern, null = {@code #} from a topic exchange, else empty
     * @param vhost virtual host, {@code /} by default
     */
    public record Spec(String from, String to, @Nullable String key, String vhost) {}

    /** A route as listed. */
    public record Listed(String from, String to, String key, String vhost, Origin origin) {}

    private final Broker broker;

    public Routes(Broker broker) {
        this.broker = broker;
    }

    /** Adds a route; an equal one is left alone. Fails with CYCLE and the cycle's name if it would close one. */
    public CompletionStage<Void> add(Caller caller, Spec spec, Origin origin) {
        try {
            permit(caller, spec);
            VirtualHost host = host(spec);
            Binding binding = parse(host, spec, origin);
            return host.checkBinding(caller, binding) // a refused route leaves nothing behind
                    .thenCompose(done -> ensure(caller, host, binding.source()))
                    .thenCompose(done -> ensure(caller, host, binding.destination()))
                    .thenCompose(done -> host.bind(caller, binding));
        } catch (RoutingException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** Removes a route; NOT_FOUND if there is none, ACCESS_REFUSED if the configuration file sets it. */
    public CompletionStage<Void> remove(Caller caller, Spec spec) {
        return remove(caller, spec, Origin.API);
    }

    /** All bindings of a virtual host. */
    public List<Listed> list(Caller caller, String vhost) {
        Spec all = new Spec("", "", null, vhost);
        permit(caller, all);
        List<Listed> listed = new ArrayList<>();
        for (Binding binding : host(all).bindings()) {
            listed.add(listed(vhost, binding));
        }
        return listed;
    }

    /** Makes the configured routes the given ones: adds what is missing and removes what the file no longer has. */
    public CompletionStage<Void> configure(List<Spec> specs) {
        CompletionStage<Void> all = CompletableFuture.completedFuture(null);
        try {
            Set<BindingId> wanted = new HashSet<>();
            for (Spec spec : specs) {
                VirtualHost host = host(spec);
                Binding binding = parse(host, spec, Origin.CONFIG);
                wanted.add(BindingId.of(BindingChanges.normal(binding)));
                all = all.thenCompose(done -> add(Caller.broker(spec.vhost()), spec, Origin.CONFIG));
            }
            for (VirtualHost host : broker.virtualHosts()) {
                for (Binding binding : host.bindings()) {
                    if (binding.origin() == Origin.CONFIG && !wanted.contains(BindingId.of(binding))) {
                        all = all.thenCompose(done -> host.unbind(Caller.broker(host.name()), binding));
                    }
                }
            }
        } catch (RoutingException e) {
            return CompletableFuture.failedFuture(e);
        }
        return all;
    }

    private CompletionStage<Void> remove(Caller caller, Spec spec, Origin origin) {
        try {
            permit(caller, spec);
            VirtualHost host = host(spec);
            Binding binding = parse(host, spec, origin);
            BindingId id = BindingId.of(BindingChanges.normal(binding));
            if (host.bindings().stream()
                    .noneMatch(present -> BindingId.of(present).equals(id))) {
                throw new RoutingException(
                        Reason.NOT_FOUND,
                        "there is no route from " + spec.from() + " to " + spec.to()
                                + (spec.key() == null ? "" : " with key '" + spec.key() + "'") + " in vhost '"
                                + spec.vhost() + "'");
            }
            return host.unbind(caller, binding);
        } catch (RoutingException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private static Listed listed(String vhost, Binding binding) {
        String filter = binding.arguments().get(TopicExchange.MQTT_FILTER);
        String from = filter != null && binding.source().name().equals(HostTable.MQTT_EXCHANGE)
                ? "mqtt:" + filter
                : BindingCycle.word(binding.source());
        return new Listed(from, BindingCycle.word(binding.destination()), binding.key(), vhost, binding.origin());
    }

    private static Binding parse(VirtualHost host, Spec spec, Origin origin) {
        if (spec.to().startsWith("mqtt:")) {
            throw invalid("a route cannot lead to '" + spec.to() + "'; write exchange:" + HostTable.MQTT_EXCHANGE);
        }
        End to = end(spec.to());
        if (spec.from().startsWith("mqtt:")) {
            String filter = spec.from().substring("mqtt:".length());
            if (!TopicFilters.isValidFilter(filter)) {
                throw invalid("invalid topic filter '" + filter + "'");
            }
            if (filter.equals("$share") || filter.startsWith("$share/")) {
                throw invalid(
                        "a route takes every message of its filter and cannot share them: write 'mqtt:FILTER', not '"
                                + spec.from() + "'");
            }
            String pattern = TopicNames.bindingPatternOfFilter(filter);
            if (spec.key() != null && !spec.key().equals(pattern)) {
                throw invalid("the key of a route from mqtt: is its filter; leave it out");
            }
            return new Binding(
                    new End(Kind.EXCHANGE, HostTable.MQTT_EXCHANGE),
                    to,
                    pattern,
                    Map.of(TopicExchange.MQTT_FILTER, filter),
                    origin);
        }
        End from = end(spec.from());
        if (from.kind() == Kind.QUEUE) {
            throw invalid("a route cannot begin at a queue: '" + spec.from() + "'");
        }
        if (from.kind() == Kind.STREAM && to.kind() != Kind.EXCHANGE) {
            throw invalid("a route from a stream must lead to an exchange, not to '" + spec.to() + "'");
        }
        String key = spec.key();
        if (key == null) {
            var source = from.kind() == Kind.EXCHANGE ? host.table().exchange(from.name()) : null;
            key = source != null && source.type() == ExchangeInfo.Type.TOPIC ? "#" : "";
        }
        return new Binding(from, to, key, Map.of(), origin);
    }

    private static End end(String text) {
        int colon = text.indexOf(':');
        String name = text.substring(colon + 1);
        Kind kind = colon <= 0 || name.isEmpty()
                ? null
                : switch (text.substring(0, colon)) {
                    case "exchange" -> Kind.EXCHANGE;
                    case "queue" -> Kind.QUEUE;
                    case "stream" -> Kind.STREAM;
                    default -> null;
                };
        if (kind != null) {
            return new End(kind, name);
        }
        throw invalid("'" + text + "' is none of exchange:NAME, queue:NAME, stream:NAME and mqtt:FILTER");
    }

    private static CompletionStage<?> ensure(Caller caller, VirtualHost host, End end) {
        return switch (end.kind()) {
            case EXCHANGE -> CompletableFuture.completedFuture(null);
            case QUEUE ->
                host.table().queue(end.name()) != null
                        ? CompletableFuture.completedFuture(null)
                        : host.declareQueue(
                                caller,
                                new QueueDeclaration(end.name(), true, false, false, QueuePolicy.NONE, Map.of()));
            case STREAM ->
                host.table().stream(end.name()) != null
                        ? CompletableFuture.completedFuture(null)
                        : host.declareStream(caller, end.name(), 1, StreamConfig.DEFAULT, Map.of());
        };
    }

    private VirtualHost host(Spec spec) {
        VirtualHost host = broker.virtualHost(spec.vhost());
        if (host == null) {
            throw new RoutingException(Reason.NOT_FOUND, "no virtual host '" + spec.vhost() + "'");
        }
        return host;
    }

    private static void permit(Caller caller, Spec spec) {
        Names.permit(caller, Operation.ADMIN, Resource.Kind.VHOST, spec.vhost());
    }

    private static RoutingException invalid(String message) {
        return new RoutingException(Reason.INVALID_NAME, message);
    }
}
