package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.log.Durability;
import io.sluice.log.LogPartition;
import io.sluice.queue.DeathReason;
import io.sluice.queue.DeliveryEffects;
import io.sluice.queue.Reference;
import io.sluice.queue.index.QueueIndex;
import io.sluice.queue.state.QueueDelta;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The settlements of a transaction between its commit and the end of its pass: set aside in their queues, so that nobody gets them
 * meanwhile, with the journal records that make them durable in the same pass. Shard thread.
 */
final class StagedTransaction {
    private final Transaction transaction;
    /** Per settlement, the queue that has set it aside; null if it was no longer with its consumer. */
    private final @Nullable DeliveryQueue[] queues;

    private final Map<DeliveryQueue, Journaled> journal = new LinkedHashMap<>();

    /** Takes down what a settlement will do. */
    private static final class Journaled implements DeliveryEffects {
        private final QueueDelta delta = new QueueDelta();
        private boolean changed;

        @Override
        public void deliver(int consumer, long deliveryId, long position, long state, boolean settled) {
            throw new IllegalStateException("a settlement delivers nothing");
        }

        @Override
        public void settled(long position) {
            if (isOnDisk(position)) {
                delta.settled(position);
            }
        }

        @Override
        public void failed(long position, int deliveryCount) {
            if (isOnDisk(position)) {
                delta.failed(position, deliveryCount);
            }
        }

        @Override
        public void postponed(long position, long due) {
            throw new IllegalStateException("how long a message waits is known at the commit");
        }

        @Override
        public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {
            if (reason == DeathReason.REJECTED && isOnDisk(position)) {
                delta.rejected(position);
            }
        }

        @Override
        public void purged(QueueIndex references) {
            throw new IllegalStateException("a settlement purges nothing");
        }

        private boolean isOnDisk(long position) {
            boolean onDisk = Reference.partition(position) != Reference.MEMORY_PARTITION;
            changed |= onDisk;
            return onDisk;
        }
    }

    /** Sets the deliveries aside until the pass ends, and adds its journal records, for partition {@code state}. */
    static void stage(Transaction transaction, Pass pass, LogPartition state, long timestamp) {
        StagedTransaction staged = new StagedTransaction(transaction);
        pass.transactions.add(staged);
        if (!staged.journal.isEmpty()) {
            staged.write(pass.settlements(state), timestamp);
        }
    }

    private StagedTransaction(Transaction transaction) {
        this.transaction = transaction;
        queues = new DeliveryQueue[transaction.settlements()];
        for (int i = 0; i < queues.length; i++) {
            ConsumerHandle consumer = transaction.consumer(i);
            DeliveryQueue queue = consumer.queue();
            Journaled effects = journal.computeIfAbsent(queue, absent -> new Journaled());
            if (queue.prepare(consumer, transaction.deliveryId(i), transaction.settlement(i), effects)) {
                queues[i] = queue;
            }
        }
        journal.entrySet()
                .removeIf(entry ->
                        !entry.getValue().changed || !entry.getKey().spec().durable());
    }

    private void write(OpenBatch to, long timestamp) {
        ByteBuf value = Unpooled.buffer();
        journal.forEach((queue, journaled) -> {
            value.clear();
            journaled.delta.write(value, queue.spec().id().value());
            to.add(value, timestamp, Durability.GROUP);
        });
        value.release();
    }

    /** The pass has ended: the settlements take effect, or the deliveries go back to their places. */
    void end(boolean committed) {
        for (int i = 0; i < queues.length; i++) {
            DeliveryQueue queue = queues[i];
            if (queue != null) {
                queue.endPrepared(transaction.deliveryId(i), committed);
            }
        }
    }
}
