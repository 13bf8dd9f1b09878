package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.sluice.engine.LogEngine.DiskState;
import io.sluice.log.Durability;
import io.sluice.log.Isolation;
import io.sluice.log.LogException;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Republisher;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The core from publish to settlement, and over restarts. */
class CoreTest extends CoreFixture {
    private static final QueuePolicy DEAD_LETTERS =
            QueuePolicy.builder().deadLetterExchange("dlx").build();

    @Test
    void publishedIsConfirmedThenDeliveredInOrderAndGoneAfterAckAndRestart() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 100);
        publish(queue, Durability.GROUP, "a", "b", "c").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b", "c"));
        assertThat(sink.got).noneMatch(Got::redelivered);
        settle(() -> sink.got.forEach(g -> consumer.ack(g.id())), consumer);

        restart();
        QueueRef again = open(1, true, QueuePolicy.NONE);
        assertThat(again.stats().ready()).isZero();
        Sink late = new Sink();
        attach(again, late, 100);
        publish(again, Durability.GROUP, "d").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(late.values()).containsExactly("d"));
    }

    @Test
    void whatIsStoredForAQueueWhoseCreationFoundNoSpaceOutlivesACrash() throws Exception {
        engine.refuseNext.set(true);
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        barrierOfShard();
        assertThat(engine.refuseNext).isFalse();
        assertThat(publish(queue, Durability.GROUP, "a").get(5, TimeUnit.SECONDS))
                .isNull();
        crash();
        Sink sink = new Sink();
        attach(open(1, true, QueuePolicy.NONE), sink, 10);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a"));
    }

    @Test
    void aQueueThatIsDeletedBeforeItsCreationWasWrittenStaysDeleted() throws Exception {
        open(1, true, QueuePolicy.NONE);
        engine.refuseNext.set(true);
        open(2, true, QueuePolicy.NONE);
        barrierOfShard();
        core.queues().delete(new QueueId(2)).toCompletableFuture().get(5, TimeUnit.SECONDS);
        crash();
        open(1, true, QueuePolicy.NONE);
        assertThat(core.queues().dropUnopened().toCompletableFuture().get(5, TimeUnit.SECONDS))
                .isZero();
    }

    @Test
    void oneFailingSinkIsToldAndTakesNothingFromOthers() throws Exception {
        QueueRef broken = open(1, true, QueuePolicy.NONE);
        QueueRef sound = open(2, true, QueuePolicy.NONE);
        IllegalStateException failure = new IllegalStateException("cannot encode");
        Sink failing = new Sink() {
            @Override
            public void deliver(DeliveryBatch batch) {
                batch.release();
                throw failure;
            }
        };
        QueueConsumer first = attach(broken, failing, 10);
        Sink other = new Sink();
        attach(sound, other, 10);
        publish(new TargetSet(List.of(broken, sound), List.of()), Durability.GROUP, "a", "b")
                .get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(other.values()).containsExactly("a", "b"));
        await().untilAsserted(() -> assertThat(failing.failures).containsExactly(failure));

        eventLoop.execute(first::cancel);
        Sink next = new Sink();
        attach(broken, next, 10);
        await().untilAsserted(() -> assertThat(next.values()).containsExactly("a", "b"));
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
                    consumer.ack(sink.got.get(1).id());
                    consumer.release(sink.got.get(2).id(), true);
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
        settle(() -> consumer.ack(sink.got.get(0).id()), consumer);

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
    void aReturnedMessageKeepsItsPlaceAndAnotherConsumersLeavingReturnsItsMessages() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        Sink first = new Sink();
        QueueConsumer leaving = attach(queue, first, 2);
        publish(queue, Durability.MEMORY, "a", "b", "c").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(first.values()).containsExactly("a", "b"));
        eventLoop.submit(leaving::cancel).get();
        Sink second = new Sink();
        attach(queue, second, 100);
        await().untilAsserted(() -> assertThat(second.values()).containsExactly("a", "b", "c"));
        assertThat(second.got.stream().map(Got::redelivered)).containsExactly(true, true, false);
    }

    @Test
    void aRejectedMessageIsRepublishedOnceAndSettledOnlyThen() throws Exception {
        QueueRef queue = open(1, true, DEAD_LETTERS);
        List<io.sluice.queue.Republisher.Outcome> settled = new CopyOnWriteArrayList<>();
        List<String> dead = new CopyOnWriteArrayList<>();
        core.queues().republisher((DeadLettersOnly) (spec, source, offset, reason, count, done) -> {
            RecordView view = new RecordView();
            source.record(offset, view);
            dead.add(reason.text() + " " + view.valueSlice().toString(StandardCharsets.UTF_8));
            settled.add(done);
        });
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 10);
        publish(queue, Durability.GROUP, "a").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a"));
        settle(() -> consumer.reject(sink.got.get(0).id()), consumer);
        assertThat(dead).containsExactly("rejected a");
        assertThat(queue.stats().unacked()).isEqualTo(1);
        settled.get(0).settled();
        await().untilAsserted(() -> assertThat(queue.stats().unacked()).isZero());
        assertThat(dead).hasSize(1);
    }

    @Test
    void aMessageOverItsDeliveryLimitDiesAfterARestartToo() throws Exception {
        QueuePolicy policy =
                QueuePolicy.builder().deadLetterExchange("dlx").deliveryLimit(1).build();
        QueueRef queue = open(1, true, policy);
        core.queues().republisher((DeadLettersOnly) (spec, source, offset, reason, count, done) -> {});
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 10);
        publish(queue, Durability.GROUP, "a", "b").get(5, TimeUnit.SECONDS);
        for (int delivery = 0; delivery < 2; delivery++) {
            int at = delivery == 0 ? 0 : 2;
            await().untilAsserted(() -> assertThat(sink.got).hasSize(Math.max(2, at + 1)));
            settle(() -> consumer.release(sink.got.get(at).id(), true), consumer);
        }
        assertThat(sink.values()).containsExactly("a", "b", "a");

        // its copy was never stored, and the routing of this life comes late
        crash();
        QueueRef again = open(1, true, policy);
        Sink late = new Sink();
        attach(again, late, 10);
        await().untilAsserted(() -> assertThat(late.values()).containsExactly("b"));
        List<String> dead = new CopyOnWriteArrayList<>();
        List<io.sluice.queue.Republisher.Outcome> outcomes = new CopyOnWriteArrayList<>();
        core.queues().republisher((DeadLettersOnly) (spec, source, offset, reason, count, done) -> {
            RecordView view = new RecordView();
            source.record(offset, view);
            dead.add(reason.text() + " " + count + " " + view.valueSlice().toString(StandardCharsets.UTF_8));
            outcomes.add(done);
        });
        await().untilAsserted(() -> assertThat(dead).containsExactly("delivery_limit 2 a"));
        assertThat(again.stats().unacked()).isEqualTo(2);
        outcomes.get(0).settled();
        await().untilAsserted(() -> assertThat(again.stats().unacked()).isEqualTo(1));

        crash();
        Sink last = new Sink();
        attach(open(1, true, policy), last, 10);
        await().untilAsserted(() -> assertThat(last.values()).containsExactly("b"));
        assertThat(dead).hasSize(1);
    }

    @Test
    void aColdBacklogKeepsItsOrder() throws Exception {
        engine.cached = false;
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        for (int i = 0; i < 20; i++) {
            publish(queue, Durability.OS, "m" + 2 * i, "m" + (2 * i + 1)).get(5, TimeUnit.SECONDS);
        }
        Sink sink = new Sink();
        attach(queue, sink, 1000);
        await().untilAsserted(() -> assertThat(sink.got).hasSize(40));
        for (int i = 0; i < 40; i++) {
            assertThat(sink.got.get(i).value()).isEqualTo("m" + i);
        }
    }

    @Test
    void nothingIsConfirmedOrDeliveredBeforeTheSync() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        Sink sink = new Sink();
        attach(queue, sink, 10);
        engine.holdSync = true;
        CompletableFuture<LogException> first = publish(queue, Durability.GROUP, "a");
        CompletableFuture<LogException> second = publish(queue, Durability.OS, "b");
        barrierOfShard();
        assertThat(first).isNotDone();
        assertThat(second).isNotDone();
        assertThat(sink.got).isEmpty();
        engine.releaseSync();
        first.get(5, TimeUnit.SECONDS);
        second.get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b"));
    }

    @Test
    void aStopWhileTheDiskIsFullDoesNotRefuseWhatTheLogMayHold() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        engine.holdSync = true;
        CompletableFuture<LogException> waiting = publish(queue, Durability.GROUP, "a");
        barrierOfShard();
        engine.noSpace = true;
        core.close();
        assertThat(waiting.get(5, TimeUnit.SECONDS).reason()).isEqualTo(LogException.Reason.CLOSED);

        engine = engine.afterCrash();
        core = start(CoreSettings.DEFAULT);
        Sink sink = new Sink();
        attach(open(1, true, QueuePolicy.NONE), sink, 10);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a"));
    }

    @Test
    void aPurgeTakesWhatWasPublishedBeforeItAndNothingLater() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        QueueRef other = open(2, true, QueuePolicy.NONE);
        engine.holdSync = true;
        publish(queue, Durability.GROUP, "a");
        barrierOfShard();
        // while the disk syncs one pass, all of these gather in the next
        publish(queue, Durability.MEMORY, "b");
        publish(queue, Durability.OS, "c");
        CompletableFuture<Long> purged = queue.purge(CALLER).toCompletableFuture();
        publish(queue, Durability.MEMORY, "d");
        TargetSet both = new TargetSet(List.of(queue, other), List.of());
        CompletableFuture<LogException> last = publish(both, Durability.OS, "e");
        barrierOfShard();
        engine.releaseSync();
        assertThat(purged.get(5, TimeUnit.SECONDS)).isEqualTo(3);
        assertThat(last.get(5, TimeUnit.SECONDS)).isNull();

        Sink sink = new Sink();
        attach(queue, sink, 10);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("d", "e"));
        assertThat(other.stats().ready()).isEqualTo(1);
    }

    @Test
    void aProducedBatchWaitsForItsOwnSyncAlsoWhenTheJournalOvertakesIt() throws Exception {
        StreamId id = new StreamId(new UUID(1, 3));
        engine.createStream(id, "s", 1, StreamConfig.DEFAULT);
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 10);
        publish(queue, Durability.GROUP, "a").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.got).hasSize(1));

        engine.holdSync = true;
        CompletableFuture<LogException> first = publish(queue, Durability.GROUP, "b");
        barrierOfShard();
        CompletableFuture<LogException> produced = produce(new PartitionId(id, 0), Durability.GROUP, "p");
        CompletableFuture<Void> applied = eventLoop
                .submit(() -> {
                    consumer.ack(sink.got.get(0).id());
                    return consumer.barrier().toCompletableFuture();
                })
                .get();
        barrierOfShard();
        engine.releaseOne();
        first.get(5, TimeUnit.SECONDS);
        assertThat(produced).isNotDone();
        await().untilAsserted(() -> {
            engine.releaseOne();
            assertThat(produced).isCompletedWithValue(null);
        });
        applied.get(5, TimeUnit.SECONDS);

        engine.holdSync = false;
        assertThat(publish(queue, Durability.GROUP, "c").get(5, TimeUnit.SECONDS))
                .isNull();
    }

    @Test
    void aDrainFindsWhatWasPublishedBeforeAndThenTakesTheCreditBack() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        Sink sink = new Sink();
        List<String> log = new CopyOnWriteArrayList<>();
        publish(queue, Durability.GROUP, "a");
        QueueConsumer consumer = attach(queue, sink, 5);
        eventLoop.submit(() -> consumer.drain(() -> log.add("drained after " + sink.values())));
        await().untilAsserted(() -> assertThat(log).containsExactly("drained after [a]"));
        publish(queue, Durability.GROUP, "b").get(5, TimeUnit.SECONDS);
        barrierOfShard();
        assertThat(sink.values()).containsExactly("a");
        assertThat(queue.stats().ready()).isEqualTo(1);
    }

    @Test
    void aFullDiskRefusesPublishesWhileAcksGoOn() throws Exception {
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 10);
        publish(queue, Durability.GROUP, "a").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.got).hasSize(1));
        engine.disk(DiskState.FULL);
        LogException refused = publish(queue, Durability.GROUP, "b").get(5, TimeUnit.SECONDS);
        assertThat(refused.reason()).isEqualTo(LogException.Reason.DISK_FULL);
        settle(() -> consumer.ack(sink.got.get(0).id()), consumer);
        assertThat(queue.stats()).matches(s -> s.ready() == 0 && s.unacked() == 0);
        engine.disk(DiskState.OK);
        assertThat(publish(queue, Durability.GROUP, "c").get(5, TimeUnit.SECONDS))
                .isNull();
    }

    @Test
    void aStreamGetsItsCopyWithoutTheRoutingHeader() throws Exception {
        StreamId id = new StreamId(new UUID(1, 2));
        engine.createStream(id, "s", 1, StreamConfig.DEFAULT);
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

    @Test
    void settledHomeRecordsAreDeletedAndTheCheckpointCutsTheJournal() throws Exception {
        core.close();
        core = start(new CoreSettings(100, 1 << 20, 1 << 20, 4096, 10_000, 0));
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        attach(queue, new Sink(), Integer.MAX_VALUE, true);
        byte[] big = new byte[1000];
        String text = new String(big, StandardCharsets.US_ASCII);
        AtomicInteger round = new AtomicInteger();
        await().atMost(10, TimeUnit.SECONDS).untilAsserted(() -> {
            for (int i = 0; i < 300; i++) {
                publish(queue, Durability.OS, text, text, text, text, text).get(5, TimeUnit.SECONDS);
            }
            round.incrementAndGet();
            long start = 0;
            for (int i = 0; i < 8; i++) {
                start += engine.partition(new PartitionId(Core.HOME, i)).logStartOffset();
            }
            assertThat(start).isGreaterThan(1000);
            assertThat(engine.partition(new PartitionId(Core.STATE, 0)).logStartOffset())
                    .isPositive();
        });
        int journal;
        try (var ignored = new Released(engine.partition(new PartitionId(Core.STATE, 0)))) {
            journal = ignored.bytes;
        }
        assertThat(journal).isLessThan(200_000);
        crash();
        assertThat(open(1, true, QueuePolicy.NONE).stats().ready()).isZero();
    }

    @Test
    void anOverfullInboxRefusesAndTellsWhenItIsReadyAgain() throws Exception {
        core.close();
        core = start(new CoreSettings(4, 1 << 20, 1 << 20, 4096, 1 << 20, 0));
        QueueRef queue = open(1, true, QueuePolicy.NONE);
        CompletableFuture<Void> gate = new CompletableFuture<>();
        core.shard().execute(gate::join);
        List<CompletableFuture<LogException>> taken = new ArrayList<>();
        boolean refused = false;
        for (int i = 0; i < 20 && !refused; i++) {
            CompletableFuture<LogException> done = new CompletableFuture<>();
            PublishBatch batch = batch(new TargetSet(List.of(queue), List.of()), Durability.OS, done, "m" + i);
            refused = !core.shard().submit(batch);
            if (refused) {
                batch.releaseBuffer();
            } else {
                taken.add(done);
            }
        }
        assertThat(refused).isTrue();
        assertThat(core.shard().isCongested()).isTrue();
        CompletableFuture<Void> ready = new CompletableFuture<>();
        core.shard().onReady(eventLoop, () -> ready.complete(null));
        gate.complete(null);
        ready.get(5, TimeUnit.SECONDS);
        for (CompletableFuture<LogException> done : taken) {
            assertThat(done.get(5, TimeUnit.SECONDS)).isNull();
        }
        assertThat(queue.stats().ready()).isEqualTo(taken.size());
    }

    @Test
    void transientMessagesBeyondTheirMemoryGoToDisk() throws Exception {
        core.close();
        core = start(new CoreSettings(100, 1 << 20, 100, 4096, 1 << 20, 0));
        QueueRef queue = open(1, false, QueuePolicy.NONE);
        for (int i = 0; i < 50; i++) {
            publish(queue, Durability.MEMORY, "message " + i).get(5, TimeUnit.SECONDS);
        }
        long onDisk = 0;
        for (int i = 0; i < 8; i++) {
            onDisk += engine.partition(new PartitionId(Core.HOME, i)).logEndOffset();
        }
        assertThat(onDisk).isBetween(30L, 49L);
        Sink sink = new Sink();
        attach(queue, sink, 1000);
        await().untilAsserted(() -> assertThat(sink.got).hasSize(50));
        for (int i = 0; i < 50; i++) {
            assertThat(sink.got.get(i).value()).isEqualTo("message " + i);
        }
    }

    private record Released(int bytes) implements AutoCloseable {
        Released(io.sluice.log.LogPartition partition) {
            this(partition
                    .read(partition.logStartOffset(), 1 << 30, Isolation.LOG_END)
                    .sizeInBytes());
        }

        @Override
        public void close() {}
    }

    /** For queues without delayed messages. */
    private interface DeadLettersOnly extends Republisher {
        @Override
        default void due(QueueSpec queue, BatchView source, long offset, Outcome outcome) {
            throw new AssertionError("nothing is delayed here");
        }
    }
}
