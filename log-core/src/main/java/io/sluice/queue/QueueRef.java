package io.sluice.queue;

import io.sluice.access.Caller;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * A queue, from any thread: every call becomes a message to the shard that owns it. Stages complete on the shard thread.
 */
public interface QueueRef {
    QueueId id();

    /** What it is; its policy is the one of this moment. */
    QueueSpec spec();

    /** False once deleted. Any thread. */
    boolean isOpen();

    /** Counters without asking the shard. */
    QueueStats stats();

    /**
     * How long a publisher is asked to wait before it sends more, ms, 0 = not at all: the consumers take messages nearly as fast as
     * they come, and have fallen behind. Any thread.
     */
    int publishPauseMillis();

    /**
     * Counters that know of everything this thread handed over before: publishes, settlements, consumers that came and left.
     */
    CompletionStage<QueueStats> currentStats();

    /**
     * Attaches a consumer. Deliveries flow as soon as it has credit.
     *
     * @return the attachment, usable at once; fails later through {@link DeliverySink#closed} if the queue is gone
     */
    QueueConsumer attach(Caller caller, ConsumerSpec spec, DeliverySink sink);

    /**
     * Shows what waits in the queue without taking it.
     *
     * @param selector which messages; null = all
     * @param credit messages to show at first; {@link QueueBrowser#credit} grants more
     * @param sink gets them with ids that count from 1; there is nothing to settle
     * @param ended runs on the sink's executor behind the last message; {@link DeliverySink#closed} instead if the queue is gone, is one
     *     of delayed messages, or cannot be read
     */
    QueueBrowser browse(
            Caller caller, @Nullable MessageSelector selector, int credit, DeliverySink sink, Runnable ended);

    /** Somebody declared the queue again: the time after which it goes unused begins anew. */
    void touch();

    /** Removes all ready messages; in-flight ones stay. Completes with the number removed. */
    CompletionStage<Long> purge(Caller caller);

    /**
     * How a consumer attaches.
     *
     * @param tag readable name for log lines
     * @param autoSettle messages count as settled when they are handed to the sink (no-ack, QoS 0)
     * @param exclusive refuse other consumers
     * @param priority consumers of higher priority get messages first, as long as they have credit
     * @param initialCredit messages that may be in flight before the first settlement; {@link Integer#MAX_VALUE} = unlimited
     * @param pull takes single messages (AMQP basic.get) before any consumer, beside exclusive and single active ones, and does
     *     not count as a consumer
     * @param selector what it wants of the queue, null = everything. A queue takes 63 selectors that differ at a time, and passes over at
     *     most 16,384 messages that nobody can take; those behind wait then
     * @param lockMillis how long it may keep a delivery: one that is not settled, or renewed, until then has failed and comes back; 0 =
     *     any time
     */
    record ConsumerSpec(
            String tag,
            boolean autoSettle,
            boolean exclusive,
            int priority,
            int initialCredit,
            boolean pull,
            @Nullable MessageSelector selector,
            long lockMillis) {
        public ConsumerSpec {
            if (lockMillis < 0) {
                throw new IllegalArgumentException("lock of " + lockMillis + " ms");
            }
        }

        /** A consumer of everything, without locks. */
        public ConsumerSpec(
                String tag, boolean autoSettle, boolean exclusive, int priority, int initialCredit, boolean pull) {
            this(tag, autoSettle, exclusive, priority, initialCredit, pull, null, 0);
        }

        /** A consumer that does not pull. */
        public ConsumerSpec(String tag, boolean autoSettle, boolean exclusive, int priority, int initialCredit) {
            this(tag, autoSettle, exclusive, priority, initialCredit, false);
        }

        /** The same with a selector. */
        public ConsumerSpec selecting(@Nullable MessageSelector wanted) {
            return new ConsumerSpec(tag, autoSettle, exclusive, priority, initialCredit, pull, wanted, lockMillis);
        }

        /** The same with locks. */
        public ConsumerSpec locking(long millis) {
            return new ConsumerSpec(tag, autoSettle, exclusive, priority, initialCredit, pull, selector, millis);
        }

        /** One that pulls. */
        public static ConsumerSpec pulling(String tag, boolean autoSettle) {
            return new ConsumerSpec(tag, autoSettle, false, 0, 0, true);
        }

        /** A consumer of priority 0. */
        public ConsumerSpec(String tag, boolean autoSettle, boolean exclusive, int initialCredit) {
            this(tag, autoSettle, exclusive, 0, initialCredit);
        }
    }
}
