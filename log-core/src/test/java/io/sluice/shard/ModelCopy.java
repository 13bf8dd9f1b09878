package io.sluice.shard;

import io.sluice.log.Durability;
import io.sluice.queue.DeathReason;
import io.sluice.queue.Settlement;
import java.util.HashMap;
import java.util.Map;

/** A message in one queue. */
final class ModelCopy {
    final ModelMessage message;
    final ModelQueue queue;
    boolean delivered;
    boolean settled;
    /** How, for people. */
    String how = "";

    boolean gone;
    /** End of the journal before and after the settlement was written; -1 = not known to be written. */
    long journaledFrom = -1;

    long journaledTo = -1;
    int failures;
    /** Failures that the journal has, at these offsets. */
    int journaledFailures;

    long failuresFrom;
    long failuresTo;
    /** What it is safe at: as asked for, and with the rest of the log once a start has found it. */
    Durability level;
    /** What took its place in the dead-letter queue; null if it was not rejected or there was none. */
    ModelCopy successor;

    /** On its way to the dead letters, or there. */
    boolean rejected;
    /** Why, as the core said; null if it did not yet. */
    DeathReason death;
    /** The queue was certainly full for it. */
    boolean turnedAway;
    /** It may have been turned away before a restart brought it back, to no certain place. */
    boolean displaced;

    /** The transaction that may have settled it, and how; null if there is none. */
    ModelTransaction pending;

    Settlement pendingHow;
    /** Transactions that the shard gave up, as a later delivery shows; the log may have them all the same. */
    final Map<ModelTransaction, Settlement> givenUp = new HashMap<>();

    /** Not delivered again before, epoch ms. */
    long notBefore;

    /** Settled by a transaction: no fault brings it back. */
    boolean forGood;
    /** Rejected by a transaction: no fault brings it to a consumer. */
    boolean rejectedForGood;

    /** The purge that may have taken it; null once a rest or a start has shown what it did. */
    ModelPurge purge;

    ModelCopy(ModelMessage message, ModelQueue queue) {
        this.message = message;
        this.queue = queue;
        this.level = message.asked;
    }

    @Override
    public String toString() {
        return "m" + message.serial + " (rank " + message.rank + ", priority " + message.priority
                + ", time to live "
                + timeToLive() + (delivered ? ", delivered" : "") + (settled ? ", settled " + how : "")
                + (rejected ? ", died" : "") + (displaced ? ", displaced" : "") + ") of " + queue.policy
                + " with at most " + queue.atMost;
    }

    /** Whose order is kept among several consumers, 0 = none. */
    int group() {
        return queue.policy.groups() == null ? 0 : message.group;
    }

    int priorityLevel() {
        return queue.level(message.priority);
    }

    /** True if it is delivered first of the two, when both wait. */
    boolean isBefore(ModelCopy other) {
        return priorityLevel() != other.priorityLevel()
                ? priorityLevel() > other.priorityLevel()
                : message.rank < other.message.rank;
    }

    /** Milliseconds it may stay, -1 = for ever. */
    long timeToLive() {
        long ofQueue = queue.policy.messageTtl();
        long own = message.timeToLive;
        return own < 0 ? ofQueue : ofQueue < 0 ? own : Math.min(own, ofQueue);
    }

    /** Epoch ms up to which it certainly lives. */
    long earliestExpiry() {
        return timeToLive() < 0 ? CoreModel.NEVER : message.submittedAt + timeToLive();
    }

    /** Its publisher was told, or may not know yet, that the queue was full. */
    boolean mayBeTurnedAway() {
        return queue.policy.refusesPublishes() && (!message.confirmed || message.turnedAway);
    }
}
