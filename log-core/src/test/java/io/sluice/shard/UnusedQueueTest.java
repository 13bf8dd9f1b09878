package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.access.Principal;
import io.sluice.io.Clock;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Queues that expire, on a shard that turns when the test says so. */
class UnusedQueueTest {
    private static final QueueSpec SPEC = new QueueSpec(
            new QueueId(1), "/", "q1", true, QueuePolicy.builder().expires(1000).build(), Principal.BROKER);

    private long millis = 1_700_000_000_000L;
    private final Clock clock = new Clock() {
        @Override
        public long epochMillis() {
            return millis;
        }

        @Override
        public long nanoTime() {
            return millis * 1_000_000;
        }
    };
    private final MemoryEngine engine = new MemoryEngine();
    private final List<QueueSpec> expired = new ArrayList<>();
    private Core core = start();

    @AfterEach
    void close() {
        core.close();
    }

    @Test
    void timeBeforeItWasOpenedDoesNotCount() {
        turn();
        millis += 900;
        open();
        millis += 999;
        turn();
        assertThat(expired).isEmpty();
        millis += 1;
        turn();
        assertThat(expired).containsExactly(SPEC);
    }

    @Test
    void timeBeforeItWasUsedDoesNotCount() {
        QueueRef queue = open();
        millis += 900;
        queue.touch();
        turn();
        millis += 999;
        turn();
        assertThat(expired).isEmpty();
        millis += 1;
        turn();
        assertThat(expired).containsExactly(SPEC);
    }

    @Test
    void anEmptyQueueThatNobodyUsesAfterARestartExpires() {
        open();
        core.close();
        core = start();
        open();
        millis += 1000;
        turn();
        assertThat(expired).containsExactly(SPEC);
    }

    private Core start() {
        Core started = Core.start(engine, clock, CoreSettings.DEFAULT, () -> {});
        started.queues().onExpired(expired::add);
        return started;
    }

    private QueueRef open() {
        CompletableFuture<QueueRef> opened = core.queues().open(SPEC).toCompletableFuture();
        while (!opened.isDone()) {
            // the engine syncs on a thread of its own
            core.step();
            Thread.onSpinWait();
        }
        return opened.join();
    }

    private void turn() {
        for (int i = 0; i < 5; i++) {
            core.step();
        }
    }
}
