package io.sluice.shard;

import static io.sluice.shard.Invariant.A_PASS_IS_ALL_OR_NOTHING;
import static io.sluice.shard.Invariant.CONFIRMED_IS_NEVER_LOST;
import static io.sluice.shard.Invariant.DEAD_LETTERS_ARE_NOT_REPEATED;
import static io.sluice.shard.Invariant.DEAD_LETTER_REASON_IS_TRUE;
import static io.sluice.shard.Invariant.DELAYED_ARRIVES;
import static io.sluice.shard.Invariant.NOTHING_EXPIRED_IS_DELIVERED;
import static io.sluice.shard.Invariant.NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED;
import static io.sluice.shard.Invariant.NOTHING_IS_DUE_EARLY;
import static io.sluice.shard.Invariant.NOTHING_IS_RETRIED_EARLY;
import static io.sluice.shard.Invariant.ORDER_AMONG_FIRST_DELIVERIES;
import static io.sluice.shard.Invariant.ORDER_IN_A_GROUP;
import static io.sluice.shard.Invariant.PRIORITY_AND_EXPIRY_SURVIVE;
import static io.sluice.shard.Invariant.PURGED_STAYS_PURGED;
import static io.sluice.shard.Invariant.REPLAYED_INDEX_EQUALS_LIVE_INDEX;
import static io.sluice.shard.Invariant.SETTLED_STAYS_SETTLED;

import io.sluice.log.Durability;
import io.sluice.log.LogException.Reason;
import io.sluice.queue.DeathReason;
import io.sluice.queue.Overflow;
import io.sluice.queue.TargetSet.Stamp;
import io.sluice.shard.IndexReader.Held;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.LongPredicate;
import java.util.function.LongSupplier;

/** What a publisher and a consumer may expect of the core, kept in plain collections. */
final class CoreModel {
    /** No expiry. */
    static final long NEVER = Long.MAX_VALUE;

    private final Map<Integer, ModelMessage> messages = new HashMap<>();
    private final LongSupplier clock;
    private final List<ModelTransaction> transactions = new ArrayList<>();
    private long rank;
    private long changes;

    /** {@code clock} tells epoch ms. */
    CoreModel(LongSupplier clock) {
        this.clock = clock;
    }

    /**
     * Handed over by the core.
     *
     * @param at epoch ms
     * @param expiry what the record says, epoch ms, -1 = nothing
     */
    record Delivered(ModelQueue queue, long at, long expiry) {}

    ModelMessage message(int serial, String value, Durability asked) {
        ModelMessage message = new ModelMessage(serial, value, asked);
        messages.put(serial, message);
        return message;
    }

    /** Rises with everything that the core tells or is told. */
    long changes() {
        return changes;
    }

    /** The shard took it up. */
    void submitted(ModelMessage message) {
        changes++;
        message.rank = ++rank;
        message.submittedAt = clock.getAsLong();
        for (ModelCopy copy : message.copies) {
            copy.queue.copies.put(message.rank, copy);
            copy.queue.bySerial.put(message.serial, copy);
            copy.queue.atMost++;
        }
        message.streams.forEach(stream -> stream.sent.put(message.serial, message));
    }

    /**
     * A publisher has its answer.
     *
     * @param turnedAway true if it is that a queue was full
     * @param at when the core gave it, epoch ms
     */
    void completed(ModelMessage message, Reason error, boolean turnedAway, long at) {
        changes++;
        if (error == null) {
            message.confirmed = true;
            message.turnedAway = turnedAway;
            fed(message, at);
            if (turnedAway) {
                List<ModelCopy> by = message.copies.stream()
                        .filter(c -> c.queue.policy.refusesPublishes())
                        .toList();
                DEAD_LETTER_REASON_IS_TRUE.hold(!by.isEmpty(), "%s was turned away by nobody", message);
                if (by.size() == 1) {
                    ModelCopy copy = by.get(0);
                    copy.turnedAway = true;
                    NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                            !copy.delivered,
                            "m%s was turned away after a delivery from queue %s",
                            message.serial,
                            copy.queue.id);
                }
            }
        } else if (error != Reason.FENCED && error != Reason.CLOSED) {
            message.refused = true;
            for (ModelCopy copy : message.copies) {
                NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                        !copy.delivered,
                        "m%s was refused after a delivery from queue %s",
                        message.serial,
                        copy.queue.id);
            }
        }
    }

    /** A message that nobody was sent. */
    void forget(ModelMessage message) {
        messages.remove(message.serial);
    }

    /** The shard took up a transaction. */
    void submitted(ModelTransaction transaction) {
        transactions.add(transaction);
        transaction.messages().forEach(message -> message.copies.forEach(copy -> copy.queue.mayExceed = true));
        transaction.submitted();
    }

    /** The client of a transaction has its answer. */
    void completed(ModelTransaction transaction, Reason error) {
        if (error == null) {
            transactions.remove(transaction);
            transaction.committed();
        } else if (error != Reason.FENCED && error != Reason.CLOSED) {
            transactions.remove(transaction);
            transaction.refused();
        }
    }

    /** The shard took up a purge. */
    void purging(ModelQueue queue, ModelPurge purge) {
        for (ModelCopy copy : queue.copies.values()) {
            if (!copy.settled && !copy.gone && !copy.message.refused) {
                copy.purge = purge;
            }
        }
    }

    private void fed(ModelMessage message, long at) {
        message.fedAt = at;
        message.unjudged.forEach(delivered -> judge(message, delivered));
        message.unjudged.clear();
    }

    /** What is still being stored at its expiry lives until queues know of it. */
    private static void judge(ModelMessage message, Delivered delivered) {
        long ttl = message.copies.stream()
                .filter(c -> c.queue == delivered.queue())
                .mapToLong(ModelCopy::timeToLive)
                .findFirst()
                .orElse(-1);
        long expiry = delivered.expiry() >= 0 ? delivered.expiry() : ttl < 0 ? NEVER : message.fedAt + ttl;
        NOTHING_EXPIRED_IS_DELIVERED.hold(
                delivered.at() <= Math.max(expiry, message.fedAt),
                "queue %s delivered m%s at %s, which expired at %s (known to it by %s)",
                delivered.queue().id,
                message.serial,
                delivered.at(),
                expiry,
                message.fedAt);
    }

    /** Epoch ms at which the copy expires by what its record says; -1 if it says nothing. */
    private static long expiry(ModelCopy copy, Stamp stamp) {
        if (stamp.arrival() == 0) {
            return -1;
        }
        ModelMessage message = copy.message;
        PRIORITY_AND_EXPIRY_SURVIVE.hold(
                stamp.priority() == message.priority
                        && stamp.expiry() == (message.timeToLive < 0 ? 0 : stamp.arrival() + message.timeToLive)
                        && stamp.arrival() >= message.submittedAt
                        && (message.fedAt < 0 || stamp.arrival() <= message.fedAt),
                "m%s of priority %s and time to live %s is stored with %s",
                message.serial,
                message.priority,
                message.timeToLive,
                stamp);
        return copy.timeToLive() < 0 ? NEVER : stamp.arrival() + copy.timeToLive();
    }

    /**
     * A consumer got this.
     *
     * @param at when the core handed it over, epoch ms
     */
    ModelCopy delivered(
            ModelQueue queue,
            long deliveryId,
            String value,
            boolean redelivered,
            boolean autoSettled,
            Stamp stamp,
            long at) {
        changes++;
        ModelCopy copy = find(queue, value, "delivered");
        Delivered delivered = new Delivered(queue, at, expiry(copy, stamp));
        if (copy.message.fedAt < 0) {
            copy.message.unjudged.add(delivered);
        } else {
            judge(copy.message, delivered);
        }
        NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                !copy.turnedAway, "queue %s delivered m%s, which it had turned away", queue.id, copy.message.serial);
        int serial = copy.message.serial;
        NOTHING_IS_RETRIED_EARLY.hold(
                at >= copy.notBefore,
                "queue %s delivered m%s at %s, it was to wait until %s",
                queue.id,
                serial,
                at,
                copy.notBefore);
        SETTLED_STAYS_SETTLED.hold(
                !copy.settled && !copy.gone,
                "queue %s delivered m%s, which was settled: %s",
                queue.id,
                serial,
                copy.how);
        ORDER_AMONG_FIRST_DELIVERIES.hold(
                !copy.delivered || redelivered, "queue %s delivered m%s again without saying so", queue.id, serial);
        if (!redelivered && !copy.displaced && (!queue.choosy || copy.group() != 0)) {
            Invariant order = queue.choosy ? ORDER_IN_A_GROUP : ORDER_AMONG_FIRST_DELIVERIES;
            TreeMap<Long, Long> firsts =
                    queue.firsts.computeIfAbsent(copy.priorityLevel() << 8 | copy.group(), absent -> new TreeMap<>());
            Map.Entry<Long, Long> before = firsts.lowerEntry(deliveryId);
            Map.Entry<Long, Long> after = firsts.higherEntry(deliveryId);
            order.hold(
                    (before == null || before.getValue() < copy.message.rank)
                            && (after == null || after.getValue() > copy.message.rank),
                    "queue %s delivered m%s (%s) between %s and %s",
                    queue.id,
                    serial,
                    copy.message.rank,
                    before,
                    after);
            firsts.put(deliveryId, copy.message.rank);
        }
        ModelTransaction.givenUp(copy);
        copy.delivered = true;
        copy.settled = autoSettled;
        copy.how = autoSettled ? "by receipt" : "";
        return copy;
    }

    /**
     * The core gives up a message of a queue.
     *
     * @return the message; null if the queue is gone
     */
    ModelCopy died(ModelQueue queue, int serial, DeathReason reason, int deliveryCount, Stamp stamp, boolean calm) {
        changes++;
        ModelCopy copy = queue.bySerial(serial);
        NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                copy != null && !copy.gone, "m%s died in queue %s", serial, queue.id);
        if (copy.pending != null
                && (reason == DeathReason.REJECTED
                        || reason == DeathReason.DELIVERY_LIMIT
                        || deliveryCount > copy.failures)) {
            ModelTransaction.applied(copy);
        }
        long exact = expiry(copy, stamp);
        boolean over = clock.getAsLong() > (exact >= 0 ? exact : copy.earliestExpiry());
        boolean first = copy.death == null;
        if (queue.policy.delayed()) {
            NOTHING_IS_DUE_EARLY.hold(
                    clock.getAsLong() >= (exact >= 0 ? exact : copy.earliestExpiry()),
                    "m%s is due at %s",
                    serial,
                    exact);
            NOTHING_IS_DUE_EARLY.hold(!copy.settled || copy.rejected, "m%s is due again: %s", serial, copy.how);
        } else {
            boolean waited = !copy.settled || copy.rejected && !first;
            boolean so = switch (reason) {
                case REJECTED, DELIVERY_LIMIT -> copy.rejected;
                case EXPIRED -> waited && over;
                case MAXLEN ->
                    waited
                            && (queue.policy.overflow() == Overflow.DROP_HEAD
                                    || queue.policy.overflow() == Overflow.REJECT_PUBLISH_DLX && copy.mayBeTurnedAway())
                            && (queue.mayOverflow() || !first || !calm);
            };
            DEAD_LETTER_REASON_IS_TRUE.hold(
                    so && (first || copy.death == reason),
                    "m%s of queue %s died of %s (before: %s, %s)",
                    serial,
                    queue.id,
                    reason,
                    copy.death,
                    copy.how);
            DEAD_LETTER_REASON_IS_TRUE.hold(
                    queue.isOverLimit(copy.failures) == (reason == DeathReason.DELIVERY_LIMIT),
                    "m%s of queue %s died of %s after %s failures",
                    serial,
                    queue.id,
                    reason,
                    copy.failures);
            DEAD_LETTER_REASON_IS_TRUE.hold(
                    deliveryCount == copy.failures,
                    "m%s of queue %s died with %s failures of %s",
                    serial,
                    queue.id,
                    deliveryCount,
                    copy.failures);
        }
        copy.death = reason;
        copy.settled = true;
        copy.rejected = true;
        return copy;
    }

    /** True if its queue may have let it go without a trace. */
    private boolean mayHaveLeft(ModelCopy copy, boolean calm) {
        ModelQueue queue = copy.queue;
        if (copy.mayBeTurnedAway() && (!queue.hasDeadLetters || queue.policy.overflow() == Overflow.REJECT_PUBLISH)) {
            return true;
        }
        boolean bounded = queue.policy.maxLength() >= 0 || queue.policy.maxBytes() >= 0;
        return !queue.hasDeadLetters
                && (clock.getAsLong() > copy.earliestExpiry()
                        || bounded && queue.policy.overflow() == Overflow.DROP_HEAD && (queue.mayOverflow() || !calm));
    }

    private void checkNumbers(ModelCopy copy, Held held, String when) {
        long exact = expiry(copy, held.stamp());
        long now = clock.getAsLong();
        long fed = copy.message.fedAt < 0 ? now : copy.message.fedAt;
        long ttl = copy.timeToLive();
        long low = ttl < 0 ? 0 : exact >= 0 ? exact : copy.earliestExpiry();
        long high = ttl < 0 ? 0 : Math.max(fed, exact >= 0 ? exact : fed + ttl);
        PRIORITY_AND_EXPIRY_SURVIVE.hold(
                held.priority() == copy.message.priority && held.expiry() >= low && held.expiry() <= high,
                "queue %s %s m%s of priority %s and expiry %s to %s with %s and %s",
                copy.queue.id,
                when,
                copy.message.serial,
                copy.message.priority,
                low,
                high,
                held.priority(),
                held.expiry());
    }

    private ModelCopy find(ModelQueue queue, String value, String what) {
        int serial = serial(value);
        ModelMessage message = messages.get(serial);
        NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                message != null && message.value.equals(value), "queue %s %s %s", queue.id, what, head(value));
        NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                !message.refused, "queue %s %s m%s, which was refused", queue.id, what, serial);
        ModelCopy copy = queue.copies.get(message.rank);
        NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                copy != null, "queue %s %s m%s, which was not sent there", queue.id, what, serial);
        return copy;
    }

    /** What a queue holds without any message in the making: exactly what is confirmed and not settled. */
    void holdsExactly(ModelQueue queue, List<Held> index, boolean dyingToo, boolean calm) {
        Set<ModelCopy> found = new HashSet<>();
        List<ModelCopy> waiting = new ArrayList<>();
        for (Held held : index) {
            ModelCopy copy = find(queue, held.value(), "holds");
            SETTLED_STAYS_SETTLED.hold(
                    (!copy.settled || dyingToo && copy.rejected) && !copy.gone,
                    "queue %s holds %s, which was settled",
                    queue.id,
                    copy);
            checkNumbers(copy, held, "holds");
            if (!held.inFlight()) {
                if (!held.postponed()) {
                    waiting.add(copy);
                }
                NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                        !copy.turnedAway, "queue %s holds m%s, which it turned away", queue.id, copy.message.serial);
            }
            if (copy.purge != null && copy.purge.done) {
                // nothing comes into flight again after a purge: this was dying, though nobody could read it so far
                PURGED_STAYS_PURGED.hold(
                        held.redelivered() || held.inFlight() || copy.rejected,
                        "queue %s holds m%s, sent before a purge and never with a consumer",
                        queue.id,
                        copy.message.serial);
                copy.purge = null;
            }
            found.add(copy);
        }
        NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                found.size() == index.size(), "queue %s holds a message twice: %s", queue.id, index);
        for (ModelCopy copy : queue.copies.values()) {
            if (copy.purge != null && copy.message.confirmed && !copy.settled && !copy.gone && !found.contains(copy)) {
                copy.settled = true;
                copy.how = "by purge";
                copy.journaledFrom = copy.purge.journaledFrom;
                copy.journaledTo = copy.purge.journaledTo;
                copy.purge = null;
            }
            if (copy.message.confirmed
                    && !copy.settled
                    && !copy.gone
                    && !found.contains(copy)
                    && mayHaveLeft(copy, calm)) {
                copy.settled = true;
                copy.how = "by the queue's limits";
            }
            (queue.policy.delayed() ? DELAYED_ARRIVES : CONFIRMED_IS_NEVER_LOST)
                    .hold(
                            !copy.message.confirmed
                                    || copy.settled
                                    || copy.gone
                                    || found.contains(copy)
                                    || copy.pending != null,
                            "queue %s does not hold %s",
                            queue.id,
                            copy);
        }
        queue.order.rest(queue, waiting);
        queue.atMost = index.size();
    }

    /**
     * What a queue holds after a start.
     *
     * @param power true if the page cache went
     * @param flagsKept true if every delivery is in the journal
     * @param journalKept tells whether a journal offset is still there, or was replaced by a checkpoint
     */
    void recovered(ModelQueue queue, List<Held> index, boolean power, boolean flagsKept, LongPredicate journalKept) {
        Set<ModelCopy> found = new HashSet<>();
        Map<Integer, Long> last = new HashMap<>();
        List<ModelCopy> waiting = new ArrayList<>();
        for (Held held : index) {
            ModelCopy copy = find(queue, held.value(), "recovered");
            ModelMessage message = copy.message;
            NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                    found.add(copy), "queue %s recovered m%s twice", queue.id, message.serial);
            SETTLED_STAYS_SETTLED.hold(
                    !copy.gone, "queue %s recovered m%s, which was gone before", queue.id, message.serial);
            checkNumbers(copy, held, "recovered");
            ModelTransaction.found(copy, held.deliveryCount(), held.rejected());
            SETTLED_STAYS_SETTLED.hold(
                    !copy.forGood && (!copy.rejectedForGood || held.rejected()),
                    "queue %s recovered m%s, settled for good: %s",
                    queue.id,
                    message.serial,
                    copy.how);
            copy.rejectedForGood |= held.rejected();
            // a settlement that went with the power: the checkpoint around it may have put later messages before this
            // one
            copy.displaced |= queue.policy.delayed()
                    || copy.mayBeTurnedAway()
                    || held.postponed() // a later restart may find it before those that it stood behind
                    || power && (copy.settled || copy.purge != null || mayHaveLeft(copy, false));
            if (!held.inFlight() && !held.postponed()) {
                waiting.add(copy);
            }
            copy.notBefore = held.postponed() ? copy.notBefore : 0;
            if (copy.settled && copy.journaledTo >= 0) {
                (copy.how.equals("by purge") ? PURGED_STAYS_PURGED : SETTLED_STAYS_SETTLED)
                        .hold(
                                power && !kept(copy.journaledFrom, copy.journaledTo, journalKept),
                                "queue %s recovered m%s, whose settlement is in the journal at %s to %s",
                                queue.id,
                                message.serial,
                                copy.journaledFrom,
                                copy.journaledTo);
            }
            // what is dying or postponed, or was until now, is shown before all that waits
            boolean over = !held.fresh() || copy.displaced;
            ORDER_AMONG_FIRST_DELIVERIES.hold(
                    over || message.rank > last.getOrDefault(copy.priorityLevel(), 0L),
                    "queue %s recovered %s behind a later message: %s",
                    queue.id,
                    copy,
                    index);
            if (!over) {
                last.put(copy.priorityLevel(), message.rank);
            }
            REPLAYED_INDEX_EQUALS_LIVE_INDEX.hold(
                    held.deliveryCount() <= copy.failures,
                    "queue %s recovered m%s with %s failed deliveries of %s",
                    queue.id,
                    message.serial,
                    held.deliveryCount(),
                    copy.failures);
            REPLAYED_INDEX_EQUALS_LIVE_INDEX.hold(
                    held.deliveryCount() >= copy.journaledFailures
                            || power && !kept(copy.failuresFrom, copy.failuresTo, journalKept),
                    "queue %s recovered m%s with %s failed deliveries of %s in the journal",
                    queue.id,
                    message.serial,
                    held.deliveryCount(),
                    copy.journaledFailures);
            // a failure that was not journaled, or whose journal entry went with the power, did not happen
            copy.failures = held.deliveryCount();
        }
        for (ModelCopy copy : queue.copies.values()) {
            if (!copy.gone && !found.contains(copy)) {
                if (copy.purge != null) {
                    copy.settled = true;
                    copy.how = "by purge";
                }
                if (!copy.settled && mayHaveLeft(copy, flagsKept)) {
                    copy.settled = true;
                    copy.how = "by the queue's limits";
                }
                if (ModelTransaction.mayTake(copy)) {
                    if (!copy.settled && queue.durable && copy.message.confirmed && survives(copy.level, power)) {
                        ModelTransaction.gone(copy);
                    }
                    copy.settled = true;
                    // it may have died of something else since the shard gave that up, and then leaves no dead letter
                    copy.rejected = false;
                }
                (queue.policy.delayed() ? DELAYED_ARRIVES : CONFIRMED_IS_NEVER_LOST)
                        .hold(
                                !copy.message.confirmed || copy.settled || !survives(copy.level, power),
                                "queue %s lost %s, confirmed at %s",
                                queue.id,
                                copy,
                                copy.message.asked);
                copy.gone = true;
            }
        }
        for (ModelCopy copy : found) {
            copy.level = Durability.GROUP;
            copy.delivered &= flagsKept;
            copy.settled = queue.isOverLimit(copy.failures) || copy.rejectedForGood;
            copy.rejected = copy.settled && queue.hasDeadLetters;
            copy.death = null;
            copy.turnedAway = false;
            copy.journaledFrom = -1;
            copy.journaledTo = -1;
            copy.purge = null;
            copy.journaledFailures = 0;
        }
        queue.firsts.clear();
        queue.order.restarted(waiting);
        queue.atMost = index.size();
    }

    /**
     * Once all queues and streams are read after a start: what goes together, and what is on disk from now on.
     *
     * @param power true if the page cache went
     */
    void restarted(boolean power) {
        transactions.forEach(ModelTransaction::judge);
        transactions.clear();
        for (ModelMessage message : messages.values()) {
            if (message.fedAt < 0) {
                fed(message, clock.getAsLong());
            }
            // without a rank the shard never took it
            boolean whole = message.rank > 0 && !message.judged && !message.streams.isEmpty();
            boolean anyStream = false;
            boolean allStreams = true;
            for (ModelStream stream : message.streams) {
                boolean there = stream.seen.contains(message.serial);
                anyStream |= there;
                allStreams &= there;
            }
            A_PASS_IS_ALL_OR_NOTHING.hold(
                    !whole || anyStream == allStreams,
                    "%s is in some of its streams: %s",
                    message,
                    message.streams.stream()
                            .filter(s -> s.seen.contains(message.serial))
                            .map(s -> s.name)
                            .toList());
            boolean anyOther = message.published.stream()
                    .filter(other -> !other.streams.isEmpty())
                    .anyMatch(other -> other.streams.get(0).seen.contains(other.serial));
            A_PASS_IS_ALL_OR_NOTHING.hold(
                    !whole || message.published.isEmpty() || anyStream == anyOther,
                    "%s is not there, others of its publish are",
                    message);
            boolean present = anyStream;
            for (ModelCopy copy : message.copies) {
                boolean there = !copy.gone && copy.queue.durable && !copy.queue.deleted;
                A_PASS_IS_ALL_OR_NOTHING.hold(
                        !whole
                                || message.asked == Durability.MEMORY
                                || !copy.queue.durable
                                || copy.queue.deleted
                                || copy.settled
                                || there == anyStream,
                        "%s is in %s and not in %s queue %s",
                        message,
                        there ? "the queue" : "its streams",
                        there ? "its streams:" : "",
                        copy.queue.id);
                ModelCopy next = copy.successor;
                (copy.queue.policy.delayed() ? DELAYED_ARRIVES : CONFIRMED_IS_NEVER_LOST)
                        .hold(
                                there
                                        || !copy.rejected
                                        || !message.confirmed
                                        || !survives(copy.level, power)
                                        || !copy.queue.durable
                                        || copy.queue.deleted
                                        || next != null
                                                && (!next.gone
                                                        || next.settled
                                                        || !next.queue.durable
                                                        || !survives(next.level, power)),
                                "queue %s rejected m%s and its dead letter %s is not there",
                                copy.queue.id,
                                message.serial,
                                next == null ? "?" : "m" + next.message.serial);
                boolean replaced = next != null
                        && next.queue.durable
                        && !next.queue.deleted
                        && (!next.gone
                                || next.message.confirmed && survives(next.level, power) && !next.mayBeTurnedAway());
                DEAD_LETTERS_ARE_NOT_REPEATED.hold(
                        !there || !replaced,
                        "queue %s holds m%s, and its dead letter is %s: %s",
                        copy.queue.id,
                        message.serial,
                        next == null || next.gone ? "settled" : "there",
                        next);
                if (there) {
                    copy.successor = null;
                } else {
                    copy.rejected = false;
                }
                present |= there;
            }
            message.judged = true;
            message.confirmed |= present;
        }
        messages.values().removeIf(m -> m.streams.isEmpty() && m.copies.stream().allMatch(c -> c.gone && c.settled));
    }

    private static boolean kept(long from, long to, LongPredicate journalKept) {
        boolean kept = true;
        for (long offset = from; offset < to && kept; offset++) {
            kept = journalKept.test(offset);
        }
        return kept;
    }

    private static boolean survives(Durability level, boolean power) {
        return level == Durability.GROUP || level == Durability.OS && !power;
    }

    /** A stream holds these records, in this order. */
    void read(ModelStream stream, List<String> values, boolean whole, boolean afterStart, boolean power) {
        long[] last = new long[2];
        Set<Integer> now = new HashSet<>();
        for (String value : values) {
            int serial = serial(value);
            ModelMessage message = stream.sent.get(serial);
            NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                    message != null && message.value.equals(value) && !message.refused,
                    "stream %s holds %s",
                    stream.name,
                    head(value));
            NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                    now.add(serial), "stream %s holds m%s twice", stream.name, serial);
            ORDER_AMONG_FIRST_DELIVERIES.hold(
                    message.rank > last[message.produced ? 1 : 0],
                    "stream %s holds m%s behind a later one",
                    stream.name,
                    serial);
            last[message.produced ? 1 : 0] = message.rank;
        }
        if (whole) {
            stream.sent.forEach((serial, message) -> CONFIRMED_IS_NEVER_LOST.hold(
                    now.contains(serial)
                            || !message.confirmed
                            || power && message.asked != Durability.GROUP && !stream.seen.contains(serial),
                    "stream %s lost m%s, confirmed at %s",
                    stream.name,
                    serial,
                    message.asked));
        }
        if (afterStart) {
            stream.seen.clear();
            stream.seen.addAll(now);
            stream.sent.keySet().retainAll(now);
        }
    }

    static int serial(String value) {
        try {
            return Integer.parseInt(value.substring(1, value.indexOf(';')));
        } catch (RuntimeException e) {
            throw new Invariant.Violation(NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED, "unknown record " + head(value));
        }
    }

    private static String head(String value) {
        return value.length() <= 40 ? value : value.substring(0, 40) + "...";
    }
}
