package io.sluice.queue;

import io.sluice.access.Caller;
import java.util.concurrent.CompletionStage;

/**
 * A queue, from any thread: every call becomes a message to the shard that owns it. Stages complete on the shard thread.
 */
public interface QueueRef {
    QueueId id();

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
     */
    record ConsumerSpec(
            String tag, boolean autoSettle, boolean exclusive, int priority, int initialCredit, boolean pull) {
        /** A consumer that does not pull. */
        public ConsumerSpec(String tag, boolean autoSettle, boolean exclusive, int priority, int initialCredit) {
            this(tag, autoSettle, exclusive, priority, initialCredit, false);
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
