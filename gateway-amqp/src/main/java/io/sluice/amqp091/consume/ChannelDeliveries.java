package io.sluice.amqp091.consume;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.session.Session;
import io.sluice.amqp091.transaction.ChannelTransaction;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.Settlement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Deliveries of one channel on their way out and until they are settled. A limit over all consumers of the channel ({@code
 * basic.qos} with {@code global}) and {@code channel.flow} hold them back here, within the consumers' credit. Confined to the loop.
 */
final class ChannelDeliveries {
    private record Parked(ChannelConsumer consumer, DeliveryBatch batch, int from) {}

    private final Session connection;
    private final UnackedDeliveries unacked = new UnackedDeliveries();
    private final Deque<Parked> parked = new ArrayDeque<>();
    private final RecordView record = new RecordView();
    private final DeliveryWriter writer;
    private int limit;
    private boolean flowing = true;
    private boolean settled;
    private boolean released;
    private @Nullable ChannelTransaction transaction;

    ChannelDeliveries(Session connection, DeliveryWriter writer) {
        this.connection = connection;
        this.writer = writer;
    }

    UnackedDeliveries unacked() {
        return unacked;
    }

    /** Limit over all consumers, 0 = none. */
    int limit() {
        return limit;
    }

    void limit(int deliveries) {
        limit = deliveries;
    }

    /** False while the client has stopped the channel. */
    boolean isFlowing() {
        return flowing;
    }

    void flow(boolean active) {
        flowing = active;
    }

    /** Writes deliveries from index {@code from} on, or keeps them while the channel is held back. */
    void deliver(ChannelConsumer consumer, DeliveryBatch batch, int from) {
        if (released) {
            return;
        }
        int written = 0;
        for (int i = from; i < batch.size(); i++) {
            if (mustPark(consumer)) {
                parked.add(new Parked(consumer, (DeliveryBatch) batch.retain(), i));
                consumer.parked(batch.size() - i);
                break;
            }
            write(consumer, batch, i);
            connection.output().spill();
            written++;
        }
        if (written > 0) {
            connection.shared().sent().add(written);
            consumer.wrote(written);
            connection.output().wrote();
            consumer.replenish(connection.output().isWritable());
            consumer.flush();
        }
    }

    /** A client that does not read holds what its socket's buffers take; the rest stays in the batches of the log. */
    private boolean mustPark(ChannelConsumer consumer) {
        return !consumer.isGet()
                && (!flowing
                        || !connection.output().isWritable()
                        || limit > 0 && !consumer.isNoAck() && unsettled() >= limit
                        || consumer.hasParked());
    }

    /** From now on settlements wait for a commit. */
    void transact(ChannelTransaction with) {
        transaction = with;
    }

    /** A transaction is in force: room for more deliveries. */
    void settledByTransaction() {
        settled = true;
    }

    /** A transaction was rolled back: these are open again. */
    void unsettle(List<ChannelTransaction.Settled> deliveries) {
        unacked.putBack(deliveries);
    }

    private int unsettled() {
        return unacked.size() + (transaction == null ? 0 : transaction.settled().size());
    }

    private void write(ChannelConsumer consumer, DeliveryBatch batch, int i) {
        batch.record(i, record);
        long tag = consumer.isGet()
                ? writer.got(batch.redelivered(i), record, batch.deliveryCount(i), remaining(consumer))
                : writer.deliver(consumer.tagBytes(), batch.redelivered(i), record, batch.deliveryCount(i));
        if (!consumer.isNoAck()) {
            unacked.add(tag, consumer, batch.deliveryId(i));
        }
    }

    private static int remaining(ChannelConsumer consumer) {
        return (int) Math.min(Integer.MAX_VALUE, consumer.queue().stats().ready());
    }

    void ack(long tag, boolean multiple) {
        settle(tag, multiple, Settlement.ACKED);
    }

    void nack(long tag, boolean multiple, boolean requeue) {
        settle(tag, multiple, requeue ? Settlement.FAILED : Settlement.REJECTED);
    }

    private void settle(long tag, boolean multiple, Settlement how) {
        ChannelTransaction with = transaction;
        UnackedDeliveries.Taker taker = with == null
                ? (taken, consumer, id) -> consumer.settle(id, how)
                : (taken, consumer, id) -> with.settle(taken, consumer, id, how);
        boolean known;
        if (!multiple) {
            known = unacked.take(tag, taker);
        } else if (tag == 0) {
            unacked.takeUpTo(writer.lastTag(), taker);
            known = true;
        } else {
            known = tag > 0 && tag <= writer.lastTag() && unacked.takeUpTo(tag, taker) > 0;
        }
        settled = true;
        if (with != null) {
            with.checkParts();
        }
        if (!known) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "unknown delivery tag " + tag);
        }
    }

    /** Returns all that is unsettled. */
    void recover(boolean requeue) {
        if (!requeue) {
            throw new AmqpException(ReplyCode.NOT_IMPLEMENTED, "requeue=false");
        }
        unacked.takeUpTo(writer.lastTag(), (tag, consumer, id) -> consumer.settle(id, Settlement.RELEASED));
        settled = true;
    }

    /** Writes what was held back, as far as it may leave now. */
    void resume() {
        if (parked.isEmpty()) {
            return;
        }
        List<Parked> entries = new ArrayList<>(parked);
        parked.clear();
        for (Parked entry : entries) {
            entry.consumer().parked(entry.from() - entry.batch().size());
        }
        for (Parked entry : entries) { // what must wait again goes to the end, a consumer's in its order
            try {
                deliver(entry.consumer(), entry.batch(), entry.from());
            } finally {
                entry.batch().release();
            }
        }
    }

    /** True if deliveries wait here. */
    boolean isHolding() {
        return !parked.isEmpty();
    }

    /** True if something was settled since the last call. */
    boolean takeSettled() {
        boolean was = settled;
        settled = false;
        return was;
    }

    /** Returns what is held back of a consumer. */
    void returnParked(ChannelConsumer consumer) {
        parked.removeIf(entry -> {
            if (!entry.consumer().equals(consumer)) {
                return false;
            }
            for (int i = entry.from(); i < entry.batch().size(); i++) {
                consumer.handBack(entry.batch().deliveryId(i));
            }
            consumer.parked(entry.from() - entry.batch().size());
            entry.batch().release();
            return true;
        });
    }

    void release() {
        released = true;
        for (Parked entry : parked) {
            entry.batch().release();
        }
        parked.clear();
    }
}
