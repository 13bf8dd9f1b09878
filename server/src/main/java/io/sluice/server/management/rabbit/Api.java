package io.sluice.server.management.rabbit;

import io.netty.handler.codec.http.HttpMethod;
import io.sluice.access.Caller;
import io.sluice.amqp.AmqpGateway;
import io.sluice.routing.Broker;
import io.sluice.routing.RoutingException;
import io.sluice.routing.VirtualHost;
import io.sluice.server.management.ApiRequest;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * One request of a user who is known, and what it is answered from.
 *
 * @param user name and password, as an AMQP client would give them
 * @param json reads bodies
 */
record Api(
        ApiRequest request,
        Caller caller,
        AmqpCalls.Login user,
        Broker broker,
        RabbitApi.Gateways gateways,
        AmqpCalls calls,
        Map<String, Integer> ports,
        JsonMapper json) {
    private static final int CHANGE_SECONDS = 10;

    AmqpGateway amqp() {
        return gateways.amqp();
    }

    /** A part of the path, null if the path is shorter. */
    @Nullable
    String part(int at) {
        return at < request.path().size() ? request.path().get(at) : null;
    }

    int parts() {
        return request.path().size();
    }

    boolean is(HttpMethod method) {
        return request.method().equals(method);
    }

    /** The virtual host that a part of the path names. */
    VirtualHost host(int at) {
        String name = part(at);
        VirtualHost host = name == null ? null : broker.virtualHost(name);
        if (host == null) {
            throw ApiException.notFound();
        }
        return host;
    }

    /** Whoever asks, for a virtual host of the path. */
    Caller caller(VirtualHost host) {
        return new Caller(caller.principal(), host.name(), caller.authorizer(), caller.connection());
    }

    /**
     * Waits for a change of the catalog.
     *
     * @throws ApiException with its words if it is refused
     */
    <T> T await(CompletionStage<T> change) {
        try {
            return change.toCompletableFuture().get(CHANGE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RoutingException refusal) {
                throw ApiException.of(refusal);
            }
            throw ApiException.unavailable("The change failed: " + e.getCause());
        } catch (TimeoutException e) {
            throw ApiException.unavailable("The change is not stored after " + CHANGE_SECONDS + " s.");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw ApiException.unavailable("The broker is stopping.");
        }
    }

    /** The body, which must be a JSON object; nothing is an empty one. */
    @SuppressWarnings("unchecked")
    Map<String, @Nullable Object> body() {
        if (request.body().length == 0) {
            return Map.of();
        }
        try {
            return json.readValue(request.body(), Map.class);
        } catch (JacksonException e) {
            throw ApiException.badRequest("The body must be a JSON object.");
        }
    }

    /** An attribute of a body that must be there. */
    static <T> T required(Map<String, @Nullable Object> body, String name, Class<T> type) {
        T value = optional(body, name, type);
        if (value == null) {
            throw ApiException.badRequest("The attribute '" + name + "' is missing.");
        }
        return value;
    }

    static <T> @Nullable T optional(Map<String, @Nullable Object> body, String name, Class<T> type) {
        Object value = body.get(name);
        if (value == null) {
            return null;
        }
        if (!type.isInstance(value)) {
            throw ApiException.badRequest("The attribute '" + name + "' has the wrong type.");
        }
        return type.cast(value);
    }

    /** A flag of a body; RabbitMQ's tools send it as text, too. */
    static boolean flag(Map<String, @Nullable Object> body, String name, boolean otherwise) {
        Object value = body.get(name);
        return value == null ? otherwise : value instanceof Boolean flag ? flag : "true".equals(value);
    }

    /** A number of a body; RabbitMQ's tools send it as text, too. */
    static int number(Map<String, @Nullable Object> body, String name, int otherwise) {
        Object value = body.get(name);
        if (value == null) {
            return otherwise;
        }
        if (value instanceof Integer number) {
            return number;
        }
        if (value instanceof String text && text.matches("[0-9]{1,9}")) {
            return Integer.parseInt(text);
        }
        throw ApiException.badRequest("The attribute '" + name + "' has the wrong type.");
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> table(Map<String, @Nullable Object> body, String name) {
        Map<String, Object> table = (Map<String, Object>) (Map<?, ?>) optional(body, name, Map.class);
        return table == null ? Map.of() : table;
    }

    /** The same table, of which no value is null. */
    static Map<String, @Nullable Object> nullable(Map<String, Object> table) {
        return new LinkedHashMap<>(table);
    }
}
