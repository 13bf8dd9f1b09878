package io.sluice.server.management.rabbit;

import com.rabbitmq.http.client.Client;
import com.rabbitmq.http.client.ClientParameters;
import io.sluice.server.SluiceServer;
import io.sluice.server.config.ConfigLoader;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A whole broker on free ports, for RabbitMQ's HTTP client. */
final class ApiServer {
    private ApiServer() {}

    /** Starts it, with its data in {@code directory}. */
    static SluiceServer start(Path directory) throws Exception {
        return SluiceServer.start(ConfigLoader.load(
                null,
                Map.of(),
                List.of(
                        "data=" + directory.resolve("data"),
                        "amqp.port=0",
                        "mqtt.port=0",
                        "native.port=0",
                        "management.port=0")));
    }

    /** Where its API is. */
    static String base(SluiceServer server) {
        return "http://127.0.0.1:" + server.ports().get("management") + "/api/";
    }

    /** RabbitMQ's client for it, as guest. */
    static Client client(SluiceServer server) throws Exception {
        return new Client(
                new ClientParameters().url(base(server)).username("guest").password("guest"));
    }
}
