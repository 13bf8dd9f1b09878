package io.sluice.routing.catalog;

import io.sluice.engine.LogEngine;
import io.sluice.io.Clock;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.queue.Queues;
import io.sluice.routing.Broker;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.routing.retained.LogRetainedMessages;
import io.sluice.shard.ShardProxy;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** The broker that gateways are given: the catalog over one engine, its shard and its queues. Thread-safe. */
public final class RoutingBroker implements Broker, AutoCloseable {
    private final LogEngine engine;
    private final ShardProxy shard;
    private final Queues queues;
    private final Clock clock;
    private final Catalog catalog;
    private final Map<String, VirtualHost> hosts = new ConcurrentHashMap<>();
    private final List<LogRetainedMessages> retained = new ArrayList<>();

    private RoutingBroker(LogEngine engine, ShardProxy shard, Queues queues, Clock clock) {
        this.engine = engine;
        this.shard = shard;
        this.queues = queues;
        this.clock = clock;
        this.catalog = new Catalog(engine, shard, queues, clock, table -> {});
    }

    /**
     * Reads the catalog, opens its queues and rebuilds what is derived from internal streams. Blocks until done; called once,
     * before listeners open, on a thread that is neither the shard nor an event loop.
     *
     * @throws IllegalStateException if the catalog was written by a newer version or names a stream without data
     */
    public static RoutingBroker open(LogEngine engine, ShardProxy shard, Queues queues, Clock clock) {
        RoutingBroker broker = new RoutingBroker(engine, shard, queues, clock);
        broker.start();
        return broker;
    }

    private void start() {
        create(InternalStreams.CATALOG);
        CatalogReplay replay = new CatalogReplay(engine, queues);
        replay.run();
        catalog.restore(replay.hosts(), replay.ids());
        for (String vhost : replay.hosts().keySet()) {
            LogRetainedMessages messages =
                    LogRetainedMessages.open(create(InternalStreams.retained(vhost)), shard, clock);
            retained.add(messages);
            hosts.put(vhost, new CatalogVirtualHost(catalog, vhost, messages));
        }
    }

    @Override
    public @Nullable VirtualHost virtualHost(String name) {
        return hosts.get(name);
    }

    @Override
    public Collection<VirtualHost> virtualHosts() {
        return List.copyOf(hosts.values());
    }

    @Override
    public ShardProxy shard() {
        return shard;
    }

    @Override
    public LogEngine engine() {
        return engine;
    }

    @Override
    public Queues queues() {
        return queues;
    }

    @Override
    public Clock clock() {
        return clock;
    }

    /** Refuses further changes and stops following the log; the engine and the shard are closed by their owner, later. */
    @Override
    public void close() {
        catalog.close().toCompletableFuture().join();
        retained.forEach(LogRetainedMessages::close);
    }

    private LogPartition create(String name) {
        StreamId id = InternalStreams.id(name);
        engine.createStream(id, name, 1, StreamConfig.COMPACTED)
                .toCompletableFuture()
                .join();
        LogPartition partition = engine.partition(new PartitionId(id, 0));
        if (partition == null) {
            throw new IllegalStateException("stream " + name + " has no partition 0");
        }
        return partition;
    }
}
