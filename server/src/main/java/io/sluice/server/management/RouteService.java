package io.sluice.server.management;

import io.sluice.access.Caller;
import io.sluice.log.StreamConfig;
import io.sluice.queue.QueuePolicy;
import io.sluice.routing.Binding;
import io.sluice.routing.Broker;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.RoutingException;
import io.sluice.routing.VirtualHost;
import io.sluice.server.config.RouteSetting;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Routes: bindings that no protocol can express, made by the operator. A missing stream or queue is created, a missing exchange
 * is an error, a cycle is refused with the cycle named. Thread-safe.
 */
public final class RouteService {
    private static final String DEFAULT_VHOST = "/";

    private final Broker broker;

    public RouteService(Broker broker) {
        this.broker = broker;
    }

    /** The routes made by the API and the configuration, in a stable order. */
    List<RouteJson> list() {
        List<RouteJson> routes = new ArrayList<>();
        for (VirtualHost vhost : broker.virtualHosts()) {
            for (Binding binding : vhost.bindings()) {
                if (binding.origin() != Binding.Origin.CLIENT) {
                    routes.add(write(vhost.name(), binding));
                }
            }
        }
        routes.sort(Comparator.comparing(RouteJson::toString));
        return routes;
    }

    /** Completes with the route as it now stands. */
    CompletionStage<RouteJson> add(RouteJson route, Binding.Origin origin) {
        try {
            VirtualHost vhost = vhost(route);
            Caller caller = Caller.broker(vhost.name());
            Binding binding = read(vhost, route, origin);
            return createMissing(vhost, caller, binding.source())
                    .thenCompose(done -> createMissing(vhost, caller, binding.destination()))
                    .thenCompose(done -> vhost.bind(caller, binding))
                    .thenApply(done -> write(vhost.name(), binding));
        } catch (RouteException | RoutingException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** Completes once the route is gone; fails with NOT_FOUND if there is none, with IN_USE if the configuration names it. */
    CompletionStage<RouteJson> remove(RouteJson route) {
        try {
            VirtualHost vhost = vhost(route);
            Binding wanted = read(vhost, route, Binding.Origin.API);
            Binding present = vhost.bindings().stream()
                    .filter(binding -> binding.origin() != Binding.Origin.CLIENT && isSame(binding, wanted))
                    .findFirst()
                    .orElseThrow(() -> new RoutingException(
                            RoutingException.Reason.NOT_FOUND, "There is no route " + describe(wanted) + "."));
            if (present.origin() == Binding.Origin.CONFIG) {
                throw new RoutingException(
                        RoutingException.Reason.IN_USE,
                        "The route " + describe(present)
                                + " stands in the configuration file; remove it there and restart.");
            }
            return vhost.unbind(Caller.broker(vhost.name()), present).thenApply(done -> write(vhost.name(), present));
        } catch (RouteException | RoutingException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /**
     * Makes the routes of the configuration file, and removes those that an earlier file named and this one does not.
     * Completes exceptionally with the first that is refused.
     */
    public CompletionStage<Void> applyConfigured(List<RouteSetting> settings) {
        CompletionStage<Void> done = CompletableFuture.completedFuture(null);
        Map<String, Set<String>> wanted = new java.util.HashMap<>();
        for (RouteSetting setting : settings) {
            RouteJson route = new RouteJson(setting.from(), setting.to(), setting.key(), setting.vhost(), null);
            done = done.thenCompose(previous -> add(route, Binding.Origin.CONFIG))
                    .handle((made, error) -> {
                        if (error != null) {
                            throw new IllegalArgumentException(
                                    "The route in " + setting.source() + " is refused: " + reason(error), error);
                        }
                        wanted.computeIfAbsent(setting.vhost(), v -> new HashSet<>())
                                .add(made.toString());
                        return null;
                    });
        }
        return done.thenCompose(previous -> removeForgotten(wanted));
    }

    private CompletionStage<Void> removeForgotten(Map<String, Set<String>> wanted) {
        CompletionStage<Void> done = CompletableFuture.completedFuture(null);
        for (VirtualHost vhost : broker.virtualHosts()) {
            Set<String> kept = wanted.getOrDefault(vhost.name(), Set.of());
            for (Binding binding : vhost.bindings()) {
                if (binding.origin() == Binding.Origin.CONFIG
                        && !kept.contains(write(vhost.name(), binding).toString())) {
                    done = done.thenCompose(previous -> vhost.unbind(Caller.broker(vhost.name()), binding));
                }
            }
        }
        return done;
    }

    private VirtualHost vhost(RouteJson route) {
        String name = route.vhost() == null ? DEFAULT_VHOST : route.vhost();
        VirtualHost vhost = broker.virtualHost(name);
        if (vhost == null) {
            throw new RoutingException(RoutingException.Reason.NOT_FOUND, "There is no virtual host '" + name + "'.");
        }
        return vhost;
    }

    private static Binding read(VirtualHost vhost, RouteJson route, Binding.Origin origin) {
        RouteEnd from = RouteEnd.parse("from", route.from());
        RouteEnd to = RouteEnd.parse("to", route.to());
        Binding.Kind source = from.end().kind();
        Binding.Kind destination = to.end().kind();
        if (source == Binding.Kind.QUEUE) {
            throw RouteException.notImplemented(
                    "A queue cannot be the source of a route, since its messages are settled away; route what feeds it instead.");
        }
        if (source == Binding.Kind.STREAM && destination != Binding.Kind.EXCHANGE) {
            throw RouteException.notImplemented(
                    "A stream can be routed to an exchange only; route it to one, and that exchange on to the "
                            + destination.name().toLowerCase(Locale.ROOT) + ".");
        }
        if (to.pattern() != null && !to.pattern().equals("#")) {
            throw RouteException.notImplemented(
                    "'to' may be mqtt:# or exchange:amq.topic; a destination takes no filter.");
        }
        return new Binding(from.end(), to.end(), key(vhost, from, route.key()), Map.of(), origin);
    }

    private static String key(VirtualHost vhost, RouteEnd from, @Nullable String asked) {
        if (from.end().kind() == Binding.Kind.STREAM) {
            if (asked != null && !asked.isEmpty()) {
                throw RouteException.notImplemented("A stream is routed whole; a key cannot be given for it.");
            }
            return "";
        }
        if (from.pattern() != null) {
            if (asked != null) {
                throw RouteException.bad("An mqtt: source carries its own pattern; leave the key out.");
            }
            return from.pattern();
        }
        if (asked != null) {
            return asked;
        }
        ExchangeInfo exchange = exchange(vhost, from.end().name());
        return switch (exchange.type()) {
            case TOPIC -> "#";
            case FANOUT, HEADERS -> "";
            case DIRECT ->
                throw RouteException.bad(
                        "The direct exchange '" + exchange.name() + "' routes by exact key; give the key.");
        };
    }

    private static ExchangeInfo exchange(VirtualHost vhost, String name) {
        ExchangeInfo exchange = vhost.table().exchange(name);
        if (exchange == null) {
            throw new RoutingException(
                    RoutingException.Reason.NOT_FOUND,
                    "There is no exchange '" + name + "' in virtual host '" + vhost.name() + "'; declare it first.");
        }
        return exchange;
    }

    private static CompletionStage<?> createMissing(VirtualHost vhost, Caller caller, Binding.End end) {
        return switch (end.kind()) {
            case EXCHANGE -> {
                exchange(vhost, end.name());
                yield CompletableFuture.completedFuture(null);
            }
            case QUEUE ->
                vhost.table().queue(end.name()) != null
                        ? CompletableFuture.completedFuture(null)
                        : vhost.declareQueue(
                                caller,
                                new QueueDeclaration(end.name(), true, false, false, QueuePolicy.NONE, Map.of()));
            case STREAM ->
                vhost.table().stream(end.name()) != null
                        ? CompletableFuture.completedFuture(null)
                        : vhost.declareStream(caller, end.name(), 1, StreamConfig.DEFAULT, Map.of());
        };
    }

    private static boolean isSame(Binding a, Binding b) {
        return a.source().equals(b.source())
                && a.destination().equals(b.destination())
                && a.key().equals(b.key());
    }

    private static RouteJson write(String vhost, Binding binding) {
        return new RouteJson(
                RouteEnd.write(binding.source()),
                RouteEnd.write(binding.destination()),
                binding.key().isEmpty() ? null : binding.key(),
                vhost,
                binding.origin().name().toLowerCase(Locale.ROOT));
    }

    private static String describe(Binding binding) {
        return RouteEnd.write(binding.source()) + " -> " + RouteEnd.write(binding.destination())
                + (binding.key().isEmpty() ? "" : " with key '" + binding.key() + "'");
    }

    private static String reason(Throwable error) {
        Throwable cause = error.getCause() != null ? error.getCause() : error;
        return String.valueOf(cause.getMessage());
    }
}
