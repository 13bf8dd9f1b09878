package io.sluice.server.management.rabbit;

import java.net.InetSocketAddress;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Connections of MQTT and Kafka clients as RabbitMQ's HTTP API shows those of its plugins. Stateless. */
final class OtherConnections {
    private OtherConnections() {}

    static Map<String, @Nullable Object> mqtt(io.sluice.mqtt.connection.ConnectionInfo info) {
        Map<String, @Nullable Object> view =
                view(info.name(), info.user(), info.vhost(), info.peer(), info.local(), info.openedMillis());
        view.put("protocol", info.version() == 5 ? "MQTT 5-0" : "MQTT 3-1-1");
        view.put("timeout", info.keepAliveSeconds());
        view.put("variable_map", Map.of("client_id", info.clientId()));
        view.put("client_properties", Map.of("client_id", info.clientId()));
        view.put("user_provided_name", info.clientId());
        return view;
    }

    static Map<String, @Nullable Object> kafka(io.sluice.kafka.connection.ConnectionInfo info) {
        Map<String, @Nullable Object> view =
                view(info.name(), info.user(), info.vhost(), info.peer(), info.local(), info.openedMillis());
        view.put("protocol", "Kafka");
        view.put("client_properties", Map.of());
        return view;
    }

    private static Map<String, @Nullable Object> view(
            String name,
            String user,
            String vhost,
            InetSocketAddress peer,
            InetSocketAddress local,
            long openedMillis) {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("name", name);
        view.put("node", Views.NODE);
        view.put("type", "network");
        view.put("state", "running");
        view.put("user", user);
        view.put("vhost", vhost);
        view.put("peer_host", Views.host(peer));
        view.put("peer_port", peer.getPort());
        view.put("host", Views.host(local));
        view.put("port", local.getPort());
        view.put("ssl", false);
        view.put("connected_at", openedMillis);
        view.put("channels", 0);
        return view;
    }
}
