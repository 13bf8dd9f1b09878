package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.sluice.log.Durability;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.RetryBackoff;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Messages that wait before they are delivered again. {@code CoreSimTest} mixes them with everything else. */
class RetryTest extends CoreFixture {
    private static final QueuePolicy SLOW = QueuePolicy.builder()
            .retry(new RetryBackoff(60_000, 600_000, RetryBackoff.LINEAR, 0))
            .build();

    @Test
    void aFailedMessageWaitsAndThenComesBeforeLaterOnes() throws Exception {
        QueueRef queue = open(
                1,
                true,
                QueuePolicy.builder().retry(new RetryBackoff(200, 200, 1, 0)).build());
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 2);
        publish(queue, Durability.GROUP, "a", "b", "c", "d").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b"));
        long failedAt = System.currentTimeMillis();
        settle(
                () -> {
                    consumer.release(sink.got.get(1).id(), true);
                    consumer.release(sink.got.get(0).id(), true);
                },
                consumer);
        assertThat(queue.currentStats().toCompletableFuture().get(5, TimeUnit.SECONDS))
                .satisfies(stats -> assertThat(stats.ready()).isEqualTo(2))
                .satisfies(stats -> assertThat(stats.unacked()).isEqualTo(2));
        await().until(() -> queue.stats().ready() == 4);
        assertThat(System.currentTimeMillis() - failedAt).isGreaterThanOrEqualTo(200);
        settle(() -> consumer.credit(4), consumer);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b", "a", "b", "c", "d"));
        assertThat(sink.got.get(2).count()).isOne();
        assertThat(sink.got.get(2).redelivered()).isTrue();
    }

    @Test
    void whatWaitsGoesOnWaitingAfterACrashAndARestartAndAPurgeTakesIt() throws Exception {
        QueueRef queue = open(1, true, SLOW);
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 2);
        publish(queue, Durability.GROUP, "a", "b", "c").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b"));
        long soon = System.currentTimeMillis() + 2_000;
        settle(
                () -> {
                    consumer.release(sink.got.get(0).id(), true);
                    consumer.releaseUntil(sink.got.get(1).id(), false, soon);
                },
                consumer);
        crash();
        restart();
        QueueRef again = open(1, true, SLOW);
        Sink late = new Sink();
        attach(again, late, 10);
        await().untilAsserted(() -> assertThat(late.values()).containsExactly("c"));
        assertThat(again.stats().unacked()).isEqualTo(3);
        await().untilAsserted(() -> assertThat(late.values()).containsExactly("c", "b"));
        assertThat(System.currentTimeMillis()).isGreaterThanOrEqualTo(soon);
        assertThat(late.got.get(1).count()).isZero();
        assertThat(again.purge(CALLER).toCompletableFuture().get(5, TimeUnit.SECONDS))
                .isOne();
        assertThat(again.stats().unacked()).isEqualTo(2);
    }

    @Test
    void aConsumerThatLeavesDoesNotDelayWhatItHeld() throws Exception {
        QueueRef queue = open(1, true, SLOW);
        Sink sink = new Sink();
        QueueConsumer consumer = attach(queue, sink, 2);
        publish(queue, Durability.GROUP, "a").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a"));
        eventLoop.submit(consumer::cancel).get();
        Sink next = new Sink();
        attach(queue, next, 2);
        await().untilAsserted(() -> assertThat(next.values()).containsExactly("a"));
    }
}
