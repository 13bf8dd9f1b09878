package io.sluice.kafka.connection;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Budget of bytes held for requests that are still arriving, over all connections of the door. A connection that gets none
 * is not read until others have handed theirs on. One at a time may exceed the budget, so that requests which all lack their
 * last bytes do not wait for each other; it is bounded by the size of a request. Thread-safe.
 */
final class RequestMemory {
    private static final Logger LOG = LoggerFactory.getLogger(RequestMemory.class);

    private final long limit;
    private final AtomicLong held = new AtomicLong();
    private final AtomicReference<@Nullable Object> exceeding = new AtomicReference<>();
    private final ConcurrentLinkedQueue<Waiter> waiters = new ConcurrentLinkedQueue<>();

    private record Waiter(Executor executor, Runnable retry) {}

    /**
     * Makes an empty budget.
     *
     * @param limit bytes
     */
    RequestMemory(long limit) {
        this.limit = limit;
    }

    /** Takes {@code bytes} for {@code owner} if they fit, or if nobody else exceeds the budget. */
    boolean take(Object owner, int bytes) {
        while (true) {
            long present = held.get();
            if (present + bytes > limit && exceeding.get() != owner && !exceeding.compareAndSet(null, owner)) {
                return false;
            }
            if (held.compareAndSet(present, present + bytes)) {
                return true;
            }
        }
    }

    /** Gives back all that {@code owner} took, and lets those who wait try again. */
    void give(Object owner, int bytes) {
        held.addAndGet(-bytes);
        exceeding.compareAndSet(owner, null);
        wake();
    }

    /** Runs {@code retry} once on {@code executor} when something was given back. */
    void await(Executor executor, Runnable retry) {
        waiters.add(new Waiter(executor, retry));
        if (exceeding.get() == null) {
            // given back before the waiter was seen
            wake();
        }
    }

    private void wake() {
        Waiter waiter;
        while ((waiter = waiters.poll()) != null) {
            try {
                waiter.executor().execute(waiter.retry());
            } catch (RejectedExecutionException e) {
                LOG.debug("a connection went while it waited for memory", e);
            }
        }
    }
}
