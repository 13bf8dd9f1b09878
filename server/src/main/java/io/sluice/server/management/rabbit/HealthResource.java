package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.OK;
import static io.netty.handler.codec.http.HttpResponseStatus.SERVICE_UNAVAILABLE;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.GetResponse;
import io.netty.handler.codec.http.HttpMethod;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.server.management.Reply;
import java.util.Map;

/** {@code /api/health/checks} and {@code /api/aliveness-test}. Stateless. */
final class HealthResource {
    private static final Map<String, String> FINE = Map.of("status", "ok");
    private static final String ALIVE = "aliveness-test";

    private HealthResource() {}

    static Reply check(Api api) {
        Methods.allow(api, HttpMethod.GET);
        if (!"checks".equals(api.part(1)) || api.part(2) == null) {
            throw ApiException.notFound();
        }
        String parameter = api.part(3);
        return switch (String.valueOf(api.part(2))) {
            case "alarms", "local-alarms" -> alarms(api);
            case "port-listener" ->
                answer(
                        api.ports().values().stream()
                                .anyMatch(port -> port.toString().equals(parameter)),
                        "No active listener on port " + parameter);
            case "protocol-listener" ->
                answer(
                        OverviewResource.listeners(api).stream()
                                .anyMatch(listener ->
                                        protocol(String.valueOf(parameter)).equals(listener.get("protocol"))),
                        "No active listener for protocol " + parameter);
            // a single node that answers has no quorum to lose and no certificate to expire, and serves its virtual
            // hosts
            case "virtual-hosts",
                    "node-is-quorum-critical",
                    "node-is-mirror-sync-critical",
                    "is-in-service",
                    "ready-to-serve-clients",
                    "certificate-expiration" -> Reply.json(OK, FINE);
            default -> throw ApiException.notFound();
        };
    }

    private static String protocol(String asked) {
        return switch (asked) {
            case "amqp091", "amqp0-9-1" -> "amqp";
            case "mqtt3.1.1", "mqtt5" -> "mqtt";
            default -> asked;
        };
    }

    private static Reply alarms(Api api) {
        DiskState disk = api.broker().engine().diskState();
        return answer(
                disk != DiskState.FULL && disk != DiskState.FAILED,
                disk == DiskState.FAILED ? "The disk has failed" : "There is too little free disk space");
    }

    private static Reply answer(boolean fine, String reason) {
        return fine
                ? Reply.json(OK, FINE)
                : Reply.json(SERVICE_UNAVAILABLE, Map.of("status", "failed", "reason", reason));
    }

    /** Publishes a message and takes it back. */
    static Reply alive(Api api) {
        Methods.allow(api, HttpMethod.GET);
        String vhost = api.host(1).name();
        boolean back = api.calls().call(api.user(), vhost, channel -> {
            channel.queueDeclare(ALIVE, false, false, false, Map.of());
            channel.confirmSelect();
            channel.basicPublish("", ALIVE, null, ALIVE.getBytes(UTF_8));
            channel.waitForConfirms(5_000);
            GetResponse got = channel.basicGet(ALIVE, true);
            return got != null;
        });
        return answer(back, "The test message did not come back");
    }
}
