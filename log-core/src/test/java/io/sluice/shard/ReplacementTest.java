package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.queue.DeathReason;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Republisher;
import io.sluice.queue.TargetSet;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Dead letters and delayed messages that fell due take the place of their originals: a start finds the one or the other. */
class ReplacementTest extends CoreFixture {
    private static final QueuePolicy DEAD_LETTERS =
            QueuePolicy.builder().deadLetterExchange("").build();
    private static final QueuePolicy DELAYED =
            QueuePolicy.builder().delayed(true).build();
    private static final QueueId DELAYED_ID = new QueueId(-3);

    private QueueRef queue;
    private QueueRef dead;
    private final List<Republisher.Outcome> copied = new CopyOnWriteArrayList<>();

    private void openQueues() throws Exception {
        queue = open(1, true, DEAD_LETTERS);
        dead = open(2, true, QueuePolicy.NONE);
        core.queues().republisher(new ToDeadQueue());
    }

    /** Copies everything to one queue. */
    private final class ToDeadQueue implements Republisher {
        @Override
        public void deadLetter(
                QueueSpec from, BatchView source, long offset, DeathReason reason, int deliveryCount, Outcome outcome) {
            copied.add(outcome);
            RecordView record = new RecordView();
            source.record(offset, record);
            PublishBatch copy = new PublishBatch(
                    CALLER,
                    new PublishBatch.Completion() {
                        @Override
                        public Executor executor() {
                            return core.shard();
                        }

                        @Override
                        public void completed(PublishBatch batch, LogException error) {
                            if (error == null) {
                                outcome.settled();
                            } else {
                                outcome.failed(error);
                            }
                        }
                    },
                    PooledByteBufAllocator.DEFAULT,
                    64);
            copy.inPlaceOf(outcome);
            copy.begin();
            RecordFields.writeVarint(copy.buffer(), -1);
            RecordFields.writeBytes(
                    copy.buffer(),
                    ("copy of " + record.valueSlice().toString(StandardCharsets.UTF_8))
                            .getBytes(StandardCharsets.UTF_8));
            copy.headers();
            copy.end(0, new TargetSet(List.of(dead), List.of()), 0, 1000, Durability.GROUP, 0);
            if (!core.shard().submit(copy)) {
                copy.releaseBuffer();
                outcome.failed(new LogException(Reason.OVERLOADED, "full"));
            }
        }

        @Override
        public void due(QueueSpec from, BatchView source, long offset, Outcome outcome) {
            deadLetter(from, source, offset, DeathReason.EXPIRED, 0, outcome);
        }
    }

    private void reject(String value) throws Exception {
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 1);
        publish(queue, Durability.GROUP, value).get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly(value));
        engine.holdSync = true;
        reject(consumer, sink);
        await().untilAsserted(() -> assertThat(copied).hasSize(1));
        barrierOfShard();
    }

    /** Waits for nothing: the disk does not answer. */
    private void reject(QueueConsumer consumer, Sink sink) throws Exception {
        eventLoop
                .submit(() -> {
                    consumer.reject(sink.got.get(0).id());
                    consumer.flush();
                })
                .get();
    }

    private List<String> all(QueueRef of) throws Exception {
        Sink sink = new Sink();
        attach(of, sink, 100);
        await().untilAsserted(() -> assertThat(of.stats().ready()).isZero());
        barrierOfShard();
        return sink.values();
    }

    @Test
    void aCrashBeforeTheCopyIsConfirmedRepeatsNothing() throws Exception {
        openQueues();
        reject("a");
        crash();
        openQueues();
        assertThat(all(dead)).containsExactly("copy of a");
        assertThat(queue.stats().unacked()).isZero();
        assertThat(copied).hasSize(1);
    }

    @Test
    void aCleanStopWithACopyOnItsWayRepeatsNothing() throws Exception {
        openQueues();
        reject("a");
        Thread closer = new Thread(core::close);
        closer.start();
        // the shard has been told to end, and waits for the disk
        await().until(() -> closer.getState() == Thread.State.WAITING);
        engine.releaseSync();
        closer.join();
        core = start(CoreSettings.DEFAULT);
        openQueues();
        assertThat(all(dead)).containsExactly("copy of a");
        assertThat(queue.stats().unacked()).isZero();
        assertThat(copied).hasSize(1);
    }

    @Test
    void aDelayedMessageThatFallsDueAtTheStopComesOnce() throws Exception {
        openQueues();
        QueueRef delayed = open(DELAYED_ID.value(), true, DELAYED);
        CompletableFuture<LogException> done = new CompletableFuture<>();
        PublishBatch batch = batch(new TargetSet(List.of(delayed), List.of()), Durability.GROUP, done);
        batch.begin();
        RecordFields.writeVarint(batch.buffer(), -1);
        RecordFields.writeBytes(batch.buffer(), "a".getBytes(StandardCharsets.UTF_8));
        batch.headers();
        batch.options(0, 20);
        batch.end(0, new TargetSet(List.of(delayed), List.of()), 0, 1000, Durability.GROUP, 0);
        core.shard().submit(batch);
        assertThat(done.get(5, TimeUnit.SECONDS)).isNull();
        engine.holdSync = true;
        await().untilAsserted(() -> assertThat(copied).hasSize(1));
        barrierOfShard();
        crash();
        openQueues();
        QueueRef again = open(DELAYED_ID.value(), true, DELAYED);
        assertThat(all(dead)).containsExactly("copy of a");
        assertThat(again.stats().ready() + again.stats().unacked()).isZero();
        assertThat(copied).hasSize(1);
    }

    @Test
    void whatTheLogRefusesIsTriedAgainAndSettledOnce() throws Exception {
        openQueues();
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 1);
        publish(queue, Durability.GROUP, "a").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a"));
        engine.holdSync = true;
        CompletableFuture<LogException> before = publish(dead, Durability.GROUP, "before");
        barrierOfShard();
        reject(consumer, sink);
        await().untilAsserted(() -> assertThat(copied).hasSize(1));
        barrierOfShard();
        // the pass with the copy is open until the sync returns
        engine.refuseNext.set(true);
        engine.releaseSync();
        assertThat(before.get(5, TimeUnit.SECONDS)).isNull();
        await().untilAsserted(() -> assertThat(copied).hasSize(2));
        await().untilAsserted(() -> assertThat(queue.stats().unacked()).isZero());
        assertThat(all(dead)).containsExactly("before", "copy of a");
    }
}
