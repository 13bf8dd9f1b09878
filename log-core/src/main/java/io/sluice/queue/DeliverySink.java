package io.sluice.queue;

import java.util.concurrent.Executor;

/** Where a shard pushes deliveries; implemented by gateways. */
public interface DeliverySink {
    /** The connection's event loop: the two methods below run on it; all sinks of one loop get one task per shard pass. */
    Executor executor();

    /** Takes over one reference of {@code batch}; encode and flush once. */
    void deliver(DeliveryBatch batch);

    /** The queue was deleted or refused the consumer; no delivery follows. */
    void closed(String reason);
}
