package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.OK;
import static io.netty.handler.codec.http.HttpResponseStatus.SERVICE_UNAVAILABLE;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.GetResponse;
import io.netty.handler.codec.http.HttpMethod;
import io.sluice.server.management.Reply;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * {@code /api/health/checks} and {@code /api/aliveness-test}. Listeners are connected to, and whatever says that the broker serves asks
 * the shard to turn. Stateless.
 */
final class HealthResource {
    private static final Map<String, String> FINE = Map.of("status", "ok");
    private static final String ALIVE = "aliveness-test";
    private static final int CONNECT_MILLIS = 1_000;
    private static final int TURN_MILLIS = 2_000;

    private HealthResource() {}

    static Reply check(Api api) {
        Methods.allow(api, HttpMethod.GET);
        if (!"checks".equals(api.part(1)) || api.part(2) == null) {
            throw ApiException.notFound();
        }
        String parameter = String.valueOf(api.part(3));
        return switch (String.valueOf(api.part(2))) {
            case "alarms", "local-alarms" -> alarms(api);
            case "port-listener" -> port(api, parameter);
            case "protocol-listener" -> protocol(api, parameter);
            case "virtual-hosts" -> serving(api, List.of());
            case "is-in-service", "ready-to-serve-clients" ->
                serving(api, List.copyOf(api.ports().values()));
            // a single node has no quorum to lose, and no listener has a certificate
            case "node-is-quorum-critical",
                    "node-is-mirror-sync-critical",
                    "quorum-queues-without-elected-leaders",
                    "metadata-store",
                    "certificate-expiration" -> Reply.json(OK, FINE);
            default -> throw ApiException.notFound();
        };
    }

    private static Reply alarms(Api api) {
        List<Map<String, String>> alarms = new ArrayList<>();
        for (String resource : Alarms.of(api.broker())) {
            alarms.add(Map.of("node", Views.NODE, "resource", resource));
        }
        return alarms.isEmpty()
                ? Reply.json(OK, FINE)
                : failed("There are alarms in effect in the cluster", Map.of("alarms", alarms));
    }

    private static Reply port(Api api, String port) {
        List<Integer> all = List.copyOf(api.ports().values());
        boolean fine = all.stream().anyMatch(one -> one.toString().equals(port) && listens(api, one));
        if (!fine) {
            return failed("No active listener", Map.of("missing", port, "ports", all));
        }
        return Reply.json(OK, Map.of("status", "ok", "port", Integer.valueOf(port)));
    }

    private static Reply protocol(Api api, String asked) {
        String wanted = switch (asked) {
            case "amqp091", "amqp0-9-1" -> "amqp";
            case "mqtt3.1.1", "mqtt5" -> "mqtt";
            default -> asked;
        };
        List<Object> all = new ArrayList<>();
        boolean fine = false;
        for (Map<String, @Nullable Object> listener : OverviewResource.listeners(api)) {
            String protocol = String.valueOf(listener.get("protocol"));
            all.add(protocol);
            fine |= protocol.equals(wanted) && listens(api, (Integer) listener.get("port"));
        }
        return fine
                ? Reply.json(OK, Map.of("status", "ok", "protocol", asked))
                : failed("No active listener", Map.of("missing", asked, "protocols", all));
    }

    private static boolean listens(Api api, @Nullable Integer port) {
        String host = api.request().local().getHostString();
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(host, port == null ? 0 : port), CONNECT_MILLIS);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** The shard, which all virtual hosts are on, takes up work, the disk takes what it stores, and these ports are open. */
    private static Reply serving(Api api, List<Integer> ports) {
        List<String> down =
                api.broker().virtualHosts().stream().map(host -> host.name()).toList();
        if (Alarms.hasDiskFailed(api.broker())) {
            return failed("The disk has failed", Map.of("virtual-hosts", down));
        }
        CompletableFuture<Boolean> turned = new CompletableFuture<>();
        api.broker().shard().execute(() -> turned.complete(true));
        if (!turned.completeOnTimeout(false, TURN_MILLIS, TimeUnit.MILLISECONDS).join()) {
            return failed("The shard does not answer within " + TURN_MILLIS + " ms", Map.of("virtual-hosts", down));
        }
        List<Integer> closed =
                ports.stream().filter(port -> !listens(api, port)).toList();
        return closed.isEmpty() ? Reply.json(OK, FINE) : failed("No active listener", Map.of("missing", closed));
    }

    private static Reply failed(String reason, Map<String, ?> details) {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("status", "failed");
        view.put("reason", reason);
        view.putAll(details);
        return Reply.json(SERVICE_UNAVAILABLE, view);
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
        return back ? Reply.json(OK, FINE) : failed("The test message did not come back", Map.of());
    }
}
