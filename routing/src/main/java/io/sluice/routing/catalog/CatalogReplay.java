package io.sluice.routing.catalog;

import io.sluice.access.Principal;
import io.sluice.engine.LogEngine;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Queues;
import io.sluice.routing.catalog.CatalogRecord.DeclaredQueue;
import io.sluice.routing.catalog.CatalogRecord.DeclaredStream;
import io.sluice.routing.catalog.CatalogRecord.Ids;
import io.sluice.routing.catalog.CatalogRecord.SetPolicy;
import io.sluice.routing.policy.Policies;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.routing.replay.LogScan;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts the tables together from {@code __catalog} at start: the newest record of each key, ends before bindings. Opens the
 * queues, and removes streams that a crash left in the engine without a catalog record. Blocks; before traffic.
 */
final class CatalogReplay {
    private static final Logger LOG = LoggerFactory.getLogger(CatalogReplay.class);

    private final LogEngine engine;
    private final Queues queues;
    private final Map<String, HostEdit> hosts = new HashMap<>();
    private long ids = 1;

    CatalogReplay(LogEngine engine, Queues queues) {
        this.engine = engine;
        this.queues = queues;
    }

    Map<String, HostEdit> hosts() {
        return hosts;
    }

    /** First number that was never reserved. */
    long ids() {
        return ids;
    }

    void run() {
        StreamId catalog = InternalStreams.id(InternalStreams.CATALOG);
        LogPartition partition = engine.partition(new PartitionId(catalog, 0));
        if (partition == null) {
            throw new IllegalStateException("stream " + InternalStreams.CATALOG + " has no partition 0");
        }
        Map<ByteBuffer, CatalogRecord> newest = new LinkedHashMap<>();
        Map<String, Principal> owners = new HashMap<>();
        LogScan.readAll(partition, record -> {
            byte[] key = record.keyBytes();
            if (key == null) {
                return;
            }
            if (record.valueLength() < 0) {
                newest.remove(ByteBuffer.wrap(key));
            } else {
                byte[] value = new byte[record.valueLength()];
                record.buffer().getBytes(record.valueStart(), value);
                newest.put(ByteBuffer.wrap(key), CatalogCodec.decode(key, value, owners));
            }
        });
        List<CatalogRecord> records = new ArrayList<>(newest.values());
        records.sort(Comparator.comparingInt(CatalogCodec::order));
        hosts.put("/", new HostEdit(engine, queues, "/"));
        openQueues(records);
        records.forEach(this::apply);
        removeOrphans();
        LOG.info("catalog: {} objects in {} virtual hosts", records.size(), hosts.size());
    }

    /** All together: each would cost two hops to the shard. */
    private void openQueues(List<CatalogRecord> records) {
        List<CompletableFuture<?>> opened = new ArrayList<>();
        Map<String, Policies> policies = new HashMap<>();
        for (CatalogRecord record : records) {
            if (record instanceof SetPolicy p) {
                policies.merge(
                        p.vhost(),
                        Policies.NONE.with(p.operator(), p.policy()),
                        (present, one) -> present.with(p.operator(), p.policy()));
            } else if (record instanceof DeclaredQueue q) {
                QueueSpec spec = new QueueSpec(
                        q.id(),
                        q.vhost(),
                        q.declaration().name(),
                        true,
                        PolicyChanges.inForce(policies.getOrDefault(q.vhost(), Policies.NONE), q.declaration()),
                        q.owner());
                opened.add(queues.open(spec).toCompletableFuture());
            }
        }
        opened.forEach(CompletableFuture::join);
    }

    private void apply(CatalogRecord record) {
        if (record instanceof Ids reserved) {
            ids = reserved.limit();
            return;
        }
        HostEdit host = hosts.computeIfAbsent(record.vhost(), name -> new HostEdit(engine, queues, name));
        if (record instanceof DeclaredStream s && engine.stream(s.id()) == null) {
            throw new IllegalStateException("stream '" + s.name() + "' of virtual host '" + s.vhost()
                    + "' is in the catalog but its directory is missing: restore it from a backup");
        }
        host.put(record);
    }

    private void removeOrphans() {
        Set<StreamId> known = new HashSet<>();
        hosts.values().forEach(host -> known.addAll(host.streamNames.keys()));
        for (StreamInfo stream : List.copyOf(engine.streams())) {
            boolean internal = InternalStreams.isReserved(stream.name())
                    && stream.id().equals(InternalStreams.id(stream.name()))
                    && hosts.containsKey(InternalStreams.hostOf(stream.name()));
            if (!known.contains(stream.id()) && !internal) {
                LOG.info("removing stream '{}': its creation or deletion was cut short", stream.name());
                engine.deleteStream(stream.id()).toCompletableFuture().join();
            }
        }
    }
}
