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
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Queues;
import io.sluice.queue.Republisher;
import io.sluice.queue.TargetSet;
import io.sluice.routing.Broker;
import io.sluice.routing.RoutingException;
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
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The broker that gateways are given: the catalog over one engine, its shard and its queues. Thread-safe. */
public final class RoutingBroker implements Broker, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RoutingBroker.class);
    /** Stream setting: records of Kafka producers are routed by stream name and record key. */
    private static final String KEY_SUFFIX = "mqtt.key.suffix";

    private final LogEngine engine;
    private final ShardProxy shard;
    private final Queues queues;
    private final Clock clock;
    private final Catalog catalog;
    private final Map<String, CatalogVirtualHost> hosts = new ConcurrentHashMap<>();
    private final CopyOnWriteArrayList<Runnable> streamListeners = new CopyOnWriteArrayList<>();
    private final CopyOnWriteArrayList<Consumer<String>> hostListeners = new CopyOnWriteArrayList<>();
    private final Map<String, LogRetainedMessages> retained = new ConcurrentHashMap<>();
    /** Virtual hosts that are being made or deleted: one change of each at a time. */
    private final Set<String> changing = ConcurrentHashMap.newKeySet();

    // Shard thread only.
    private final Map<String, HostTable> bridged = new HashMap<>();
    private @Nullable Bridges bridges;

    private RoutingBroker(LogEngine engine, ShardProxy shard, Queues queues, Clock clock) {
        this.engine = engine;
        this.shard = shard;
        this.queues = queues;
        this.clock = clock;
        this.catalog = new Catalog(engine, shard, queues, clock, this::published, this::gone);
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
            open(
                    vhost,
                    create(InternalStreams.retained(vhost), StreamConfig.COMPACTED),
                    delayed.getOrDefault(vhost, TargetSet.EMPTY));
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

    /** From now on the virtual host, which the catalog knows, is there for clients. */
    private void open(String vhost, LogPartition retainedMessages, TargetSet delayed) {
        LogRetainedMessages messages = LogRetainedMessages.open(retainedMessages, shard, clock);
        retained.put(vhost, messages);
        hosts.put(vhost, new CatalogVirtualHost(catalog, vhost, messages, delayed));
    }

    private TargetSet openDelayed(String vhost) {
        return new TargetSet(
                List.of(queues.open(delayedQueue(vhost)).toCompletableFuture().join()), List.of());
    }

    /** The queue in which delayed messages of a virtual host wait; it has no name. */
    private static QueueSpec delayedQueue(String vhost) {
        return new QueueSpec(
                QueueId.ofDelayed(vhost),
                vhost,
                "",
                true,
                QueuePolicy.builder().delayed(true).build(),
                Caller.broker(vhost).principal());
    }

    @Override
    public CompletionStage<Boolean> describeVirtualHost(
            Caller caller, String name, VirtualHost.Description description) {
        return alone(name, () -> {
            HostChanges.check(caller, name);
            boolean isNew = !hosts.containsKey(name);
            CompletionStage<Void> described =
                    isNew ? make(caller, name, description) : describe(caller, name, description);
            return described.thenApply(done -> isNew);
        });
    }

    private CompletionStage<Void> describe(Caller caller, String name, VirtualHost.Description description) {
        return catalog.submit(tx -> {
            HostChanges.describe(catalog, tx, caller, name, description);
            return CompletableFuture.completedFuture(null);
        });
    }

    /** What it needs is there before it is in the catalog; a start removes what never came to be there. */
    private CompletionStage<Void> make(Caller caller, String name, VirtualHost.Description description) {
        StreamId stream = InternalStreams.id(InternalStreams.retained(name));
        QueueSpec spec = delayedQueue(name);
        CompletionStage<QueueRef> prepared = engine.createStream(
                        stream, InternalStreams.retained(name), 1, StreamConfig.COMPACTED)
                .thenCompose(info -> queues.open(spec));
        return prepared.thenCompose(delayed -> describe(caller, name, description)
                        .thenAcceptAsync(
                                done -> open(
                                        name,
                                        partition(stream, InternalStreams.retained(name)),
                                        new TargetSet(List.of(delayed), List.of())),
                                shard))
                .whenComplete((done, error) -> {
                    if (error != null) {
                        queues.delete(spec.id());
                        engine.deleteStream(stream);
                    } else {
                        LOG.info("Virtual host '{}' is there", name);
                    }
                });
    }

    @Override
    public CompletionStage<Boolean> deleteVirtualHost(Caller caller, String name) {
        return alone(name, () -> {
            if (!hosts.containsKey(name)) {
                return CompletableFuture.completedFuture(false);
            }
            return catalog.submit(tx -> CompletableFuture.completedFuture(HostChanges.remove(tx, caller, name)))
                    .thenCompose(contents -> drop(name, contents))
                    .thenApply(done -> true);
        });
    }

    /** A start drops what a crash leaves of it. */
    private CompletionStage<Void> drop(String name, HostChanges.Contents contents) {
        List<CompletableFuture<?>> dropped = new ArrayList<>();
        contents.queues().forEach(id -> dropped.add(queues.delete(id).toCompletableFuture()));
        dropped.add(queues.delete(QueueId.ofDelayed(name)).toCompletableFuture());
        contents.streams().forEach(id -> dropped.add(engine.deleteStream(id).toCompletableFuture()));
        dropped.add(engine.deleteStream(InternalStreams.id(InternalStreams.retained(name)))
                .toCompletableFuture());
        LOG.info(
                "Virtual host '{}' is deleted with {} queues and {} streams",
                name,
                contents.queues().size(),
                contents.streams().size());
        return CompletableFuture.allOf(dropped.toArray(CompletableFuture[]::new))
                .exceptionally(error -> {
                    LOG.warn(
                            "What was in virtual host '{}' keeps its space until a restart: {}",
                            name,
                            error.getMessage());
                    return null;
                });
    }

    /** Shard thread. */
    private void gone(String vhost) {
        hosts.remove(vhost);
        LogRetainedMessages messages = retained.remove(vhost);
        if (messages != null) {
            messages.close();
        }
        bridged.remove(vhost);
        if (bridges != null) {
            bridges.update(vhost, List.of());
        }
        hostListeners.forEach(listener -> listener.accept(vhost));
        streamListeners.forEach(Runnable::run);
    }

    private <T> CompletionStage<T> alone(String vhost, Supplier<CompletionStage<T>> change) {
        if (!changing.add(vhost)) {
            return CompletableFuture.failedFuture(new RoutingException(
                    RoutingException.Reason.UNAVAILABLE,
                    "virtual host '" + vhost + "' is being made or deleted; try again shortly"));
        }
        CompletionStage<T> changed;
        try {
            changed = change.get();
        } catch (RoutingException e) {
            changed = CompletableFuture.failedFuture(e);
        }
        return changed.whenComplete((done, error) -> changing.remove(vhost));
    }

    @Override
    public void onVirtualHostDeleted(Consumer<String> listener) {
        hostListeners.add(listener);
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
        retained.values().forEach(LogRetainedMessages::close);
    }

    private LogPartition create(String name, StreamConfig config) {
        StreamId id = InternalStreams.id(name);
        engine.createStream(id, name, 1, config).toCompletableFuture().join();
        return partition(id, name);
    }

    private LogPartition partition(StreamId id, String name) {
        LogPartition partition = engine.partition(new PartitionId(id, 0));
        if (partition == null) {
            throw new IllegalStateException("stream " + name + " has no partition 0");
        }
        return partition;
    }
}
