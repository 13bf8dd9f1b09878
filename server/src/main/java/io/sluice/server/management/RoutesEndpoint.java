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
import io.sluice.routing.Binding;
import io.sluice.routing.RoutingException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** {@code /sluice/v1/routes}: GET lists, POST adds, DELETE removes; routes are JSON objects of {@link RouteJson}. */
public final class RoutesEndpoint {
    static final String PATH = "/sluice/v1/routes";

    private final RouteService routes;
    private final JsonMapper json = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    public RoutesEndpoint(RouteService routes) {
        this.routes = routes;
    }

    CompletionStage<Reply> list(ByteBuf body) {
        return CompletableFuture.completedFuture(Reply.json(OK, routes.list()));
    }

    CompletionStage<Reply> add(ByteBuf body) {
        return change(body, CREATED, route -> routes.add(route, Binding.Origin.API));
    }

    CompletionStage<Reply> remove(ByteBuf body) {
        return change(body, OK, routes::remove);
    }

    private CompletionStage<Reply> change(
            ByteBuf body, HttpResponseStatus done, Function<RouteJson, CompletionStage<RouteJson>> change) {
        RouteJson route;
        try {
            route = json.readValue(ByteBufUtil.getBytes(body), RouteJson.class);
        } catch (JacksonException e) {
            route = null;
        }
        if (route == null) {
            return CompletableFuture.completedFuture(Reply.problem(
                    BAD_REQUEST,
                    "bad_request",
                    "The body must be a JSON object such as {\"from\": \"mqtt:sensors/+/temp\", \"to\":"
                            + " \"stream:telemetry\"}, with key and vhost as options."));
        }
        return change.apply(route)
                .thenApply(result -> Reply.json(done, result))
                .exceptionallyCompose(RoutesEndpoint::refused);
    }

    private static CompletionStage<Reply> refused(Throwable error) {
        Throwable cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
        Reply reply = problem(cause);
        return reply != null ? CompletableFuture.completedFuture(reply) : CompletableFuture.failedFuture(cause);
    }

    private static @Nullable Reply problem(Throwable cause) {
        String reason = String.valueOf(cause.getMessage());
        if (cause instanceof RouteException e) {
            return Reply.problem(e.status(), e.error(), reason);
        }
        if (cause instanceof RoutingException e) {
            return switch (e.reason()) {
                case NOT_FOUND -> Reply.problem(NOT_FOUND, "not_found", reason);
                case PRECONDITION_FAILED, NOT_EMPTY -> Reply.problem(CONFLICT, "precondition_failed", reason);
                case IN_USE -> Reply.problem(CONFLICT, "in_use", reason);
                case CYCLE -> Reply.problem(CONFLICT, "cycle", reason);
                case ACCESS_REFUSED -> Reply.problem(FORBIDDEN, "access_refused", reason);
                case INVALID_NAME -> Reply.problem(BAD_REQUEST, "invalid_name", reason);
                case NOT_IMPLEMENTED -> Reply.problem(NOT_IMPLEMENTED, "not_implemented", reason);
                case UNAVAILABLE -> Reply.problem(SERVICE_UNAVAILABLE, "unavailable", reason);
            };
        }
        return null;
    }
}
