package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.NOT_FOUND;
import static io.netty.handler.codec.http.HttpResponseStatus.OK;
import static io.netty.handler.codec.http.HttpResponseStatus.SERVICE_UNAVAILABLE;
import static io.netty.handler.codec.http.HttpResponseStatus.UNAUTHORIZED;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.handler.codec.http.HttpMethod;
import io.sluice.access.Authenticator;
import io.sluice.access.Authenticator.Credentials;
import io.sluice.access.Caller;
import io.sluice.amqp.AmqpGateway;
import io.sluice.kafka.NativeGateway;
import io.sluice.mqtt.MqttGateway;
import io.sluice.routing.Broker;
import io.sluice.server.management.ApiRequest;
import io.sluice.server.management.Reply;
import io.sluice.server.management.TreeEndpoint;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * RabbitMQ's HTTP API below {@code /api}, as far as it has a meaning here: overview, virtual hosts, policies, exchanges, queues,
 * bindings, connections, channels, consumers, definitions and health checks. Every request needs the password of a user (RFC 7617). Runs on the
 * worker, since a change waits for its AMQP answer. Thread-safe.
 *
 * @see <a href="https://www.rabbitmq.com/docs/http-api-reference">RabbitMQ: HTTP API Reference</a>
 */
public final class RabbitApi implements TreeEndpoint {
    private static final String SCHEME = "basic ";

    private final JsonMapper json = JsonMapper.builder().build();
    private final Executor worker;
    private volatile @Nullable Backend backend;

    /** What clients are connected to. */
    public record Gateways(AmqpGateway amqp, MqttGateway mqtt, NativeGateway kafka) {}

    /** What answers once the broker has started. */
    private record Backend(
            Broker broker,
            Authenticator authenticator,
            Gateways gateways,
            AmqpCalls calls,
            Map<String, Integer> ports) {}

    /**
     * Describes the API.
     *
     * @param worker where requests are answered; one that refuses work is answered with 503
     */
    public RabbitApi(Executor worker) {
        this.worker = worker;
    }

    /**
     * From now on requests are answered; before, they are refused with 503.
     *
     * @param host address that the AMQP door listens at
     * @param ports ports of the doors by name
     */
    public void serve(
            Broker broker, Authenticator authenticator, Gateways gateways, String host, Map<String, Integer> ports) {
        backend = new Backend(
                broker, authenticator, gateways, new AmqpCalls(host, ports.getOrDefault("AMQP", 0)), Map.copyOf(ports));
    }

    @Override
    public CompletionStage<Reply> answer(ApiRequest request) {
        Backend serving = backend;
        if (serving == null) {
            return CompletableFuture.completedFuture(unavailable("The broker is still starting; try again shortly."));
        }
        AmqpCalls.Login login = login(request.authorization());
        if (login == null) {
            return CompletableFuture.completedFuture(unauthorized());
        }
        Credentials credentials = new Credentials(
                "amqp", login.name(), login.password().getBytes(UTF_8), null, request.remote(), request.local());
        try {
            return serving.authenticator()
                    .authenticate(credentials)
                    .thenApplyAsync(
                            caller -> caller.isEmpty() ? unauthorized() : answer(serving, request, login, caller.get()),
                            worker);
        } catch (RejectedExecutionException e) {
            return CompletableFuture.completedFuture(
                    unavailable("Too many requests are under way; try again shortly."));
        }
    }

    private Reply answer(Backend serving, ApiRequest request, AmqpCalls.Login login, Caller caller) {
        Api api = new Api(
                request, caller, login, serving.broker(), serving.gateways(), serving.calls(), serving.ports(), json);
        try {
            return answer(api);
        } catch (ApiException refused) {
            return refused.reply();
        }
    }

    private static Reply answer(Api api) {
        String first = api.part(0);
        String root = first == null ? "" : first;
        return switch (root) {
            case "overview" -> OverviewResource.overview(api);
            case "nodes" -> OverviewResource.nodes(api);
            case "vhosts" -> VirtualHostResource.answer(api);
            case "exchanges" -> ExchangeResource.answer(api);
            case "queues" -> QueueResource.answer(api);
            case "bindings" -> BindingResource.answer(api);
            case "connections" -> ConnectionResource.connections(api);
            case "channels" -> ConnectionResource.channels(api);
            case "consumers" -> ConnectionResource.consumers(api);
            case "definitions" -> DefinitionsResource.answer(api);
            case "health" -> HealthResource.check(api);
            case "aliveness-test" -> HealthResource.alive(api);
            case "whoami" -> {
                Methods.allow(api, HttpMethod.GET);
                yield Reply.json(OK, Map.of("name", api.caller().principal().name(), "tags", List.of("administrator")));
            }
            case "cluster-name" -> {
                Methods.allow(api, HttpMethod.GET);
                yield Reply.json(OK, Map.of("name", api.broker().engine().clusterId()));
            }
            case "version" -> {
                Methods.allow(api, HttpMethod.GET);
                yield Reply.json(OK, OverviewResource.COMPATIBLE_WITH);
            }
            case "extensions", "feature-flags", "deprecated-features" -> empty(api);
            case "policies" -> PolicyResource.answer(api, false);
            case "operator-policies" -> PolicyResource.answer(api, true);
            case "users" -> UserResource.users(api);
            case "permissions" -> UserResource.permissions(api);
            case "topic-permissions" -> UserResource.topicPermissions(api);
            case "parameters", "global-parameters", "vhost-limits", "user-limits" -> {
                if (!api.is(HttpMethod.GET)) {
                    throw ApiException.notImplemented(
                            root.substring(0, 1).toUpperCase(Locale.ROOT) + root.substring(1));
                }
                if (api.parts() > 2) {
                    throw ApiException.notFound();
                }
                yield empty(api);
            }
            default -> Reply.problem(NOT_FOUND, "not_found", "There is nothing at this path of RabbitMQ's API here.");
        };
    }

    private static Reply empty(Api api) {
        Methods.allow(api, HttpMethod.GET);
        return Reply.json(OK, List.of());
    }

    private static AmqpCalls.@Nullable Login login(@Nullable String authorization) {
        if (authorization == null || !authorization.toLowerCase(Locale.ROOT).startsWith(SCHEME)) {
            return null;
        }
        try {
            String both = new String(
                    Base64.getDecoder()
                            .decode(authorization.substring(SCHEME.length()).trim()),
                    UTF_8);
            int colon = both.indexOf(':');
            return colon < 0 ? null : new AmqpCalls.Login(both.substring(0, colon), both.substring(colon + 1));
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private static Reply unauthorized() {
        return Reply.problem(UNAUTHORIZED, "not_authorised", "Login failed");
    }

    private static Reply unavailable(String reason) {
        return Reply.problem(SERVICE_UNAVAILABLE, "not_ready", reason);
    }
}
