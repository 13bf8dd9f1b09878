package io.sluice.shard;

import io.sluice.queue.QueueConsumer;
import io.sluice.queue.Settlement;
import java.util.Arrays;

/**
 * Publishes and settlements over any queues and streams of this node that take effect together or not at all, also over a crash:
 * they are one pass of the log. Nothing of it is in force, or known to the broker, before {@link ShardProxy#commit}; to roll back
 * is to forget the object and to release the buffer of its batch.
 *
 * <p>All that is to outlive a restart is stored at durability {@code group}, whatever the messages asked for. What nothing can make
 * atomic: messages kept in memory are gone after a restart, as without a transaction, and so are the settlements of such messages; a
 * stream whose own durability is below {@code group} follows its own rule.
 *
 * <p>Owned by the connection's loop until the commit, then by the shard until the completion of the batch runs.
 */
public final class Transaction {
    private static final Settlement[] SETTLEMENTS = Settlement.values();

    private final PublishBatch publishes;
    private ConsumerHandle[] consumers = new ConsumerHandle[4];
    private long[] ids = new long[4];
    private byte[] kinds = new byte[4];
    private int count;

    /** Begins with the messages in {@code publishes}, to which more may be added; its completion tells of the whole. */
    public Transaction(PublishBatch publishes) {
        this.publishes = publishes;
    }

    public PublishBatch publishes() {
        return publishes;
    }

    /** Settlements so far. */
    public int settlements() {
        return count;
    }

    /**
     * Settles a delivery with the transaction. One that is no longer with the consumer when the transaction is committed is passed
     * over, as without a transaction.
     */
    public void settle(QueueConsumer consumer, long deliveryId, Settlement how) {
        if (!(consumer instanceof ConsumerHandle handle)) {
            throw new IllegalArgumentException("not a consumer of this shard: " + consumer);
        }
        if (count == ids.length) {
            int capacity = count * 2;
            consumers = Arrays.copyOf(consumers, capacity);
            ids = Arrays.copyOf(ids, capacity);
            kinds = Arrays.copyOf(kinds, capacity);
        }
        consumers[count] = handle;
        ids[count] = deliveryId;
        kinds[count++] = (byte) how.ordinal();
    }

    ConsumerHandle consumer(int i) {
        return consumers[i];
    }

    long deliveryId(int i) {
        return ids[i];
    }

    Settlement settlement(int i) {
        return SETTLEMENTS[kinds[i]];
    }
}
