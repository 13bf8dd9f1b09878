package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.sluice.engine.LogEngine.DiskState;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueStats;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a barrier promises: what was settled before it is in the journal, or it says that it is not. */
class BarrierTest extends CoreFixture {
    private QueueRef queue;
    private final Sink sink = new Sink();
    private QueueConsumer consumer;

    @BeforeEach
    void deliver() throws Exception {
        queue = open(1, true, QueuePolicy.NONE);
        consumer = attach(queue, sink, 2);
        publish(queue, Durability.GROUP, "a", "b", "c").get(5, TimeUnit.SECONDS);
        await().untilAsserted(() -> assertThat(sink.values()).containsExactly("a", "b"));
    }

    private CompletableFuture<Void> ackAll() throws Exception {
        return eventLoop
                .submit(() -> {
                    sink.got.forEach(got -> consumer.ack(got.id()));
                    return consumer.barrier().toCompletableFuture();
                })
                .get();
    }

    private static Reason failure(CompletionStage<?> stage) throws InterruptedException, TimeoutException {
        try {
            stage.toCompletableFuture().get(5, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            return ((LogException) e.getCause()).reason();
        }
        throw new AssertionError("no failure");
    }

    @Test
    void whatItPromisedIsThereAfterACrash() throws Exception {
        ackAll().get(5, TimeUnit.SECONDS);
        crash();
        Sink left = new Sink();
        attach(open(1, true, QueuePolicy.NONE), left, 10);
        await().untilAsserted(() -> assertThat(left.values()).containsExactly("c"));
    }

    @Test
    void itFailsOnceASyncHasFailed() throws Exception {
        engine.fenced = true;
        assertThat(failure(ackAll())).isEqualTo(Reason.FENCED);
        // and so it does later on, with nothing to be journaled
        assertThat(failure(consumer.barrier())).isEqualTo(Reason.FENCED);
        crash();
        Sink again = new Sink();
        attach(open(1, true, QueuePolicy.NONE), again, 10);
        await().untilAsserted(() -> assertThat(again.values()).containsExactly("a", "b", "c"));
    }

    @Test
    void aPurgeThatIsNotJournaledFails() throws Exception {
        engine.fenced = true;
        assertThat(failure(queue.purge(CALLER))).isEqualTo(Reason.FENCED);
    }

    @Test
    void itWaitsForDiskSpace() throws Exception {
        engine.refuseNext.set(true);
        CompletableFuture<Void> acked = ackAll();
        // the append that found no space was the journal's; the next turn tries again
        barrierOfShard();
        acked.get(5, TimeUnit.SECONDS);
        crash();
        Sink left = new Sink();
        attach(open(1, true, QueuePolicy.NONE), left, 10);
        await().untilAsserted(() -> assertThat(left.values()).containsExactly("c"));
    }

    @Test
    void oneThatWaitsForDiskSpaceAtAStopFails() throws Exception {
        engine.disk(DiskState.FULL);
        engine.noSpace = true;
        engine.refuseAll = true;
        CompletableFuture<Void> acked = ackAll();
        barrierOfShard();
        assertThat(acked).isNotDone();
        core.close();
        assertThat(failure(acked)).isEqualTo(Reason.CLOSED);
    }

    @Test
    void afterTheEndItFailsAtOnce() throws Exception {
        core.close();
        assertThat(failure(consumer.barrier())).isEqualTo(Reason.CLOSED);
        assertThat(queue.currentStats().toCompletableFuture().get(5, TimeUnit.SECONDS))
                .extracting(QueueStats::ready)
                .isEqualTo(1L);
        assertThat(failure(queue.purge(CALLER))).isEqualTo(Reason.CLOSED);
    }
}
