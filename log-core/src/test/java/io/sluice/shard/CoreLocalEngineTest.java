package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.engine.LogEngine;
import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.Clock;
import io.sluice.io.DiskFileSystem;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueRef.ConsumerSpec;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The core on the embedded engine: restarts, and crashes that leave the page cache. */
class CoreLocalEngineTest {
    private static final Caller CALLER = Caller.broker("/");
    private static final QueuePolicy DEAD_LETTERS = new QueuePolicy("dlx", null, -1);
    private static final Clock CLOCK = new Clock() {
        @Override
        public long epochMillis() {
            return System.currentTimeMillis();
        }

        @Override
        public long nanoTime() {
            return System.nanoTime();
        }
    };

    private final ExecutorService eventLoop = Executors.newSingleThreadExecutor();
    private final List<Core> cores = new ArrayList<>();
    private final List<LogEngine> engines = new ArrayList<>();

    @TempDir
    Path root;

    private Path directory;
    private LogEngine engine;
    private Core core;

    @BeforeEach
    void start() {
        directory = root.resolve("data0");
        openEngine();
        core = start(CoreSettings.DEFAULT);
    }

    @AfterEach
    void close() {
        cores.forEach(Core::close);
        engines.forEach(LogEngine::close);
        eventLoop.shutdownNow();
    }

    @Test
    void publishedIsConfirmedThenDeliveredInOrderAndGoneAfterAckAndRestart() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 100);
        publish(queue, Durability.GROUP, "a", "b", "c").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b", "c"));
        assertThat(sink.got).noneMatch(Got::redelivered);
        settle(() -> sink.got.forEach(g -> consumer.ack(g.id)), consumer);

        restart();
        QueueRef again = open(1, true, QueuePolicy.NONE);
        assertThat(again.stats().ready()).isZero();
        Sink late = new Sink();
        attach(again, late, 100);
        publish(again, Durability.GROUP, "d").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(late.values()).containsExactly("d"));
    }

    @Test
    void settledStaysSettledAfterACrashAndTheRestComesAgainWithItsFlags() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 3);
        publish(queue, Durability.GROUP, "a", "b", "c", "d").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b", "c"));
        settle(
                () -> {
                    consumer.ack(sink.got.get(1).id);
                    consumer.release(sink.got.get(2).id, true);
                },
                consumer);

        crash();
        QueueRef again = open(1, true, QueuePolicy.NONE);
        Sink late = new Sink();
        attach(again, late, 100);
        await().untilAsserted(() -> assertThat(late.values()).containsExactly("a", "c", "d"));
        assertThat(late.got.stream().map(Got::redelivered)).containsExactly(true, true, false);
        assertThat(late.got.stream().map(Got::count)).containsExactly(0, 1, 0);
    }

    @Test
    void aCheckpointAndTheJournalBehindItGiveTheSameAsTheJournalAlone() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        publish(queue, Durability.GROUP, "a", "b", "c").get(5, TimeUnit.SECONDS);
        restart();
        queue = open(1, true, QueuePolicy.NONE);
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 2);
        publish(queue, Durability.OS, "d").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b"));
        settle(() -> consumer.ack(sink.got.get(0).id), consumer);

        crash();
        Sink late = new Sink();
        attach(open(1, true, QueuePolicy.NONE), late, 100);
        await().untilAsserted(() -> assertThat(late.values()).containsExactly("b", "c", "d"));
        assertThat(late.got.stream().map(Got::redelivered)).containsExactly(true, false, false);
    }

    @Test
    void deletedQueuesAndTransientOnesDoNotComeBack() throws Exception {
        QueueRef durable = open(1, true, QueuePolicy.NONE);
        QueueRef passing = open(2, false, QueuePolicy.NONE);
        publish(durable, Durability.GROUP, "a", "b").get(5, TimeUnit.SECONDS);
        publish(passing, Durability.GROUP, "x").get(5, TimeUnit.SECONDS);
        Sink sink = new Sink();
        attach(durable, sink, 0);
        long deleted =
                core.queues().delete(new QueueId(1)).toCompletableFuture().get(5, TimeUnit.SECONDS);
        assertThat(deleted).isEqualTo(2);
        assertThat(durable.isOpen()).isFalse();
        await().untilAsserted(() -> assertThat(sink.closed).hasSize(1));

        crash();
        assertThat(open(1, true, QueuePolicy.NONE).stats().ready()).isZero();
        assertThat(open(2, false, QueuePolicy.NONE).stats().ready()).isZero();
    }

    @Test
    void aStreamGetsItsCopyWithoutTheRoutingHeader() throws Exception {
        StreamId id = new StreamId(new UUID(1, 2));
        engine.createStream(id, "s", 1, StreamConfig.DEFAULT)
                .toCompletableFuture()
                .join();
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        TargetSet both = new TargetSet(List.of(queue), List.of(new StreamTarget(id, 1)));
        publish(both, Durability.GROUP, "a").get(5, TimeUnit.SECONDS);
        List<String> seen = new ArrayList<>();
        BatchScan.scan(engine.partition(new PartitionId(id, 0)), 0, batch -> {
            RecordView view = new RecordView();
            batch.recordAt(0, view);
            seen.add(view.valueSlice().toString(StandardCharsets.UTF_8) + view.headerCount());
        });
        assertThat(seen).containsExactly("a0");
        assertThat(queue.stats().ready()).isEqualTo(1);
    }

    private record Got(long id, String value, boolean redelivered, int count) {}

    private final class Sink implements DeliverySink {
        final List<Got> got = new CopyOnWriteArrayList<>();
        final List<String> closed = new CopyOnWriteArrayList<>();
        private final RecordView view = new RecordView();

        @Override
        public Executor executor() {
            return eventLoop;
        }

        @Override
        public void deliver(DeliveryBatch batch) {
            for (int i = 0; i < batch.size(); i++) {
                batch.record(i, view);
                got.add(new Got(
                        batch.deliveryId(i),
                        view.valueSlice().toString(StandardCharsets.UTF_8),
                        batch.redelivered(i),
                        batch.deliveryCount(i)));
            }
            batch.release();
        }

        @Override
        public void closed(String reason) {
            closed.add(reason);
        }

        List<String> values() {
            return got.stream().map(Got::value).toList();
        }
    }

    private Core start(CoreSettings settings) {
        Core started = Core.start(engine, CLOCK, settings);
        cores.add(started);
        return started;
    }

    private void openEngine() {
        engine = LocalLogEngine.open(directory, LocalLogSettings.DEFAULT, new DiskFileSystem(), CLOCK);
        engines.add(engine);
    }

    private void restart() {
        core.close();
        engines.remove(engine);
        engine.close();
        openEngine();
        core = start(CoreSettings.DEFAULT);
    }

    /** Goes on with a copy of the files as a killed process leaves them. */
    private void crash() throws IOException {
        Path copy = root.resolve("data" + engines.size());
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted().toList()) {
                Files.copy(file, copy.resolve(directory.relativize(file).toString()));
            }
        }
        directory = copy;
        openEngine();
        core = start(CoreSettings.DEFAULT);
    }

    private QueueRef open(long id, boolean durable, QueuePolicy policy) throws Exception {
        QueueSpec spec = new QueueSpec(new QueueId(id), "/", "q" + id, durable, policy, Principal.BROKER);
        return core.queues().open(spec).toCompletableFuture().get(5, TimeUnit.SECONDS);
    }

    private QueueConsumer attach(QueueRef queue, Sink sink, int credit) throws Exception {
        return attach(queue, sink, credit, false);
    }

    private QueueConsumer attach(QueueRef queue, Sink sink, int credit, boolean autoSettle) throws Exception {
        return eventLoop
                .submit(() -> queue.attach(CALLER, new ConsumerSpec("test", autoSettle, false, credit), sink))
                .get();
    }

    private void settle(Runnable settlements, QueueConsumer consumer) throws Exception {
        CompletableFuture<Void> applied = new CompletableFuture<>();
        eventLoop.execute(() -> {
            settlements.run();
            consumer.barrier(() -> applied.complete(null));
        });
        applied.get(5, TimeUnit.SECONDS);
    }

    private void barrierOfShard() throws Exception {
        for (int i = 0; i < 3; i++) {
            CompletableFuture<Void> turned = new CompletableFuture<>();
            core.shard().execute(() -> turned.complete(null));
            turned.get(5, TimeUnit.SECONDS);
            eventLoop.submit(() -> {}).get();
        }
    }

    private CompletableFuture<LogException> publish(QueueRef queue, Durability durability, String... values) {
        return publish(new TargetSet(List.of(queue), List.of()), durability, values);
    }

    private CompletableFuture<LogException> publish(TargetSet targets, Durability durability, String... values) {
        CompletableFuture<LogException> done = new CompletableFuture<>();
        assertThat(core.shard().submit(batch(targets, durability, done, values)))
                .isTrue();
        return done;
    }

    private PublishBatch batch(
            TargetSet targets, Durability durability, CompletableFuture<LogException> done, String... values) {
        PublishBatch batch = new PublishBatch(
                CALLER,
                new PublishBatch.Completion() {
                    @Override
                    public Executor executor() {
                        return eventLoop;
                    }

                    @Override
                    public void completed(PublishBatch of, LogException error) {
                        done.complete(error);
                    }
                },
                PooledByteBufAllocator.DEFAULT,
                256);
        for (String value : values) {
            batch.begin();
            RecordFields.writeBytes(batch.buffer(), "key".getBytes(StandardCharsets.UTF_8));
            RecordFields.writeBytes(batch.buffer(), value.getBytes(StandardCharsets.UTF_8));
            batch.headers();
            batch.end(0, targets, 5, 1000, durability, 0);
        }
        return batch;
    }
}
