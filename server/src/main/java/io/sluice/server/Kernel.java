package io.sluice.server;

import io.sluice.engine.LogEngine;
import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.Clock;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.SystemClock;
import io.sluice.routing.Broker;
import io.sluice.routing.catalog.RoutingBroker;
import io.sluice.server.config.SluiceConfig;
import io.sluice.server.metrics.BrokerMetrics;
import io.sluice.shard.Core;
import io.sluice.shard.CoreSettings;
import java.nio.file.Path;

/** What the doors stand on: log engine, core shard and routing over one data directory, opened in that order, closed in reverse. */
final class Kernel implements AutoCloseable {
    private final LogEngine engine;
    private final Core core;
    private final RoutingBroker broker;

    private Kernel(LogEngine engine, Core core, RoutingBroker broker) {
        this.engine = engine;
        this.core = core;
        this.broker = broker;
    }

    /** Recovers the log and everything kept in it. Blocks until done. */
    static Kernel open(Path directory, SluiceConfig config) {
        Clock clock = new SystemClock();
        LogEngine engine = LocalLogEngine.open(directory, settings(config.limits()), new DiskFileSystem(), clock);
        Core core = null;
        try {
            core = Core.start(engine, clock, coreSettings(config.limits()));
            return new Kernel(engine, core, RoutingBroker.open(engine, core.shard(), core.queues(), clock));
        } catch (RuntimeException e) {
            if (core != null) {
                core.close();
            }
            engine.close();
            throw e;
        }
    }

    private static LocalLogSettings settings(SluiceConfig.Limits limits) {
        LocalLogSettings base = LocalLogSettings.DEFAULT;
        return new LocalLogSettings(
                base.nodeId(),
                base.walFileBytes(),
                limits.checkpointSeconds() * 1_000L,
                base.checkpointBytes(),
                base.tailCacheBytes(),
                base.decodedCacheBytes(),
                base.maxDecodedBytes(),
                limits.openFiles(),
                base.readerThreads(),
                base.warmBytes(),
                limits.cleanerSeconds() * 1_000L,
                base.compactionBytes(),
                base.producerIdleMillis(),
                base.diskCheckMillis(),
                limits.diskMinBytes() == null ? base.diskFullBytes() : limits.diskMinBytes(),
                limits.diskWarnBytes() == null ? base.diskWarnBytes() : limits.diskWarnBytes());
    }

    private static CoreSettings coreSettings(SluiceConfig.Limits limits) {
        CoreSettings base = CoreSettings.DEFAULT;
        return new CoreSettings(
                base.inboxCapacity(),
                limits.memoryBytes(),
                base.memoryLogBytes(),
                base.batchBytes(),
                base.checkpointBytes(),
                base.indexBytes());
    }

    Broker broker() {
        return broker;
    }

    /** Adds what only the core knows. */
    void bindTo(BrokerMetrics metrics) {
        metrics.gauge(
                "sluice.disk.state",
                "0 = ok, 1 = warning, 2 = full, 3 = failed",
                engine,
                e -> e.diskState().ordinal());
        metrics.gauge(
                "sluice.shard.congested",
                "1 while publishers are paused",
                core,
                c -> c.shard().isCongested() ? 1 : 0);
        metrics.gauge(
                "sluice.streams",
                "Streams, internal ones included",
                engine,
                e -> e.streams().size());
        metrics.queues(broker);
    }

    @Override
    public void close() {
        broker.close();
        core.close();
        engine.close();
    }
}
