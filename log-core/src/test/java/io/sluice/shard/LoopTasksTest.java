package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class LoopTasksTest {
    private final LoopTasks tasks = new LoopTasks();

    /** A dead letter's confirm may meet the end of the shard, which then runs it on the spot. */
    @Test
    void aTaskThatPostsIsPostedOnce() {
        AtomicInteger runs = new AtomicInteger();
        Executor atOnce = Runnable::run;
        Executor other = Runnable::run;
        tasks.of(atOnce).then(() -> {
            runs.incrementAndGet();
            tasks.post();
        });
        tasks.of(other).then(runs::incrementAndGet);
        tasks.post();
        assertThat(runs).hasValue(2);
    }
}
