package io.sluice.routing.catalog;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.SystemClock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamInfo;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import io.sluice.routing.Binding;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.VirtualHost;
import io.sluice.shard.Core;
import io.sluice.shard.CoreSettings;
import io.sluice.shard.PublishBatch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Routing on the embedded engine, over clean restarts. */
class EngineRestartTest {
    private static final Caller CALLER = Caller.broker("/");

    @TempDir
    Path directory;

    private final ExecutorService loop = Executors.newSingleThreadExecutor();
    private LocalLogEngine engine;
    private Core core;
    private RoutingBroker broker;
    private VirtualHost host;

    @BeforeEach
    void open() {
        SystemClock clock = new SystemClock();
        engine = LocalLogEngine.open(directory, LocalLogSettings.DEFAULT, new DiskFileSystem(), clock);
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
    void catalogBridgesAndRetainedMessagesSurviveRestarts() {
        Routes routes = new Routes(broker);
        get(routes.add(
                CALLER, new Routes.Spec("stream:commands", "exchange:amq.topic", null, "/"), Binding.Origin.API));
        get(routes.add(CALLER, new Routes.Spec("exchange:amq.topic", "queue:all", null, "/"), Binding.Origin.API));
        StreamInfo commands = host.table().stream("commands");
        QueueRef all = host.table().queue("all");
        for (int i = 0; i < 50; i++) {
            publish(target(commands), "k", "m" + i, null);
        }
        await().atMost(10, TimeUnit.SECONDS).until(() -> all.stats().ready() == 50);
        publish(host.table().routeTopic("state/lamp", 1, true, null).stored(), "state/lamp", "on", "1");
        await().atMost(10, TimeUnit.SECONDS).until(() -> retained("#").equals(List.of("state/lamp=on")));
        for (int round = 0; round < 2; round++) {
            close();
            open();
            QueueRef again = host.table().queue("all");
            assertThat(again.id()).isEqualTo(all.id());
            assertThat(host.table().stream("commands")).isEqualTo(commands);
            assertThat(host.bindings()).hasSize(2);
            assertThat(retained("state/+")).containsExactly("state/lamp=on");
            publish(target(commands), "k", "after restart", null);
            int expected = 52 + round;
            await().atMost(10, TimeUnit.SECONDS).until(() -> again.stats().ready() == expected);
        }
    }

    @Test
    void deletedObjectsStayDeleted() {
        get(host.declareStream(CALLER, "s", 2, StreamConfig.DEFAULT, Map.of()));
        get(host.declareQueue(CALLER, new QueueDeclaration("q", true, false, false, QueuePolicy.NONE, Map.of())));
        get(host.deleteQueue(CALLER, "q", false, false));
        get(host.deleteStream(CALLER, "s"));
        close();
        open();
        assertThat(host.table().queue("q")).isNull();
        assertThat(host.table().stream("s")).isNull();
        assertThat(engine.streams()).allMatch(stream -> stream.name().startsWith("__"));
    }

    private static TargetSet target(StreamInfo stream) {
        return new TargetSet(List.of(), List.of(new StreamTarget(stream.id(), stream.partitions())));
    }

    private void publish(TargetSet targets, String key, String value, String qos) {
        CompletableFuture<Void> stored = new CompletableFuture<>();
        PublishBatch batch = new PublishBatch(
                CALLER,
                new PublishBatch.Completion() {
                    @Override
                    public Executor executor() {
                        return loop;
                    }

                    @Override
                    public void completed(PublishBatch done, LogException error) {
                        if (error == null) {
                            stored.complete(null);
                        } else {
                            stored.completeExceptionally(error);
                        }
                    }
                },
                UnpooledByteBufAllocator.DEFAULT,
                256);
        batch.begin();
        RecordFields.writeBytes(batch.buffer(), key.getBytes(UTF_8));
        RecordFields.writeBytes(batch.buffer(), value.getBytes(UTF_8));
        batch.headers();
        if (qos != null) {
            RecordFields.writeHeader(batch.buffer(), MessageHeaders.QOS, qos.getBytes(UTF_8));
        }
        batch.end(qos == null ? 0 : 1, targets, 0, 1, Durability.GROUP, 0);
        assertThat(core.shard().submit(batch)).isTrue();
        get(stored);
    }

    private List<String> retained(String filter) {
        List<String> got = new ArrayList<>();
        CompletableFuture<Void> done = new CompletableFuture<>();
        host.retained()
                .match(
                        filter,
                        loop,
                        message -> {
                            RecordView record = new RecordView();
                            message.record(record);
                            got.add(message.topic() + "=" + record.valueSlice().toString(UTF_8));
                        },
                        () -> done.complete(null));
        get(done);
        return got;
    }

    private static <T> T get(CompletionStage<T> stage) {
        return stage.toCompletableFuture().orTimeout(10, TimeUnit.SECONDS).join();
    }
}
