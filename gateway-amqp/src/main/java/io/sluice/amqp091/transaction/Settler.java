package io.sluice.amqp091.transaction;

import io.sluice.queue.Settlement;
import io.sluice.shard.Transaction;

/** Where deliveries came from and are settled. Confined to the loop. */
public interface Settler {
    void settle(long deliveryId, Settlement how);

    /** Settles with a transaction. */
    void settle(Transaction transaction, long deliveryId, Settlement how);

    /** A transaction that has settled a delivery is in force. */
    void settledByTransaction();

    /** How long a delivery may stay unsettled, ms, 0 = for ever. */
    long timeoutMillis();
}
