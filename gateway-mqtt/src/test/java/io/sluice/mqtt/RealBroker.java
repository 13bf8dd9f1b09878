package io.sluice.mqtt;

import io.sluice.routing.catalog.RoutingBroker;
import java.nio.file.Path;

/** The gateway with its default settings on the real log in a directory. */
final class RealBroker implements AutoCloseable {
    private final TestCore core;
    final RoutingBroker broker;
    final TestServer server;

    RealBroker(Path directory) {
        core = new TestCore(directory);
        broker = core.broker();
        server = new TestServer(broker, MqttSettings.DEFAULT);
    }

    int port() {
        return server.port;
    }

    @Override
    public void close() {
        server.close();
        broker.close();
        core.close();
    }
}
