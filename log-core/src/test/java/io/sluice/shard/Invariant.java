package io.sluice.shard;

/** What the simulation holds the core to. */
enum Invariant {
    /** A message confirmed at a durability that survives what happened is still there, or was taken. */
    CONFIRMED_IS_NEVER_LOST,
    /** Every delivery and every record is one that was published to this place, byte for byte, and not refused. */
    NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED,
    /** Messages reach a queue's consumers for the first time in the order in which they were published, restarts included. */
    ORDER_AMONG_FIRST_DELIVERIES,
    /** Messages of a group reach a queue's consumers for the first time in the order in which they were published, whoever takes them. */
    ORDER_IN_A_GROUP,
    /** What is in flight of a group is with one consumer, and one message at a time where that is asked for. */
    ONE_HOLDER_OF_A_GROUP,
    /** A consumer gets what its selector wants, and nothing else. */
    SELECTORS_HOLD,
    /**
     * A delivery whose lock has ended, and not before, is taken back, counts as failed, and cannot be settled; one whose lock has not
     * can.
     */
    LOCKS_HOLD,
    /** A browser sees what waits, in order, each message once, and changes nothing. */
    A_BROWSER_SEES_WHAT_WAITS,
    /** Neither in one life nor after a restart that kept the journal entry is a settled message seen again. */
    SETTLED_STAYS_SETTLED,
    /** What recovery makes of log and journal is what the running queue held. */
    REPLAYED_INDEX_EQUALS_LIVE_INDEX,
    /** Not within a life, and over a restart not below anything confirmed. */
    HIGH_WATERMARK_NEVER_RETREATS,
    /** Home record and stream copies of all messages of a publish are there or none is, confirmed or not, whatever the disk did. */
    A_PASS_IS_ALL_OR_NOTHING,
    /** Publishes and settlements of a transaction are all in force or none is, for good once its client was told. */
    A_TRANSACTION_IS_ALL_OR_NOTHING,
    /** Neither by the clock of the turn that delivers it nor after a restart: only what expires while it is stored may still go. */
    NOTHING_EXPIRED_IS_DELIVERED,
    /** No message is delivered while one of a higher priority, or one before it, waits. */
    PRIORITY_ORDER,
    /** Priority and time of expiry are what the publisher asked for and the queue says, before and after any restart. */
    PRIORITY_AND_EXPIRY_SURVIVE,
    /** At rest a queue that drops its oldest messages is within its limits, and nothing that has expired stands at its head. */
    LIMIT_HOLDS,
    /** Reason and failure count of a dead letter, and a publisher's refusal, are what happened. */
    DEAD_LETTER_REASON_IS_TRUE,
    /** A restart finds a message or its dead letter, or what fell due of it, and not both. */
    DEAD_LETTERS_ARE_NOT_REPEATED,
    /** What failed, or was given back with a time, is not delivered again before its time, as long as the journal kept that. */
    NOTHING_IS_RETRIED_EARLY,
    /** A delayed message is not published before its time, nor again in one life once that was confirmed. */
    NOTHING_IS_DUE_EARLY,
    /** A delayed message that was confirmed is waiting, or was published when it fell due, or is in its target. */
    DELAYED_ARRIVES,
    /** What a purge took stays away once the journal has it. */
    PURGED_STAYS_PURGED,
    /** Of a queue with a single active consumer one gets messages until it leaves. */
    ONE_CONSUMER_IS_ACTIVE,
    /** A queue that expires is given up when it was not used for as long as it says, and not earlier. */
    UNUSED_QUEUES_EXPIRE,
    /** When all faults are over every message can be delivered, and what is settled gives its space back. */
    NOTHING_STAYS_STUCK;

    /** Fails with this name unless the condition holds. */
    void hold(boolean condition, String message, Object... values) {
        if (!condition) {
            throw new Violation(this, String.format(java.util.Locale.ROOT, message, values));
        }
    }

    /** An invariant did not hold. */
    static final class Violation extends AssertionError {
        private static final long serialVersionUID = 1L;

        private final Invariant invariant;

        Violation(Invariant invariant, String message) {
            super(invariant + ": " + message);
            this.invariant = invariant;
        }

        Invariant invariant() {
            return invariant;
        }
    }
}
