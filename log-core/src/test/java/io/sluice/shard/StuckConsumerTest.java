package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.Clock;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.SystemClock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.StreamConfig;
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
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** One consumer that never settles its first message, on real files, while many times their bound flows past it. */
@Timeout(120)
class StuckConsumerTest {
    private static final String HOME = Core.HOME.uuid().toString();
    private static final int SEGMENT = 32 << 10;
    private static final int PARTITIONS = 8;
    /** As many segments as 25 GiB are of 64 MiB each. */
    private static final int SEGMENTS = 400;

    private static final int VALUE = 2_000;
    private static final int PER_BATCH = 50;
    private static final int CHECKPOINT = 512 << 10;
    /** The stuck message with the batch it came in, of four times which the disk may keep. */
    private static final int LIVE = 3_000;

    /** What flows between two looks at the disk. */
    private static final int SLICE = 2 << 20;

    private static final long HOME_BOUND = 4 * LIVE + 2L * SEGMENT * PARTITIONS + CHECKPOINT;
    /** The write-ahead log's files of 1 MiB, in use and spare, and the journal with two checkpoints. */
    private static final long REST_BOUND = 8 << 20;

    /** The core looks after its disk 200 times as often, so that the test does not take as long; the engine lives in real time. */
    private static final Clock CLOCK = new Clock() {
        private static final int HASTE = 200;

        @Override
        public long epochMillis() {
            return 1_700_000_000_000L + nanoTime() / 1_000_000;
        }

        @Override
        public long nanoTime() {
            return System.nanoTime() * HASTE;
        }
    };

    @TempDir
    Path directory;

    private @Nullable LocalLogEngine engine;
    private @Nullable Core core;

    private void open() {
        LocalLogSettings d = LocalLogSettings.DEFAULT;
        LocalLogSettings settings = new LocalLogSettings(
                1,
                1 << 20,
                200,
                CHECKPOINT,
                1 << 20,
                1 << 20,
                1 << 20,
                64,
                2,
                1 << 20,
                1_000,
                d.compactionBytes(),
                d.producerIdleMillis(),
                0,
                0,
                0);
        engine = LocalLogEngine.open(directory, settings, new DiskFileSystem(), new SystemClock());
        engine.createStream(
                        Core.HOME,
                        "__home",
                        PARTITIONS,
                        new StreamConfig(SEGMENT, Long.MAX_VALUE, -1, -1, false, false, 1 << 20, false, null))
                .toCompletableFuture()
                .join();
        core = Core.start(engine, CLOCK, new CoreSettings(1000, 64 << 20, 1 << 20, 32 << 10, CHECKPOINT, 1 << 20));
    }

    @AfterEach
    void close() {
        if (core != null) {
            core.close();
        }
        if (engine != null) {
            engine.close();
        }
    }

    @Test
    void holdsItsOwnMessageOnDiskAndNotTheTraffic() throws Exception {
        open();
        QueueRef queue = queue();
        Sink stuck = new Sink();
        queue.attach(Caller.broker("/"), new ConsumerSpec("stuck", false, false, 1), stuck);
        publish(queue, 0, 1);
        await().untilAsserted(() -> assertThat(stuck.values).containsExactly("m0"));

        Sink flow = new Sink();
        flow.consumer = queue.attach(Caller.broker("/"), new ConsumerSpec("flow", false, false, 10_000), flow);
        int messages = (int) ((long) SEGMENTS * SEGMENT / VALUE);
        int slice = SLICE / VALUE;
        long most = 0;
        for (int from = 1; from < messages; from += slice) {
            publish(queue, from, slice);
            int until = from - 1 + slice;
            await().pollInterval(Duration.ofMillis(10)).until(() -> flow.settled.get() == until);
            most = Math.max(most, size(HOME));
            await().atMost(Duration.ofSeconds(20))
                    .pollInterval(Duration.ofMillis(10))
                    .untilAsserted(() -> {
                        assertThat(size(HOME)).isLessThanOrEqualTo(HOME_BOUND);
                        assertThat(size("")).isLessThanOrEqualTo(HOME_BOUND + REST_BOUND);
                    });
        }
        assertThat(most).isLessThanOrEqualTo(HOME_BOUND + SLICE);
        assertThat(stuck.values).containsExactly("m0");
        assertThat(flow.values).doesNotContain("m0");

        close();
        open();
        Sink next = new Sink();
        queue().attach(Caller.broker("/"), new ConsumerSpec("next", false, false, 10), next);
        await().untilAsserted(() -> assertThat(next.values).containsExactly("m0"));
    }

    private QueueRef queue() {
        QueueSpec spec = new QueueSpec(new QueueId(1), "/", "q", true, QueuePolicy.NONE, Principal.BROKER);
        return core().queues().open(spec).toCompletableFuture().join();
    }

    private Core core() {
        Core running = core;
        if (running == null) {
            throw new IllegalStateException("not open");
        }
        return running;
    }

    private void publish(QueueRef queue, int from, int count) throws Exception {
        TargetSet targets = new TargetSet(List.of(queue), List.of());
        List<CompletableFuture<Void>> stored = new ArrayList<>();
        for (int first = from; first < from + count; first += PER_BATCH) {
            CompletableFuture<Void> done = new CompletableFuture<>();
            PublishBatch batch = new PublishBatch(
                    Caller.broker("/"),
                    new PublishBatch.Completion() {
                        @Override
                        public Executor executor() {
                            return Runnable::run;
                        }

                        @Override
                        public void completed(PublishBatch of, @Nullable LogException error) {
                            if (error == null) {
                                done.complete(null);
                            } else {
                                done.completeExceptionally(error);
                            }
                        }
                    },
                    UnpooledByteBufAllocator.DEFAULT,
                    1 << 17);
            for (int i = first; i < Math.min(first + PER_BATCH, from + count); i++) {
                String value = "m" + i;
                batch.begin();
                RecordFields.writeBytes(batch.buffer(), new byte[0]);
                RecordFields.writeBytes(
                        batch.buffer(), (value + " ".repeat(VALUE - value.length())).getBytes(StandardCharsets.UTF_8));
                batch.headers();
                batch.end(0, targets, i, CLOCK.epochMillis(), Durability.GROUP, 0);
            }
            assertThat(core().shard().submit(batch)).isTrue();
            stored.add(done);
        }
        for (CompletableFuture<Void> done : stored) {
            done.get(20, TimeUnit.SECONDS);
        }
    }

    /** Bytes of all files whose path contains this. */
    private long size(String part) throws IOException {
        while (true) {
            try (Stream<Path> files = Files.walk(directory)) {
                return files.filter(file -> file.toString().contains(part))
                        .mapToLong(StuckConsumerTest::size)
                        .sum();
            } catch (NoSuchFileException | UncheckedIOException e) {
                // a file went while it was looked at: once more
                Thread.onSpinWait();
            }
        }
    }

    private static long size(Path file) {
        try {
            return Files.isRegularFile(file) ? Files.size(file) : 0;
        } catch (NoSuchFileException e) {
            return 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Settles what it gets if it has a consumer to do so. Its thread is the shard's. */
    private static final class Sink implements DeliverySink {
        private final List<String> values = Collections.synchronizedList(new ArrayList<>());
        private final AtomicInteger settled = new AtomicInteger();
        private final RecordView view = new RecordView();
        private volatile @Nullable QueueConsumer consumer;

        @Override
        public Executor executor() {
            return Runnable::run;
        }

        @Override
        public void deliver(DeliveryBatch batch) {
            QueueConsumer by = consumer;
            for (int i = 0; i < batch.size(); i++) {
                batch.record(i, view);
                values.add(view.valueSlice().toString(StandardCharsets.UTF_8).trim());
                if (by != null) {
                    by.ack(batch.deliveryId(i));
                    by.credit(1);
                    settled.incrementAndGet();
                }
            }
            if (by != null) {
                by.flush();
            }
            batch.release();
        }

        @Override
        public void failed(RuntimeException cause) {
            throw cause;
        }

        @Override
        public void closed(String reason) {}
    }
}
