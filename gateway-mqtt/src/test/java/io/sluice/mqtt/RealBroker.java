package io.sluice.mqtt;

import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.Clock;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.SystemClock;
import io.sluice.routing.catalog.RoutingBroker;
import io.sluice.shard.Core;
import io.sluice.shard.CoreSettings;
import java.nio.file.Path;

/** The gateway on the real log in a directory. */
final class RealBroker implements AutoCloseable {
    private final Clock clock = new SystemClock();
    private final LocalLogEngine engine;
    private final Core core;
    final RoutingBroker broker;
    final TestServer server;

    RealBroker(Path directory) {
        engine = LocalLogEngine.open(directory, LocalLogSettings.DEFAULT, new DiskFileSystem(), clock);
        core = Core.start(engine, clock, CoreSettings.DEFAULT);
        broker = RoutingBroker.open(engine, core.shard(), core.queues(), clock);
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
        engine.close();
    }
}
