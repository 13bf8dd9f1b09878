package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.queue.Overflow;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.Settlement;
import io.sluice.queue.TargetSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Transactions from commit to their effects, and over a crash. {@code CoreSimTest} mixes them with everything else. */
class TransactionTest extends CoreFixture {
    private QueueRef in;
    private QueueRef out;
    private final Sink sink = new Sink();
    private QueueConsumer consumer;

    @BeforeEach
    void deliver() throws Exception {
        in = open(1, true, QueuePolicy.NONE);
        out = open(2, true, QueuePolicy.NONE);
        consumer = attach(in, sink, 10);
        publish(in, Durability.GROUP, "a", "b", "c", "d").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b", "c", "d"));
    }

    private LogException commit(TargetSet targets, List<String> values, Settlement... settlements) throws Exception {
        CompletableFuture<LogException> done = new CompletableFuture<>();
        Transaction transaction =
                new Transaction(batch(targets, Durability.MEMORY, done, values.toArray(String[]::new)));
        for (int i = 0; i < settlements.length; i++) {
            transaction.settle(consumer, sink.got.get(i).id(), settlements[i]);
        }
        assertThat(transaction.settlements()).isEqualTo(settlements.length);
        core.shard().commit(transaction);
        return done.get(5, TimeUnit.SECONDS);
    }

    private void assertHolds(QueueRef queue, String... expected) throws Exception {
        Sink all = new Sink();
        attach(queue, all, 100);
        await().untilAsserted(() -> assertThat(
                        all.got.stream().map(g -> g.value() + "/" + g.count()).toList())
                .containsExactly(expected));
    }

    private TargetSet to(QueueRef... queues) {
        return new TargetSet(List.of(queues), List.of());
    }

    @Test
    void publishesAndSettlementsAreInForceTogetherAndOutliveACrash() throws Exception {
        QueueRef dropping = open(3, true, QueuePolicy.NONE);
        assertThat(commit(
                        to(out, dropping),
                        List.of("x", "y"),
                        Settlement.ACKED,
                        Settlement.FAILED,
                        Settlement.REJECTED,
                        Settlement.RELEASED))
                .isNull();
        // the two that came back are with the consumer again
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b", "c", "d", "b", "d"));
        crash();
        assertHolds(open(1, true, QueuePolicy.NONE), "b/1", "d/0");
    }

    @Test
    void aSettlementOfWhatIsGoneIsPassedOverAndOneMadeTwiceCountsOnce() throws Exception {
        settle(() -> consumer.ack(sink.got.get(0).id()), consumer);
        CompletableFuture<LogException> done = new CompletableFuture<>();
        Transaction transaction = new Transaction(batch(to(out), Durability.GROUP, done, "x"));
        transaction.settle(consumer, sink.got.get(0).id(), Settlement.FAILED);
        transaction.settle(consumer, sink.got.get(1).id(), Settlement.ACKED);
        transaction.settle(consumer, sink.got.get(1).id(), Settlement.FAILED);
        core.shard().commit(transaction);
        assertThat(done.get(5, TimeUnit.SECONDS)).isNull();
        eventLoop.submit(consumer::cancel).get();
        barrierOfShard();
        assertHolds(in, "c/0", "d/0");
        assertHolds(out, "x/0");
    }

    @Test
    void aFullQueueRefusesItAllAndDeliveriesStayWithTheirConsumer() throws Exception {
        QueueRef full = open(
                3,
                true,
                QueuePolicy.builder()
                        .maxLength(1)
                        .overflow(Overflow.REJECT_PUBLISH)
                        .build());
        assertThat(commit(to(out, full), List.of("fits", "both"), Settlement.ACKED))
                .isNull();
        LogException refused = commit(to(out, full), List.of("x"), Settlement.REJECTED, Settlement.ACKED);
        assertThat(refused.reason()).isEqualTo(Reason.QUEUE_FULL);
        assertHolds(out, "fits/0", "both/0");
        settle(() -> consumer.ack(sink.got.get(1).id()), consumer);
        eventLoop.submit(consumer::cancel).get();
        barrierOfShard();
        assertHolds(in, "c/0", "d/0");
    }

    @Test
    void rejectedInATransactionMeansDeadAlsoWhenTheBrokerDiesBeforeTheCopyIsStored() throws Exception {
        QueuePolicy mortal = QueuePolicy.builder().deadLetterExchange("dlx").build();
        QueueRef queue = open(3, true, mortal);
        consumer = attach(queue, sink, 10);
        sink.got.clear();
        publish(queue, Durability.GROUP, "e", "f").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.got).hasSize(2));
        // nobody routes dead letters: they stay on their way
        assertThat(commit(to(), List.of(), Settlement.REJECTED)).isNull();
        crash();
        QueueRef again = open(3, true, mortal);
        assertHolds(again, "f/0");
        assertThat(again.stats().unacked()).isEqualTo(2);
        // and a checkpoint keeps that
        restart();
        assertHolds(open(3, true, mortal), "f/0");
    }

    @Test
    void consumersOfAnotherShardAreRefused() {
        Transaction transaction = new Transaction(batch(to(out), Durability.GROUP, new CompletableFuture<>()));
        assertThatThrownBy(() -> transaction.settle(null, 1, Settlement.ACKED))
                .isInstanceOf(IllegalArgumentException.class);
        transaction.publishes().releaseBuffer();
    }
}
