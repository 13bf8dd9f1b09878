package io.sluice.server.management;

import static io.netty.handler.codec.http.HttpResponseStatus.BAD_REQUEST;
import static io.netty.handler.codec.http.HttpResponseStatus.CONFLICT;
import static io.netty.handler.codec.http.HttpResponseStatus.CREATED;
import static io.netty.handler.codec.http.HttpResponseStatus.FORBIDDEN;
import static io.netty.handler.codec.http.HttpResponseStatus.NOT_FOUND;
import static io.netty.handler.codec.http.HttpResponseStatus.NOT_IMPLEMENTED;
import static io.netty.handler.codec.http.HttpResponseStatus.OK;
import static io.netty.handler.codec.http.HttpResponseStatus.SERVICE_UNAVAILABLE;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.sluice.access.Caller;
import io.sluice.routing.Binding;
import io.sluice.routing.Broker;
import io.sluice.routing.RoutingException;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.catalog.Routes;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** {@code /sluice/v1/routes}: GET lists, POST adds, DELETE removes; routes are JSON objects of {@link RouteJson}. */
public final class RoutesEndpoint {
    static final String PATH = "/sluice/v1/routes";

    private static final String DEFAULT_VHOST = "/";

    private final JsonMapper json = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();
    private volatile @Nullable Backend backend;

    /** What answers once the broker has started. */
    private record Backend(Broker broker, Routes routes) {}

    /** Makes one change. */
    private interface Change {
        CompletionStage<Void> apply(Routes routes, Caller caller, Routes.Spec spec);
    }

    /** From now on requests are answered; before, while the log is recovered, they are refused with 503. */
    public void serve(Broker broker, Routes routes) {
        this.backend = new Backend(broker, routes);
    }

    CompletionStage<Reply> list(ByteBuf body) {
        Backend serving = backend;
        return CompletableFuture.completedFuture(serving == null ? starting() : Reply.json(OK, list(serving)));
    }

    /** Routes of the API and the configuration; what clients bound themselves is not listed. */
    private static List<RouteJson> list(Backend serving) {
        List<RouteJson> listed = new ArrayList<>();
        for (VirtualHost host : serving.broker().virtualHosts()) {
            for (Routes.Listed route : serving.routes().list(Caller.broker(host.name()), host.name())) {
                if (route.origin() != Binding.Origin.CLIENT) {
                    listed.add(new RouteJson(
                            route.from(),
                            route.to(),
                            route.key().isEmpty() ? null : route.key(),
                            route.vhost(),
                            route.origin().name().toLowerCase(Locale.ROOT)));
                }
            }
        }
        return listed;
    }

    CompletionStage<Reply> add(ByteBuf body) {
        return change(body, CREATED, (routes, caller, spec) -> routes.add(caller, spec, Binding.Origin.API));
    }

    CompletionStage<Reply> remove(ByteBuf body) {
        return change(body, OK, Routes::remove);
    }

    private CompletionStage<Reply> change(ByteBuf body, HttpResponseStatus done, Change change) {
        Backend serving = backend;
        if (serving == null) {
            return CompletableFuture.completedFuture(starting());
        }
        RouteJson route = read(body);
        if (route == null || route.from() == null || route.to() == null) {
            return CompletableFuture.completedFuture(Reply.problem(
                    BAD_REQUEST,
                    "bad_request",
                    "The body must be a JSON object such as {\"from\": \"mqtt:sensors/+/temp\", \"to\":"
                            + " \"stream:telemetry\"}, with key and vhost as options."));
        }
        String vhost = route.vhost() == null ? DEFAULT_VHOST : route.vhost();
        Routes.Spec spec = new Routes.Spec(route.from(), route.to(), route.key(), vhost);
        RouteJson answer = new RouteJson(spec.from(), spec.to(), spec.key(), vhost, null);
        return change.apply(serving.routes(), Caller.broker(vhost), spec)
                .thenApply(nothing -> Reply.json(done, answer))
                .exceptionallyCompose(RoutesEndpoint::refused);
    }

    private @Nullable RouteJson read(ByteBuf body) {
        try {
            return json.readValue(ByteBufUtil.getBytes(body), RouteJson.class);
        } catch (JacksonException e) {
            return null; // answered as 400 with an example
        }
    }

    private static Reply starting() {
        return Reply.problem(SERVICE_UNAVAILABLE, "not_ready", "The broker is still starting; try again shortly.");
    }

    private static CompletionStage<Reply> refused(Throwable error) {
        Throwable cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
        if (!(cause instanceof RoutingException refusal)) {
            return CompletableFuture.failedFuture(cause);
        }
        String reason = String.valueOf(refusal.getMessage());
        return CompletableFuture.completedFuture(
                switch (refusal.reason()) {
                    case NOT_FOUND -> Reply.problem(NOT_FOUND, "not_found", reason);
                    case PRECONDITION_FAILED, NOT_EMPTY -> Reply.problem(CONFLICT, "precondition_failed", reason);
                    case IN_USE -> Reply.problem(CONFLICT, "in_use", reason);
                    case CYCLE -> Reply.problem(CONFLICT, "cycle", reason);
                    case ACCESS_REFUSED -> Reply.problem(FORBIDDEN, "access_refused", reason);
                    case INVALID_NAME -> Reply.problem(BAD_REQUEST, "bad_request", reason);
                    case NOT_IMPLEMENTED -> Reply.problem(NOT_IMPLEMENTED, "not_implemented", reason);
                    case UNAVAILABLE -> Reply.problem(SERVICE_UNAVAILABLE, "unavailable", reason);
                });
    }
}
