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
import static io.sluice.shard.Invariant.PRIORITY_AND_EXPIRY_SURVIVE;
import static io.sluice.shard.Invariant.PURGED_STAYS_PURGED;
import static io.sluice.shard.Invariant.REPLAYED_INDEX_EQUALS_LIVE_INDEX;
import static io.sluice.shard.Invariant.SETTLED_STAYS_SETTLED;

import io.sluice.log.Durability;
import io.sluice.log.LogException.Reason;
import io.sluice.queue.DeathReason;
import io.sluice.queue.Overflow;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.Settlement;
import io.sluice.queue.TargetSet.Stamp;
import io.sluice.shard.CoreSimulation.Held;
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
    private static final long NEVER = Long.MAX_VALUE;

    private final Map<Integer, Message> messages = new HashMap<>();
    private final LongSupplier clock;
    private final List<ModelTransaction> transactions = new ArrayList<>();
    private long rank;
    private long changes;

    /** {@code clock} tells epoch ms. */
    CoreModel(LongSupplier clock) {
        this.clock = clock;
    }

    /** A message as published. */
    static final class Message {
        final int serial;
        final String value;
        final Durability asked;
        final List<Copy> copies = new ArrayList<>();
        /** Streams that it was routed to. */
        final List<Stream> streams = new ArrayList<>();
        /** What was handed over with it, itself included; empty if it was alone. */
        List<Message> published = List.of();

        boolean confirmed;
        /** Refused with certainty: nobody may ever see it. */
        boolean refused;
        /** A start has shown whether it is there as a whole. */
        boolean judged;

        long rank;
        int priority;
        /** Milliseconds, -1 = for ever. */
        long timeToLive = -1;

        long submittedAt;
        /** When queues knew of it at the latest, epoch ms; -1 = nobody knows yet. */
        long fedAt = -1;
        /** A queue that it was sent to was full, its publisher was told. */
        boolean turnedAway;
        /** Deliveries that cannot be judged yet. */
        final List<Delivered> unjudged = new ArrayList<>();

        /** By a Kafka client, not by a publish: order is kept among the messages of each kind. */
        boolean produced;

        @Override
        public String toString() {
            return "m" + serial + " (" + asked + (confirmed ? ", confirmed" : "") + (refused ? ", refused" : "")
                    + (produced ? ", produced" : "") + ") to "
                    + streams.stream().map(s -> s.name).toList()
                    + copies.stream().map(c -> c.queue.id).toList();
        }

        Message(int serial, String value, Durability asked) {
            this.serial = serial;
            this.value = value;
            this.asked = asked;
        }
    }

    /**
     * Handed over by the core.
     *
     * @param at epoch ms
     * @param expiry what the record says, epoch ms, -1 = nothing
     */
    private record Delivered(Queue queue, long at, long expiry) {}

    /** A message in one queue. */
    static final class Copy {
        final Message message;
        final Queue queue;
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
        Copy successor;

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
        Purge purge;

        Copy(Message message, Queue queue) {
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

        int priorityLevel() {
            return queue.level(message.priority);
        }

        /** True if it is delivered first of the two, when both wait. */
        boolean isBefore(Copy other) {
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
            return timeToLive() < 0 ? NEVER : message.submittedAt + timeToLive();
        }

        /** Its publisher was told, or may not know yet, that the queue was full. */
        boolean mayBeTurnedAway() {
            return queue.policy.refusesPublishes() && (!message.confirmed || message.turnedAway);
        }
    }

    /**
     * A purge. It takes what was sent before it and is not with a consumer when the shard gets to it, which is late if a
     * message sent before it waits for disk space.
     */
    static final class Purge {
        private final long journaledFrom;
        private long journaledTo = -1;
        private boolean done;

        Purge(long journaledFrom) {
            this.journaledFrom = journaledFrom;
        }

        /** The client has its answer, and the journal the purge before {@code journalEnd}. */
        void done(long journalEnd) {
            done = true;
            journaledTo = journalEnd;
        }
    }

    /** A queue with all it was ever sent, in order. */
    static final class Queue {
        final long id;
        final boolean durable;
        /** Administrators may change its limits. */
        QueuePolicy policy;

        final boolean hasDeadLetters;
        final TreeMap<Long, Copy> copies = new TreeMap<>();
        private final Map<Integer, Copy> bySerial = new HashMap<>();
        final DeliveryOrder order = new DeliveryOrder();
        /** Ranks of first deliveries by delivery id and priority level, in this life. */
        final Map<Integer, TreeMap<Long, Long>> firsts = new HashMap<>();

        boolean deleted;
        /** A transaction may have brought more than its limits allow. */
        boolean mayExceed;
        /** More it cannot have held since the last rest. */
        long atMost;

        Queue(long id, boolean durable, QueuePolicy policy) {
            this.id = id;
            this.durable = durable;
            this.policy = policy;
            this.hasDeadLetters = policy.deadLetterExchange() != null || policy.delayed();
        }

        Copy bySerial(int serial) {
            return bySerial.get(serial);
        }

        int level(int priority) {
            int max = policy.maxPriority();
            int asked = Math.min(priority, max);
            return max < 32 ? asked : asked * 32 / (max + 1);
        }

        /** True if it may have been beyond its limit since the last rest. */
        boolean mayOverflow() {
            return policy.maxBytes() >= 0 || policy.maxLength() >= 0 && atMost > policy.maxLength();
        }

        /** True if a message that failed so often is never delivered from here again. */
        boolean isOverLimit(int failures) {
            return policy.deliveryLimit() >= 0 && failures > policy.deliveryLimit();
        }
    }

    /** A partition of a stream. */
    static final class Stream {
        final String name;
        final Map<Integer, Message> sent = new HashMap<>();
        /** Found at the last start: as safe as can be. */
        final Set<Integer> seen = new HashSet<>();

        Stream(String name) {
            this.name = name;
        }
    }

    Message message(int serial, String value, Durability asked) {
        Message message = new Message(serial, value, asked);
        messages.put(serial, message);
        return message;
    }

    /** Rises with everything that the core tells or is told. */
    long changes() {
        return changes;
    }

    /** The shard took it up. */
    void submitted(Message message) {
        changes++;
        message.rank = ++rank;
        message.submittedAt = clock.getAsLong();
        for (Copy copy : message.copies) {
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
    void completed(Message message, Reason error, boolean turnedAway, long at) {
        changes++;
        if (error == null) {
            message.confirmed = true;
            message.turnedAway = turnedAway;
            fed(message, at);
            if (turnedAway) {
                List<Copy> by = message.copies.stream()
                        .filter(c -> c.queue.policy.refusesPublishes())
                        .toList();
                DEAD_LETTER_REASON_IS_TRUE.hold(!by.isEmpty(), "%s was turned away by nobody", message);
                if (by.size() == 1) {
                    Copy copy = by.get(0);
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
            for (Copy copy : message.copies) {
                NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                        !copy.delivered,
                        "m%s was refused after a delivery from queue %s",
                        message.serial,
                        copy.queue.id);
            }
        }
    }

    /** A message that nobody was sent. */
    void forget(Message message) {
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
    void purging(Queue queue, Purge purge) {
        for (Copy copy : queue.copies.values()) {
            if (!copy.settled && !copy.gone && !copy.message.refused) {
                copy.purge = purge;
            }
        }
    }

    private void fed(Message message, long at) {
        message.fedAt = at;
        message.unjudged.forEach(delivered -> judge(message, delivered));
        message.unjudged.clear();
    }

    /** What is still being stored at its expiry lives until queues know of it. */
    private static void judge(Message message, Delivered delivered) {
        long ttl = message.copies.stream()
                .filter(c -> c.queue == delivered.queue())
                .mapToLong(Copy::timeToLive)
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
    private static long expiry(Copy copy, Stamp stamp) {
        if (stamp.arrival() == 0) {
            return -1;
        }
        Message message = copy.message;
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
    Copy delivered(
            Queue queue,
            long deliveryId,
            String value,
            boolean redelivered,
            boolean autoSettled,
            Stamp stamp,
            long at) {
        changes++;
        Copy copy = find(queue, value, "delivered");
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
        if (!redelivered && !copy.displaced) {
            TreeMap<Long, Long> firsts = queue.firsts.computeIfAbsent(copy.priorityLevel(), absent -> new TreeMap<>());
            Map.Entry<Long, Long> before = firsts.lowerEntry(deliveryId);
            Map.Entry<Long, Long> after = firsts.higherEntry(deliveryId);
            ORDER_AMONG_FIRST_DELIVERIES.hold(
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
    Copy died(Queue queue, int serial, DeathReason reason, int deliveryCount, Stamp stamp, boolean calm) {
        changes++;
        Copy copy = queue.bySerial(serial);
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
    private boolean mayHaveLeft(Copy copy, boolean calm) {
        Queue queue = copy.queue;
        if (copy.mayBeTurnedAway() && (!queue.hasDeadLetters || queue.policy.overflow() == Overflow.REJECT_PUBLISH)) {
            return true;
        }
        boolean bounded = queue.policy.maxLength() >= 0 || queue.policy.maxBytes() >= 0;
        return !queue.hasDeadLetters
                && (clock.getAsLong() > copy.earliestExpiry()
                        || bounded && queue.policy.overflow() == Overflow.DROP_HEAD && (queue.mayOverflow() || !calm));
    }

    private void checkNumbers(Copy copy, Held held, String when) {
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

    private Copy find(Queue queue, String value, String what) {
        int serial = serial(value);
        Message message = messages.get(serial);
        NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                message != null && message.value.equals(value), "queue %s %s %s", queue.id, what, head(value));
        NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                !message.refused, "queue %s %s m%s, which was refused", queue.id, what, serial);
        Copy copy = queue.copies.get(message.rank);
        NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                copy != null, "queue %s %s m%s, which was not sent there", queue.id, what, serial);
        return copy;
    }

    /** What a queue holds without any message in the making: exactly what is confirmed and not settled. */
    void holdsExactly(Queue queue, List<Held> index, boolean dyingToo, boolean calm) {
        Set<Copy> found = new HashSet<>();
        List<Copy> waiting = new ArrayList<>();
        for (Held held : index) {
            Copy copy = find(queue, held.value(), "holds");
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
        for (Copy copy : queue.copies.values()) {
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
    void recovered(Queue queue, List<Held> index, boolean power, boolean flagsKept, LongPredicate journalKept) {
        Set<Copy> found = new HashSet<>();
        Map<Integer, Long> last = new HashMap<>();
        List<Copy> waiting = new ArrayList<>();
        for (Held held : index) {
            Copy copy = find(queue, held.value(), "recovered");
            Message message = copy.message;
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
        for (Copy copy : queue.copies.values()) {
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
        for (Copy copy : found) {
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
        for (Message message : messages.values()) {
            if (message.fedAt < 0) {
                fed(message, clock.getAsLong());
            }
            // without a rank the shard never took it
            boolean whole = message.rank > 0 && !message.judged && !message.streams.isEmpty();
            boolean anyStream = false;
            boolean allStreams = true;
            for (Stream stream : message.streams) {
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
            for (Copy copy : message.copies) {
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
                Copy next = copy.successor;
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
    void read(Stream stream, List<String> values, boolean whole, boolean afterStart, boolean power) {
        long[] last = new long[2];
        Set<Integer> now = new HashSet<>();
        for (String value : values) {
            int serial = serial(value);
            Message message = stream.sent.get(serial);
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
