package io.sluice.kafka.produce;

import io.netty.util.concurrent.ScheduledFuture;
import io.sluice.kafka.connection.Request;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the time that producers give their requests ({@code timeout.ms} of Produce). One timer per connection, set for the
 * oldest request that was unanswered when the timer last ran: at a steady rate it runs once per timeout, whatever the rate.
 * Confined to the loop.
 */
final class ProduceTimeouts {
    private final Request connection;
    private final ArrayDeque<PendingProduce> pending = new ArrayDeque<>();
    private @Nullable ScheduledFuture<?> timer;
    private long due;

    ProduceTimeouts(Request connection) {
        this.connection = connection;
        connection.state().onClose(this::close);
    }

    /** Waits at most {@code timeoutMillis} ms for {@code produce}. */
    void add(PendingProduce produce, int timeoutMillis) {
        while (!pending.isEmpty() && pending.peek().isDone()) {
            pending.poll();
        }
        long deadline = now() + TimeUnit.MILLISECONDS.toNanos(Math.max(0, timeoutMillis));
        produce.deadline(deadline);
        pending.add(produce);
        if (timer == null || deadline - due < 0) {
            schedule(deadline);
        }
    }

    private void schedule(long deadline) {
        if (timer != null) {
            timer.cancel(false);
        }
        due = deadline;
        timer = connection.loop().schedule(this::expire, Math.max(0, deadline - now()), TimeUnit.NANOSECONDS);
    }

    private void expire() {
        timer = null;
        long now = now();
        long first = Long.MAX_VALUE;
        for (PendingProduce produce : pending) {
            if (!produce.isDone()) {
                if (produce.deadline() - now <= 0) {
                    produce.expire();
                } else {
                    first = Math.min(first, produce.deadline());
                }
            }
        }
        pending.removeIf(PendingProduce::isDone);
        if (first != Long.MAX_VALUE) {
            schedule(first);
        }
    }

    private long now() {
        return connection.loop().ticker().nanoTime();
    }

    private void close() {
        if (timer != null) {
            timer.cancel(false);
        }
        pending.clear();
    }
}
