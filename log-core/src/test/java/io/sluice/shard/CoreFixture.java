package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.record.BatchBuilder;
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
import io.sluice.queue.TargetSet;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;

/** A core over a log in memory, with one event loop, for tests from publish to settlement and over restarts. */
abstract class CoreFixture {
    static final Caller CALLER = Caller.broker("/");
    static final Clock CLOCK = new Clock() {
        @Override
        public long epochMillis() {
            return System.currentTimeMillis();
        }

        @Override
        public long nanoTime() {
            return System.nanoTime();
        }
    };

    final ExecutorService eventLoop = Executors.newSingleThreadExecutor();
    private final List<Core> cores = new ArrayList<>();
    MemoryEngine engine = new MemoryEngine();
    Core core = start(CoreSettings.DEFAULT);

    @AfterEach
    void close() {
        engine.releaseSync();
        cores.forEach(Core::close);
        eventLoop.shutdownNow();
    }

    record Got(long id, String value, boolean redelivered, int count) {}

    class Sink implements DeliverySink {
        final List<Got> got = new CopyOnWriteArrayList<>();
        final List<RuntimeException> failures = new CopyOnWriteArrayList<>();
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
        public void failed(RuntimeException cause) {
            failures.add(cause);
        }

        @Override
        public void closed(String reason) {
            closed.add(reason);
        }

        List<String> values() {
            return got.stream().map(Got::value).toList();
        }
    }

    Core start(CoreSettings settings) {
        Core started = Core.start(engine, CLOCK, settings);
        cores.add(started);
        return started;
    }

    void restart() {
        core.close();
        core = start(CoreSettings.DEFAULT);
    }

    void crash() {
        MemoryEngine dead = engine;
        engine = engine.afterCrash();
        dead.fenced = true;
        core = start(CoreSettings.DEFAULT);
    }

    QueueRef open(long id, boolean durable, QueuePolicy policy) throws Exception {
        QueueSpec spec = new QueueSpec(new QueueId(id), "/", "q" + id, durable, policy, Principal.BROKER);
        return core.queues().open(spec).toCompletableFuture().get(5, TimeUnit.SECONDS);
    }

    QueueConsumer attach(QueueRef queue, Sink sink, int credit) throws Exception {
        return attach(queue, sink, credit, false);
    }

    QueueConsumer attach(QueueRef queue, Sink sink, int credit, boolean autoSettle) throws Exception {
        return eventLoop
                .submit(() -> queue.attach(CALLER, new ConsumerSpec("test", autoSettle, false, credit), sink))
                .get();
    }

    void settle(Runnable settlements, QueueConsumer consumer) throws Exception {
        CompletableFuture<Void> applied = new CompletableFuture<>();
        eventLoop.execute(() -> {
            settlements.run();
            consumer.barrier().thenRun(() -> applied.complete(null));
        });
        applied.get(5, TimeUnit.SECONDS);
    }

    void barrierOfShard() throws Exception {
        for (int i = 0; i < 3; i++) {
            CompletableFuture<Void> turned = new CompletableFuture<>();
            core.shard().execute(() -> turned.complete(null));
            turned.get(5, TimeUnit.SECONDS);
            eventLoop.submit(() -> {}).get();
        }
    }

    CompletableFuture<LogException> publish(QueueRef queue, Durability durability, String... values) {
        return publish(new TargetSet(List.of(queue), List.of()), durability, values);
    }

    CompletableFuture<LogException> publish(TargetSet targets, Durability durability, String... values) {
        CompletableFuture<LogException> done = new CompletableFuture<>();
        assertThat(core.shard().submit(batch(targets, durability, done, values)))
                .isTrue();
        return done;
    }

    CompletableFuture<LogException> produce(PartitionId to, Durability durability, String value) {
        BatchBuilder builder = new BatchBuilder(PooledByteBufAllocator.DEFAULT);
        builder.add(1000, null, value.getBytes(StandardCharsets.UTF_8));
        CompletableFuture<LogException> done = new CompletableFuture<>();
        ShardProxy.ProduceCompletion completion = new ShardProxy.ProduceCompletion() {
            @Override
            public Executor executor() {
                return eventLoop;
            }

            @Override
            public void completed(LogPartition.Appended appended, LogException error) {
                done.complete(error);
            }
        };
        assertThat(core.shard().produce(CALLER, to, builder.finish().buffer(), durability, completion))
                .isTrue();
        return done;
    }

    PublishBatch batch(
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
            // "k:..." has the key k
            int end = value.indexOf(':');
            String key = end < 0 ? "key" : value.substring(0, end);
            RecordFields.writeBytes(batch.buffer(), key.getBytes(StandardCharsets.UTF_8));
            RecordFields.writeBytes(batch.buffer(), value.getBytes(StandardCharsets.UTF_8));
            batch.headers();
            batch.end(0, targets, 5, 1000, durability, 0);
        }
        return batch;
    }
}
