package io.sluice.queue;

import io.sluice.queue.index.QueueIndex;

/** What a {@link DeliveryMachine} decided; called back within the command, in order. Must not call the machine. */
public interface DeliveryEffects {
    /**
     * Hand the message to the consumer. {@link Reference} reads the position and the state.
     *
     * @param settled true if it is settled by being handed over; {@link #settled} follows
     */
    void deliver(int consumer, long deliveryId, long position, long state, boolean settled);

    /** The consumer has this delivery no more: its lock has ended. It failed, and what that means follows. */
    default void lockEnded(int consumer, long deliveryId) {}

    /** The message is done with in this queue: acknowledged, dropped, purged or dead-lettered. */
    void settled(long position);

    /** The delivery count of an unsettled message rose. */
    void failed(long position, int deliveryCount);

    /** An unsettled message is not delivered again before this time, epoch ms. */
    void postponed(long position, long due);

    /**
     * Copy the message to the dead-letter target, then give {@link DeliveryMachine#deadLettered} with the same id. Until then it
     * counts as unsettled.
     */
    void deadLetter(long deliveryId, long position, long state, DeathReason reason);

    /**
     * All these messages were waiting, and are done with. Unlike {@link #settled} for each this takes no time that grows with
     * their number, so whatever must be done for each can be done later.
     *
     * @param references taken over
     */
    void purged(QueueIndex references);
}
