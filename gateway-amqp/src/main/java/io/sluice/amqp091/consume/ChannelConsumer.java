package io.sluice.amqp091.consume;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.sluice.amqp091.transaction.Settler;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueRef;
import io.sluice.queue.Settlement;
import io.sluice.shard.Transaction;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * One consumer of a channel, or one {@code basic.get}. With a prefetch each settlement grants one credit; without, the broker's own
 * window is granted again as deliveries leave, so a client that does not read holds at most {@value #WINDOW} messages. Confined
 * to the loop.
 */
final class ChannelConsumer implements DeliverySink, Settler {
    /** Deliveries on their way to a client without prefetch. */
    static final int WINDOW = 512;

    private final ChannelConsumers channel;
    private final String tag;
    private final byte[] tagBytes;
    private final QueueRef queue;
    private final boolean noAck;
    private final boolean get;
    private final int prefetch;
    private final long timeoutMillis;
    /** Deliveries that may be unsettled here, 0 = no limit. */
    private int window;

    private @Nullable QueueConsumer attachment;
    private int open;
    private int parked;
    private boolean begun;
    private int used;
    private int delivered;
    private boolean cancelled;
    private boolean left;
    private boolean dirty;
    private @Nullable String closedReason;

    ChannelConsumer(
            ChannelConsumers channel,
            String tag,
            QueueRef queue,
            boolean noAck,
            boolean get,
            int prefetch,
            long timeoutMillis) {
        this.timeoutMillis = timeoutMillis;
        this.channel = channel;
        this.tag = tag;
        this.tagBytes = tag.getBytes(UTF_8);
        this.queue = queue;
        this.noAck = noAck;
        this.get = get;
        this.prefetch = prefetch;
        this.window = prefetch;
    }

    String tag() {
        return tag;
    }

    byte[] tagBytes() {
        return tagBytes;
    }

    QueueRef queue() {
        return queue;
    }

    boolean isNoAck() {
        return noAck;
    }

    boolean isGet() {
        return get;
    }

    /** Limit of its own, 0 = none. */
    int prefetch() {
        return prefetch;
    }

    int delivered() {
        return delivered;
    }

    /** Why the queue ended it, null if it did not. */
    @Nullable
    String closedReason() {
        return closedReason;
    }

    void attached(QueueConsumer consumer) {
        attachment = consumer;
    }

    /** Grants the first credit. */
    void begin() {
        begun = true;
        if (attachment != null) {
            attachment.credit(initialCredit());
            attachment.flush();
        }
    }

    private int initialCredit() {
        return get ? 1 : hasWindow() ? WINDOW : window;
    }

    /**
     * Follows the limit over all consumers of the channel, so that a channel does not draw messages that it cannot pass on while
     * others are idle.
     *
     * @param channelPrefetch 0 = none
     */
    void limit(int channelPrefetch) {
        int wanted = channelPrefetch == 0 || prefetch > 0 && prefetch < channelPrefetch ? prefetch : channelPrefetch;
        if (wanted == window || noAck || get) {
            return;
        }
        window = wanted;
        if (begun && !cancelled && attachment != null) {
            attachment.stop();
            used = 0;
            attachment.credit(Math.max(0, initialCredit() - open - parked));
            attachment.flush();
        }
    }

    /** {@code count} more deliveries wait on this side, or fewer. */
    void parked(int count) {
        parked += count;
    }

    boolean hasParked() {
        return parked > 0;
    }

    private boolean hasWindow() {
        return noAck || window == 0;
    }

    @Override
    public Executor executor() {
        return channel.executor();
    }

    @Override
    public void deliver(DeliveryBatch batch) {
        try {
            if (left) {
                return; // leaving has returned them
            }
            if (cancelled) {
                for (int i = 0; i < batch.size(); i++) {
                    release(batch.deliveryId(i), false);
                }
                flush();
            } else {
                channel.deliver(this, batch);
            }
        } finally {
            batch.release();
        }
    }

    /** {@code count} deliveries were written. */
    void wrote(int count) {
        delivered += count;
        if (!noAck) {
            open += count;
        }
        used += count;
    }

    /** Grants the window again once half of it has left and the socket takes more. */
    void replenish(boolean writable) {
        if (!get && hasWindow() && writable && used >= WINDOW / 2 && attachment != null && !cancelled) {
            attachment.credit(used);
            used = 0;
            dirty = true;
        }
    }

    @Override
    public long timeoutMillis() {
        return timeoutMillis;
    }

    private void ack(long deliveryId) {
        if (attachment != null) {
            attachment.ack(deliveryId);
        }
        settled();
    }

    @Override
    public void settle(long deliveryId, Settlement how) {
        switch (how) {
            case ACKED -> ack(deliveryId);
            case RELEASED -> requeue(deliveryId, false);
            case FAILED -> requeue(deliveryId, true);
            case REJECTED -> reject(deliveryId);
        }
    }

    @Override
    public void settle(Transaction transaction, long deliveryId, Settlement how) {
        if (attachment != null) {
            transaction.settle(attachment, deliveryId, how);
        }
    }

    @Override
    public void settledByTransaction() {
        settled();
    }

    private void reject(long deliveryId) {
        if (attachment != null) {
            attachment.reject(deliveryId);
        }
        settled();
    }

    private void requeue(long deliveryId, boolean failed) {
        release(deliveryId, failed);
        settled();
    }

    private void release(long deliveryId, boolean failed) {
        if (attachment != null) {
            attachment.release(deliveryId, failed);
            dirty = true;
        }
    }

    /** Returns a delivery that was never written. */
    void handBack(long deliveryId) {
        release(deliveryId, false);
    }

    private void settled() {
        open--;
        dirty = true;
        if (!cancelled && !get && !hasWindow() && attachment != null) {
            attachment.credit(1);
        }
    }

    /** Settlements and credits go to the shard; a consumer that is done leaves. */
    void flush() {
        if (dirty && attachment != null) {
            dirty = false;
            attachment.flush();
        }
        if (cancelled && open == 0) {
            leave();
        }
    }

    /** No more deliveries; open ones can still be settled. */
    void cancel() {
        cancelled = true;
        if (open == 0) {
            leave();
        } else if (attachment != null) {
            attachment.retire();
            channel.ended(this);
        }
    }

    void leave() {
        if (!left && attachment != null) {
            left = true;
            cancelled = true;
            attachment.flush();
            attachment.cancel();
            channel.left(this);
        }
    }

    /** Completes on the shard when the queue has done all that was asked so far, and counts accordingly; see {@link QueueConsumer#barrier}. */
    CompletionStage<@Nullable Void> afterwards() {
        return attachment == null ? CompletableFuture.completedStage(null) : attachment.barrier();
    }

    @Override
    public void failed(RuntimeException cause) {
        channel.failed();
    }

    @Override
    public void closed(String reason) {
        closedReason = reason;
        if (!left) {
            left = true;
            boolean told = cancelled;
            cancelled = true;
            channel.closed(this, told);
        }
    }
}
