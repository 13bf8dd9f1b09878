package io.sluice.queue;

import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * One consumer's end of a queue. All methods may be called on any one thread (the connection's event loop) and are messages
 * to the shard, in call order; settlements made within one turn of the loop travel together after {@link #flush}.
 *
 * <p>Credit model: {@code credit(n)} grants n more deliveries. The shard counts down per delivery and never delivers without
 * credit. An adapter with a window (prefetch, receive maximum) grants one credit per settled delivery; unlimited = grant
 * {@link Integer#MAX_VALUE} once.
 */
public interface QueueConsumer {
    /** Grants {@code n} more deliveries. */
    void credit(int n);

    /** Settles as consumed. {@code deliveryId} is the one of {@link DeliveryBatch}. Unknown ids are ignored. */
    void ack(long deliveryId);

    /**
     * Returns the message to its old place.
     *
     * @param failed true = a failed delivery: the delivery count rises (nack), and the queue's {@link RetryBackoff} counts; false = never processed (consumer left)
     */
    void release(long deliveryId, boolean failed);

    /**
     * As {@link #release}, but nobody gets the message again before {@code due}, whatever the queue's {@link RetryBackoff} says. It
     * keeps its place. A queue keeps at most 131,072 messages that wait so; of more, the one due first may be delivered at once.
     *
     * @param due epoch ms
     */
    void releaseUntil(long deliveryId, boolean failed, long due);

    /** Dead-letters the message with reason {@code rejected}, or drops it if the queue has no target. */
    void reject(long deliveryId);

    /** The lock on a delivery begins anew, for as long as {@link QueueRef.ConsumerSpec#lockMillis} says. */
    void renew(long deliveryId);

    /** Hands the settlements, renewals and credits since the last flush to the shard. */
    void flush();

    /**
     * As {@link #barrier}, and tells which of the settlements and renewals that this flushes are refused, because the consumer has
     * the delivery no more: its lock had ended, or it was settled before. Completes with their delivery ids, none if all took effect.
     */
    CompletionStage<long[]> flushAnswered();

    /**
     * Flushes; completes on the shard thread when everything flushed so far is applied and in the journal, at durability {@code os};
     * if the disk is exhausted, when there is space again. Fails with a {@link io.sluice.log.LogException} where the journal will
     * not take it: FENCED after a failed write or sync, CLOSED at the end of the shard.
     */
    CompletionStage<@Nullable Void> barrier();

    /**
     * Takes back the credit granted before; nothing more is delivered until credit is granted again. Unsettled deliveries stay
     * with this consumer.
     */
    void stop();

    /**
     * Stops for good and gives up its place: it is not counted as a consumer any more, another may be alone or the active one.
     * Unsettled deliveries stay with it until it leaves (AMQP basic.cancel with unacknowledged messages).
     */
    void retire();

    /**
     * Delivers what is ready now as far as credit goes, then takes back the rest of the credit and runs {@code drained} on the
     * sink's executor, after these deliveries (AMQP basic.get, AMQP 1.0 drain).
     */
    void drain(Runnable drained);

    /** Leaves; unsettled deliveries return to their old places as never processed... their redelivered flag is set. */
    void cancel();
}
