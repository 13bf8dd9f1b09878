package io.sluice.shard;

import io.sluice.queue.DeathReason;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliveryEffects;
import io.sluice.queue.Reference;
import io.sluice.queue.index.QueueIndex;
import io.sluice.queue.state.QueueDelta;
import org.jspecify.annotations.Nullable;

/**
 * Turns what a queue's machine decides into deliveries, journal entries and dead letters. A queue has one while it has something
 * to do. Shard thread.
 */
final class QueueEffects implements DeliveryEffects {
    private final DeliveryQueue queue;
    private final DeliveryQueues queues;
    private final boolean tellsPriorities;
    private final QueueReader reader;
    private @Nullable QueueDelta delta;
    private boolean journaling;

    QueueEffects(DeliveryQueue queue, DeliveryQueues queues) {
        this.queue = queue;
        this.queues = queues;
        tellsPriorities = queue.spec().policy().maxPriority() > 0;
        reader = new QueueReader(queues, queue);
    }

    /** Holds the message that is being delivered. */
    QueueReader reader() {
        return reader;
    }

    @Nullable
    QueueDelta delta() {
        return delta;
    }

    /** From here on, or no more: what the machine settles is in the journal. */
    void alreadyJournaled(boolean now) {
        journaling = now;
    }

    void journaled() {
        if (delta != null) {
            delta.clear();
        }
    }

    /** What changes is written down at the end of the turn. */
    private QueueDelta changed() {
        QueueDelta own = delta;
        if (own == null) {
            own = new QueueDelta();
            delta = own;
        }
        queues.markUnjournaled(queue);
        return own;
    }

    /** All below these offsets of the home partitions is done with, but for these positions. */
    void purged(long[] below, long[] except) {
        changed().purged(below, except);
    }

    @Override
    public void deliver(int consumer, long deliveryId, long position, long state, boolean settled) {
        ConsumerHandle to = queue.consumer(consumer);
        DeliveryBatch batch = to.open;
        if (batch == null) {
            batch = new DeliveryBatch();
            to.open = batch;
            queues.out().of(to.sink().executor()).deliver(to.sink(), batch);
        }
        batch.add(
                deliveryId,
                reader.view(),
                Reference.offset(position),
                Reference.deliveryCount(state),
                Reference.redelivered(state));
        if (!settled && queue.isJournaled(position)) {
            if (delta == null) {
                delta = new QueueDelta();
            }
            int priority = tellsPriorities ? Reference.priority(state) : QueueDelta.ALL_PRIORITIES;
            if (delta.delivered(position, priority)) {
                queues.markUnjournaled(queue);
            }
        }
    }

    @Override
    public void lockEnded(int consumer, long deliveryId) {
        ConsumerHandle from = queue.consumer(consumer);
        queues.out().of(from.sink().executor()).then(() -> from.sink().lockEnded(deliveryId));
    }

    @Override
    public void purged(QueueIndex references) {
        queues.forgetLater(references);
    }

    @Override
    public void settled(long position) {
        queues.forget(position);
        if (!journaling && queue.isJournaled(position)) {
            changed().settled(position);
        }
    }

    @Override
    public void failed(long position, int deliveryCount) {
        if (!journaling && queue.isJournaled(position)) {
            changed().failed(position, deliveryCount);
        }
    }

    @Override
    public void postponed(long position, long due) {
        if (queue.isJournaled(position)) {
            changed().postponed(position, due);
        }
    }

    @Override
    public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {
        queues.dying().add(queue, deliveryId, position, state, reason);
    }
}
