package io.sluice.queue;

import java.util.concurrent.Executor;

/** Where a shard pushes deliveries; implemented by gateways. */
public interface DeliverySink {
    /** The connection's event loop: the two methods below run on it; all sinks of one loop get one task per shard pass. */
    Executor executor();

    /** Takes over one reference of {@code batch}, also if it throws; encode and flush once. */
    void deliver(DeliveryBatch batch);

    /**
     * {@link #deliver} threw, so nobody knows what of the batch has left: the sink must end its connection and cancel the
     * consumer, which brings what is unsettled back to the queue. Other consumers go on.
     */
    void failed(RuntimeException cause);

    /** The consumer has this delivery no more: its lock has ended. Settling it is refused. */
    default void lockEnded(long deliveryId) {}

    /** The queue was deleted or refused the consumer; no delivery follows. */
    void closed(String reason);
}
