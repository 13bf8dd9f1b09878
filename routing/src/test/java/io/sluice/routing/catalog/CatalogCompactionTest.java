package io.sluice.routing.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.sluice.access.Caller;
import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.SystemClock;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.queue.QueuePolicy;
import io.sluice.routing.Binding;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.shard.Core;
import io.sluice.shard.CoreSettings;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The catalog is put together from what compaction left of its stream. */
@Timeout(60)
class CatalogCompactionTest {
    private static final Caller CALLER = Caller.broker("/");
    private static final StreamId CATALOG = InternalStreams.id(InternalStreams.CATALOG);

    @TempDir
    Path directory;

    private LocalLogEngine engine;
    private Core core;
    private RoutingBroker broker;
    private VirtualHost host;

    @BeforeEach
    void open() {
        SystemClock clock = new SystemClock();
        LocalLogSettings d = LocalLogSettings.DEFAULT;
        LocalLogSettings settings = new LocalLogSettings(
                1,
                1 << 20,
                50,
                d.checkpointBytes(),
                d.tailCacheBytes(),
                d.decodedCacheBytes(),
                d.maxDecodedBytes(),
                d.openFiles(),
                2,
                d.warmBytes(),
                50,
                d.compactionBytes(),
                d.producerIdleMillis(),
                0,
                0,
                0);
        engine = LocalLogEngine.open(directory, settings, new DiskFileSystem(), clock);
        // Small segments and short-lived tombstones, so that both go soon.
        StreamConfig small =
                new StreamConfig(5000, 1 << 30, -1, -1, true, false, 32 << 20, false, null).withTombstoneMillis(100);
        get(engine.createStream(CATALOG, InternalStreams.CATALOG, 1, small));
        core = Core.start(engine, clock, CoreSettings.DEFAULT);
        broker = RoutingBroker.open(engine, core.shard(), core.queues(), clock);
        host = broker.virtualHost("/");
    }

    @AfterEach
    void close() {
        broker.close();
        core.close();
        engine.close();
    }

    @Test
    void whatIsDeclaredAndNotDeletedIsThereAfterCompactionAndRestart() {
        Routes routes = new Routes(broker);
        get(routes.add(CALLER, new Routes.Spec("exchange:amq.topic", "queue:kept", null, "/"), Binding.Origin.API));
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < 60; i++) {
                declare("passing" + i);
                get(host.deleteQueue(CALLER, "passing" + i, false, false));
            }
            declare("later" + round);
        }
        LogPartition partition = engine.partition(new PartitionId(CATALOG, 0));
        long before = partition.highWatermark();
        assertThat(before).isGreaterThan(240);
        // nothing is written any more: 240 records of deleted queues go, with their tombstones
        await().atMost(30, TimeUnit.SECONDS).until(() -> partition.sizeInBytes() < 8000);
        close();
        open();
        Set<String> queues = new HashSet<>();
        host.table().queues().forEach(queue -> queues.add(queue.spec().name()));
        assertThat(queues).containsExactlyInAnyOrder("kept", "later0", "later1");
        assertThat(host.bindings()).hasSize(1);
        assertThat(engine.partition(new PartitionId(CATALOG, 0)).highWatermark())
                .isGreaterThanOrEqualTo(before);
        declare("after");
        assertThat(host.table().queue("after")).isNotNull();
    }

    private void declare(String name) {
        get(host.declareQueue(CALLER, new QueueDeclaration(name, true, false, false, QueuePolicy.NONE, Map.of())));
    }

    private static <T> T get(CompletionStage<T> stage) {
        return stage.toCompletableFuture().orTimeout(10, TimeUnit.SECONDS).join();
    }
}
