package io.sluice.routing.republish;

import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.engine.LogEngine;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.message.RecordFields;
import io.sluice.queue.TargetSet;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The bridges of all bindings from streams to exchanges: one per partition. Confined to the shard thread, but for the
 * constructor.
 */
public final class Bridges {
    private static final Logger LOG = LoggerFactory.getLogger(Bridges.class);

    private final LogEngine engine;
    private final ShardProxy shard;
    private final Clock clock;
    private final Function<String, @Nullable RoutingTable> tables;
    private final Function<String, TargetSet> delayed;
    private final Map<BridgeCursors.Key, Long> cursors;
    private final Map<String, Map<BridgeCursors.Key, Bridge>> running = new HashMap<>();

    /**
     * Reads the cursors, blocking; before traffic.
     *
     * @param tables newest table of a virtual host, null if it is gone
     * @param delayed where messages of a virtual host wait that are to be delivered later
     */
    public Bridges(
            LogEngine engine,
            ShardProxy shard,
            Clock clock,
            Function<String, @Nullable RoutingTable> tables,
            Function<String, TargetSet> delayed) {
        this.delayed = delayed;
        this.engine = engine;
        this.shard = shard;
        this.clock = clock;
        this.tables = tables;
        LogPartition stream = engine.partition(new PartitionId(InternalStreams.id(InternalStreams.BRIDGES), 0));
        if (stream == null) {
            throw new IllegalStateException("stream " + InternalStreams.BRIDGES + " has no partition 0");
        }
        this.cursors = BridgeCursors.read(stream);
        engine.onDiskState(state -> {
            if (state == DiskState.OK || state == DiskState.WARN) {
                shard.execute(
                        () -> running.values().forEach(host -> host.values().forEach(Bridge::pump)));
            }
        });
    }

    /** Starts and stops bridges so that those of {@code vhost} are the given ones. */
    public void update(String vhost, List<BridgeSpec> wanted) {
        Map<BridgeCursors.Key, Bridge> present = running.computeIfAbsent(vhost, name -> new HashMap<>());
        Set<BridgeCursors.Key> kept = new HashSet<>();
        for (BridgeSpec spec : wanted) {
            for (int i = 0; i < spec.partitions(); i++) {
                BridgeCursors.Key key = new BridgeCursors.Key(spec.number(), i);
                kept.add(key);
                if (!present.containsKey(key)) {
                    start(vhost, spec, key, present);
                }
            }
        }
        List<BridgeCursors.Key> gone = new ArrayList<>(present.keySet());
        gone.removeAll(kept);
        for (BridgeCursors.Key key : gone) {
            Bridge bridge = present.remove(key);
            if (bridge != null) {
                bridge.stop();
            }
            cursors.remove(key);
        }
        forget(gone);
    }

    /** Drops the cursors of bindings that are gone since before the start; after the first updates. */
    public void forgetUnknown() {
        Set<BridgeCursors.Key> known = new HashSet<>();
        running.values().forEach(host -> known.addAll(host.keySet()));
        List<BridgeCursors.Key> unknown = new ArrayList<>(cursors.keySet());
        unknown.removeAll(known);
        unknown.forEach(cursors::remove);
        forget(unknown);
    }

    /** Stops all; the cursors stay. */
    public void close() {
        running.values().forEach(host -> host.values().forEach(Bridge::stop));
        running.clear();
    }

    private void start(String vhost, BridgeSpec spec, BridgeCursors.Key key, Map<BridgeCursors.Key, Bridge> present) {
        LogPartition partition = engine.partition(new PartitionId(spec.stream(), key.partition()));
        if (partition == null) {
            LOG.error("stream '{}' has no partition {}: it is not passed on", spec.streamName(), key.partition());
            return;
        }
        Long cursor = cursors.get(key);
        long first = key.partition() < spec.startOffsets().size()
                ? spec.startOffsets().get(key.partition())
                : 0;
        Bridge bridge = new Bridge(
                spec,
                partition,
                cursor == null ? first : cursor,
                shard,
                clock,
                () -> tables.apply(vhost),
                new Route(delayed.apply(vhost), Route.NONE.direct()));
        present.put(key, bridge);
        bridge.start();
    }

    /** Tombstones save space only: a cursor without its binding has no effect, as numbers are not given twice. */
    private void forget(List<BridgeCursors.Key> keys) {
        if (keys.isEmpty()) {
            return;
        }
        PublishBatch batch =
                new PublishBatch(Caller.broker("/"), new Forgotten(), PooledByteBufAllocator.DEFAULT, 64 * keys.size());
        for (BridgeCursors.Key key : keys) {
            batch.begin();
            RecordFields.writeBytes(batch.buffer(), key.encode());
            RecordFields.writeBytes(batch.buffer(), (byte[]) null);
            batch.headers();
            batch.end(0, BridgeCursors.TARGET, 0, clock.epochMillis(), Durability.OS, 0);
        }
        if (!shard.submit(batch)) {
            batch.releaseBuffer();
        }
    }

    private final class Forgotten implements PublishBatch.Completion {
        @Override
        public Executor executor() {
            return shard;
        }

        @Override
        public void completed(PublishBatch batch, @Nullable LogException error) {
            if (error != null) {
                LOG.info("cursors of removed bridges stay in the log: {}", error.getMessage());
            }
        }
    }
}
