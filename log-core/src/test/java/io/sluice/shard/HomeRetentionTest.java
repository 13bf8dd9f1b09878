package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.Clock;
import io.sluice.io.LeakReports;
import io.sluice.io.SimulatedFileSystem;
import io.sluice.io.SimulatedWorkers;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.PartitionId;
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
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Executor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The core on the embedded engine, with small segments: what one slow consumer makes the disk keep. */
class HomeRetentionTest {
    private static final int SEGMENT = 20_000;
    private static final int PARTITIONS = 8;
    private static final int VALUE = 500;
    /** What an encoded message takes around its value, at most. */
    private static final int AROUND = 200;

    private final Random random = new Random(11);
    private final SimulatedFileSystem files = new SimulatedFileSystem(random);
    private long nanos = 1_000_000_000L;
    private final Clock clock = new Clock() {
        @Override
        public long epochMillis() {
            return 1_700_000_000_000L + nanos / 1_000_000;
        }

        @Override
        public long nanoTime() {
            return nanos += 1000;
        }
    };

    private SimulatedWorkers workers = new SimulatedWorkers(random);
    private LocalLogEngine engine;
    private Core core;
    private int serial;

    @BeforeEach
    void start() {
        LeakReports.start();
        open();
    }

    @AfterEach
    void stop() {
        core.close();
        engine.close();
        LeakReports.assertNone();
    }

    private void open() {
        workers = new SimulatedWorkers(random);
        workers.direct(true);
        LocalLogSettings d = LocalLogSettings.DEFAULT;
        LocalLogSettings settings = new LocalLogSettings(
                1,
                64 << 10,
                10_000,
                256 << 10,
                64 << 10,
                64 << 10,
                1 << 20,
                64,
                1,
                1 << 20,
                30_000,
                d.compactionBytes(),
                d.producerIdleMillis(),
                1000,
                500_000,
                600_000);
        engine = LocalLogEngine.open(Path.of("/data"), settings, files, clock, random::nextLong, workers);
        engine.createStream(
                Core.HOME,
                "__home",
                PARTITIONS,
                new StreamConfig(SEGMENT, Long.MAX_VALUE, -1, -1, false, false, 1 << 20, false, null));
        core = Core.start(engine, clock, new CoreSettings(100, 1 << 20, 1 << 20, 4096, 64 << 10, 0), workers::runOne);
        workers.direct(false);
    }

    @Test
    void aStuckMessageHoldsNothingButItself() {
        Sink stuck = new Sink();
        QueueRef slow = queue(1);
        QueueConsumer idle = attach(slow, stuck, 1);
        publish(slow, 1);
        turn();
        assertThat(stuck.values).containsExactly("m0");
        flow(200);
        assertBound();

        crash();
        assertBound();
        Sink late = new Sink();
        idle = attach(queue(1), late, 10);
        flow(20);
        assertBound();
        assertThat(late.values).containsExactly("m0");
        late.settle(idle);
        settle();
        assertThat(homeBytes()).isLessThanOrEqualTo(2L * SEGMENT * PARTITIONS);
    }

    @Test
    void aFullDiskGetsItsSpaceBackWhenTheBacklogOfOneQueueGoes() {
        QueueRef slow = queue(1);
        publish(slow, 1);
        QueueRef backlog = queue(2);
        files.capacity(files.used() + 3_000_000);
        Set<LogException> refused = new HashSet<>();
        for (int i = 0; i < 4000 && refused.isEmpty(); i++) {
            publish(backlog, 10, refused);
            turn();
            if (i % 10 == 0) {
                workers.tickAll();
            }
        }
        assertThat(refused)
                .allMatch(e -> e.reason() == LogException.Reason.DISK_FULL)
                .isNotEmpty();
        long full = homeBytes();
        backlog.purge(Caller.broker("/"));
        settle();
        assertThat(homeBytes()).isLessThan(full / 4);
        Set<LogException> none = new HashSet<>();
        publish(backlog, 10, none);
        turn();
        assertThat(none).isEmpty();
        Sink sink = new Sink();
        attach(slow, sink, 1);
        turn();
        assertThat(sink.values).containsExactly("m0");
    }

    /** This many segments' worth of messages are published and acknowledged. */
    private void flow(int segments) {
        QueueRef fast = queue(3);
        Sink sink = new Sink();
        QueueConsumer consumer = attach(fast, sink, Integer.MAX_VALUE);
        int messages = segments * SEGMENT / VALUE;
        for (int i = 0; i < messages; i += 20) {
            publish(fast, 20);
            turn();
            sink.settle(consumer);
            nanos += 20_000_000L;
            if (i % 2000 == 0) {
                workers.tickAll();
            }
            if (i % 10_000 == 0) {
                settle();
            }
        }
        turn();
        sink.settle(consumer);
        assertThat(sink.values).hasSizeGreaterThanOrEqualTo(messages);
        consumer.cancel();
        settle();
    }

    /** Time passes until nothing happens any more. */
    private void settle() {
        for (int i = 0; i < 60; i++) {
            nanos += 6_000_000_000L;
            turn();
            workers.tickAll();
            turn();
        }
    }

    private void assertBound() {
        assertThat(homeBytes()).isLessThanOrEqualTo(4L * (VALUE + AROUND) + 2L * SEGMENT * PARTITIONS);
    }

    private long homeBytes() {
        long bytes = 0;
        for (int i = 0; i < PARTITIONS; i++) {
            bytes += engine.partition(new PartitionId(Core.HOME, i)).sizeInBytes();
        }
        return bytes;
    }

    private void crash() {
        files.kill();
        core.close();
        engine.close();
        files.revive();
        files.powerCut();
        open();
    }

    private void turn() {
        for (int i = 0; i < 6; i++) {
            while (core.step()) {
                workers.runAll();
            }
            workers.runAll();
        }
    }

    private QueueRef queue(long id) {
        QueueSpec spec = new QueueSpec(new QueueId(id), "/", "q" + id, true, QueuePolicy.NONE, Principal.BROKER);
        var opened = core.queues().open(spec).toCompletableFuture();
        turn();
        return opened.join();
    }

    private QueueConsumer attach(QueueRef queue, Sink sink, int credit) {
        QueueConsumer consumer = queue.attach(Caller.broker("/"), new ConsumerSpec("test", false, false, credit), sink);
        turn();
        return consumer;
    }

    private void publish(QueueRef queue, int messages) {
        Set<LogException> refused = new HashSet<>();
        publish(queue, messages, refused);
        turn();
        assertThat(refused).isEmpty();
    }

    private void publish(QueueRef queue, int messages, Set<LogException> refused) {
        PublishBatch batch = new PublishBatch(
                Caller.broker("/"),
                new PublishBatch.Completion() {
                    @Override
                    public Executor executor() {
                        return Runnable::run;
                    }

                    @Override
                    public void completed(PublishBatch of, LogException error) {
                        if (error != null) {
                            refused.add(error);
                        }
                    }
                },
                UnpooledByteBufAllocator.DEFAULT,
                256);
        for (int i = 0; i < messages; i++) {
            String value = "m" + serial++;
            batch.begin();
            RecordFields.writeBytes(batch.buffer(), new byte[0]);
            RecordFields.writeBytes(
                    batch.buffer(), (value + " ".repeat(VALUE - value.length())).getBytes(StandardCharsets.UTF_8));
            batch.headers();
            batch.end(0, new TargetSet(List.of(queue), List.of()), random.nextInt(), 1000, Durability.GROUP, 0);
        }
        assertThat(core.shard().submit(batch)).isTrue();
    }

    private static final class Sink implements DeliverySink {
        private final List<String> values = new ArrayList<>();
        private final List<Long> unsettled = new ArrayList<>();
        private final RecordView view = new RecordView();

        @Override
        public Executor executor() {
            return Runnable::run;
        }

        @Override
        public void deliver(DeliveryBatch batch) {
            for (int i = 0; i < batch.size(); i++) {
                batch.record(i, view);
                values.add(view.valueSlice().toString(StandardCharsets.UTF_8).trim());
                unsettled.add(batch.deliveryId(i));
            }
            batch.release();
        }

        void settle(QueueConsumer consumer) {
            unsettled.forEach(consumer::ack);
            unsettled.clear();
            consumer.flush();
        }

        @Override
        public void failed(RuntimeException cause) {
            throw cause;
        }

        @Override
        public void closed(String reason) {}
    }
}
