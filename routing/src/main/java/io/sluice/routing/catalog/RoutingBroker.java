package io.sluice.routing.catalog;

import io.sluice.access.Caller;
import io.sluice.engine.LogEngine;
import io.sluice.io.Clock;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.record.BatchView;
import io.sluice.queue.DeathReason;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Queues;
import io.sluice.queue.Republisher;
import io.sluice.queue.TargetSet;
import io.sluice.routing.Broker;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.catalog.HostTable.StreamEntry;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.routing.republish.BridgeSpec;
import io.sluice.routing.republish.Bridges;
import io.sluice.routing.republish.DeadLetters;
import io.sluice.routing.republish.DueMessages;
import io.sluice.routing.retained.LogRetainedMessages;
import io.sluice.shard.ShardProxy;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/** The broker that gateways are given: the catalog over one engine, its shard and its queues. Thread-safe. */
public final class RoutingBroker implements Broker, AutoCloseable {
    /** Stream setting: records of Kafka producers are routed by stream name and record key. */
    private static final String KEY_SUFFIX = "mqtt.key.suffix";

    private final LogEngine engine;
    private final ShardProxy shard;
    private final Queues queues;
    private final Clock clock;
    private final Catalog catalog;
    private final Map<String, CatalogVirtualHost> hosts = new ConcurrentHashMap<>();
    private final CopyOnWriteArrayList<Runnable> streamListeners = new CopyOnWriteArrayList<>();
    private final List<LogRetainedMessages> retained = new ArrayList<>();

    // Shard thread only.
    private final Map<String, HostTable> bridged = new HashMap<>();
    private @Nullable Bridges bridges;

    private RoutingBroker(LogEngine engine, ShardProxy shard, Queues queues, Clock clock) {
        this.engine = engine;
        this.shard = shard;
        this.queues = queues;
        this.clock = clock;
        this.catalog = new Catalog(engine, shard, queues, clock, this::published);
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
        create(InternalStreams.CATALOG, StreamConfig.STATE);
        create(InternalStreams.BRIDGES, StreamConfig.STATE);
        CatalogReplay replay = new CatalogReplay(engine, queues);
        replay.run();
        catalog.restore(replay.hosts(), replay.ids());
        Map<String, TargetSet> delayed = new HashMap<>();
        for (String vhost : replay.hosts().keySet()) {
            delayed.put(vhost, openDelayed(vhost));
        }
        queues.dropUnopened().toCompletableFuture().join();
        for (String vhost : replay.hosts().keySet()) {
            LogRetainedMessages messages = LogRetainedMessages.open(
                    create(InternalStreams.retained(vhost), StreamConfig.COMPACTED), shard, clock);
            retained.add(messages);
            hosts.put(
                    vhost,
                    new CatalogVirtualHost(catalog, vhost, messages, delayed.getOrDefault(vhost, TargetSet.EMPTY)));
        }
        queues.onExpired(queue -> {
            CatalogVirtualHost host = hosts.get(queue.vhost());
            if (host != null) {
                host.expire(queue);
            }
        });
        queues.republisher(new Republishing(
                new DeadLetters(shard, clock, catalog::table), new DueMessages(shard, clock, catalog::table)));
        Bridges started = new Bridges(engine, shard, clock, catalog::table, this::delayed);
        onShard(() -> {
            bridges = started;
            for (String vhost : hosts.keySet()) {
                HostTable table = catalog.table(vhost);
                if (table != null) {
                    published(table);
                }
            }
            started.forgetUnknown();
        });
    }

    private TargetSet delayed(String vhost) {
        CatalogVirtualHost host = hosts.get(vhost);
        return host == null ? TargetSet.EMPTY : host.delayed();
    }

    /** The queue in which delayed messages of a virtual host wait; it has no name. */
    private TargetSet openDelayed(String vhost) {
        QueueSpec spec = new QueueSpec(
                QueueId.ofDelayed(vhost),
                vhost,
                "",
                true,
                QueuePolicy.builder().delayed(true).build(),
                Caller.broker(vhost).principal());
        return new TargetSet(List.of(queues.open(spec).toCompletableFuture().join()), List.of());
    }

    private record Republishing(DeadLetters deadLetters, DueMessages dueMessages) implements Republisher {
        @Override
        public void deadLetter(
                QueueSpec queue,
                BatchView source,
                long offset,
                DeathReason reason,
                int deliveryCount,
                Outcome outcome) {
            deadLetters.deadLetter(queue, source, offset, reason, deliveryCount, outcome);
        }

        @Override
        public void due(QueueSpec queue, BatchView source, long offset, Outcome outcome) {
            dueMessages.publish(queue, source, offset, outcome);
        }
    }

    /** Bridges follow the tables. Shard thread. */
    @SuppressWarnings("ReferenceEquality") // an unchanged part of a table is the same object
    private void published(HostTable table) {
        HostTable before = bridged.put(table.vhost, table);
        if (before != null && before.streams != table.streams) {
            streamListeners.forEach(Runnable::run);
        }
        if (bridges == null || before != null && before.bridges == table.bridges && before.streams == table.streams) {
            return;
        }
        List<BridgeSpec> specs = new ArrayList<>();
        table.bridges.forEach((id, bound) -> {
            StreamEntry stream = table.streams.get(id.source().name());
            if (stream != null) {
                specs.add(new BridgeSpec(
                        table.vhost,
                        bound.bridge(),
                        stream.info().id(),
                        id.source().name(),
                        stream.info().partitions(),
                        id.destination().name(),
                        Boolean.parseBoolean(stream.configs().get(KEY_SUFFIX)),
                        bound.startOffsets()));
            }
        });
        bridges.update(table.vhost, specs);
    }

    private void onShard(Runnable task) {
        CompletableFuture.runAsync(task, shard).join();
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

    @Override
    public void onStreamsChanged(Runnable listener) {
        streamListeners.add(listener);
    }

    /** Refuses further changes and stops following the log; the engine and the shard are closed by their owner, later. */
    @Override
    public void close() {
        catalog.close().toCompletableFuture().join();
        onShard(() -> {
            if (bridges != null) {
                bridges.close();
                bridges = null;
            }
        });
        retained.forEach(LogRetainedMessages::close);
    }

    private LogPartition create(String name, StreamConfig config) {
        StreamId id = InternalStreams.id(name);
        engine.createStream(id, name, 1, config).toCompletableFuture().join();
        LogPartition partition = engine.partition(new PartitionId(id, 0));
        if (partition == null) {
            throw new IllegalStateException("stream " + name + " has no partition 0");
        }
        return partition;
    }
}
