package io.sluice.shard;

/** What the simulation holds the core to. */
enum Invariant {
    /** A message confirmed at a durability that survives what happened is still there, or was taken. */
    CONFIRMED_IS_NEVER_LOST,
    /** Every delivery and every record is one that was published to this place, byte for byte, and not refused. */
    NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED,
    /** Messages reach a queue's consumers for the first time in the order in which they were published, restarts included. */
    ORDER_AMONG_FIRST_DELIVERIES,
    /** Neither in one life nor after a restart that kept the journal entry is a settled message seen again. */
    SETTLED_STAYS_SETTLED,
    /** What recovery makes of log and journal is what the running queue held. */
    REPLAYED_INDEX_EQUALS_LIVE_INDEX,
    /** Not within a life, and over a restart not below anything confirmed. */
    HIGH_WATERMARK_NEVER_RETREATS,
    /** Home record and stream copies of a message are all there or none is, whatever the disk did. */
    A_PASS_IS_ALL_OR_NOTHING,
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
