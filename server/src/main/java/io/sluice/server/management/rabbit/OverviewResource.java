package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.OK;

import io.netty.handler.codec.http.HttpMethod;
import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueStats;
import io.sluice.routing.VirtualHost;
import io.sluice.server.management.Reply;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the broker is: {@code /api/overview}, {@code whoami}, {@code cluster-name}, {@code nodes}. Stateless. */
final class OverviewResource {
    /** The RabbitMQ release whose API this follows; tools look at it to know what they may ask. */
    static final String COMPATIBLE_WITH = "4.1.0";

    private OverviewResource() {}

    static Reply overview(Api api) {
        Methods.allow(api, HttpMethod.GET);
        long queues = 0;
        long exchanges = 0;
        long ready = 0;
        long unacked = 0;
        for (VirtualHost host : api.broker().virtualHosts()) {
            exchanges += host.table().exchanges().size();
            for (QueueRef queue : host.table().queues()) {
                QueueStats stats = queue.stats();
                queues++;
                ready += stats.ready();
                unacked += stats.unacked();
            }
        }
        int connections = ConnectionResource.connectionViews(api).size();
        List<ConnectionInfo> amqp = ConnectionResource.all(api);
        long channels = amqp.stream().mapToLong(c -> c.channels().size()).sum();
        long consumers = amqp.stream()
                .flatMap(c -> c.channels().stream())
                .mapToLong(c -> c.consumers().size())
                .sum();
        Map<String, @Nullable Object> view = versions();
        view.put("cluster_name", api.broker().engine().clusterId());
        view.put("node", Views.NODE);
        view.put(
                "queue_totals",
                Map.of("messages", ready + unacked, "messages_ready", ready, "messages_unacknowledged", unacked));
        view.put(
                "object_totals",
                Map.of(
                        "queues", queues,
                        "exchanges", exchanges,
                        "connections", connections,
                        "channels", channels,
                        "consumers", consumers));
        view.put(
                "message_stats",
                Map.of(
                        "publish",
                        api.amqp().received(),
                        "deliver_get",
                        api.amqp().sent()));
        view.put("listeners", listeners(api));
        view.put("contexts", List.of());
        view.put("exchange_types", exchangeTypes());
        return Reply.json(OK, view);
    }

    static Map<String, @Nullable Object> versions() {
        String version = OverviewResource.class.getPackage().getImplementationVersion();
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("product_name", "Sluice");
        view.put("product_version", version == null ? "development" : version);
        view.put("management_version", COMPATIBLE_WITH);
        view.put("rabbitmq_version", COMPATIBLE_WITH);
        view.put("rates_mode", "none");
        return view;
    }

    private static List<Map<String, String>> exchangeTypes() {
        List<Map<String, String>> types = new ArrayList<>();
        for (io.sluice.routing.ExchangeInfo.Type type : io.sluice.routing.ExchangeInfo.Type.values()) {
            types.add(Map.of("name", type.text()));
        }
        types.add(Map.of("name", io.sluice.routing.ExchangeInfo.DELAYED));
        return types;
    }

    static List<Map<String, @Nullable Object>> listeners(Api api) {
        List<Map<String, @Nullable Object>> listeners = new ArrayList<>();
        api.ports().forEach((door, port) -> {
            Map<String, @Nullable Object> listener = new LinkedHashMap<>();
            listener.put("node", Views.NODE);
            listener.put("protocol", protocol(door));
            listener.put("ip_address", api.request().local().getHostString());
            listener.put("port", port);
            listeners.add(listener);
        });
        return listeners;
    }

    /** RabbitMQ's name of a door. */
    private static String protocol(String door) {
        return switch (door) {
            case "AMQP" -> "amqp";
            case "MQTT" -> "mqtt";
            case "management" -> "http";
            default -> "kafka";
        };
    }

    static Reply nodes(Api api) {
        Methods.allow(api, HttpMethod.GET);
        Map<String, @Nullable Object> node = node(api);
        String name = api.part(1);
        if (name != null && !name.equals(Views.NODE)) {
            throw ApiException.notFound();
        }
        return Reply.json(OK, name == null ? List.of(node) : node);
    }

    private static Map<String, @Nullable Object> node(Api api) {
        Runtime runtime = Runtime.getRuntime();
        Map<String, @Nullable Object> node = new LinkedHashMap<>();
        node.put("name", Views.NODE);
        node.put("type", "disc");
        node.put("running", true);
        node.put("being_drained", false);
        node.put("uptime", ManagementFactory.getRuntimeMXBean().getUptime());
        node.put("processors", runtime.availableProcessors());
        node.put("mem_used", runtime.totalMemory() - runtime.freeMemory());
        node.put("mem_limit", runtime.maxMemory());
        node.put("mem_alarm", Alarms.isMemoryShort());
        node.put("disk_free_alarm", Alarms.isDiskFull(api.broker()));
        node.put("partitions", List.of());
        return node;
    }
}
