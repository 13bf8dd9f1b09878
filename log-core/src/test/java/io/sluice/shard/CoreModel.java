package io.sluice.shard;

import static io.sluice.shard.Invariant.A_PASS_IS_ALL_OR_NOTHING;
import static io.sluice.shard.Invariant.CONFIRMED_IS_NEVER_LOST;
import static io.sluice.shard.Invariant.NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED;
import static io.sluice.shard.Invariant.ORDER_AMONG_FIRST_DELIVERIES;
import static io.sluice.shard.Invariant.REPLAYED_INDEX_EQUALS_LIVE_INDEX;
import static io.sluice.shard.Invariant.SETTLED_STAYS_SETTLED;

import io.sluice.log.Durability;
import io.sluice.log.LogException.Reason;
import io.sluice.shard.CoreSimulation.Held;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.LongPredicate;

/** What a publisher and a consumer may expect of the core, kept in plain collections. */
final class CoreModel {
    private final Map<Integer, Message> messages = new HashMap<>();
    private long rank;
    private long changes;

    /** A message as published. */
    static final class Message {
        final int serial;
        final String value;
        final Durability asked;
        final List<Copy> copies = new ArrayList<>();
        /** Streams that it was routed to. */
        final List<Stream> streams = new ArrayList<>();

        boolean confirmed;
        /** Refused with certainty: nobody may ever see it. */
        boolean refused;
        /** A start has shown whether it is there as a whole. */
        boolean judged;

        long rank;
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

        boolean rejected;
        /** The purge that may have taken it; null once a rest or a start has shown what it did. */
        Purge purge;

        Copy(Message message, Queue queue) {
            this.message = message;
            this.queue = queue;
            this.level = message.asked;
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

        /** The client has its answer; {@code journaledTo} = -1 if the journal need not have it. */
        void done(long journalEnd) {
            done = true;
            journaledTo = journalEnd;
        }
    }

    /** A queue with all it was ever sent, in order. */
    static final class Queue {
        final long id;
        final boolean durable;
        final int deliveryLimit;
        final boolean hasDeadLetters;
        final TreeMap<Long, Copy> copies = new TreeMap<>();
        /** Ranks of first deliveries by delivery id, in this life. */
        final TreeMap<Long, Long> firsts = new TreeMap<>();

        boolean deleted;

        Queue(long id, boolean durable, int deliveryLimit, boolean hasDeadLetters) {
            this.id = id;
            this.durable = durable;
            this.deliveryLimit = deliveryLimit;
            this.hasDeadLetters = hasDeadLetters;
        }

        /** True if a message that failed so often is never delivered from here again. */
        boolean isOverLimit(int failures) {
            return deliveryLimit >= 0 && failures > deliveryLimit;
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
        for (Copy copy : message.copies) {
            copy.queue.copies.put(message.rank, copy);
        }
        message.streams.forEach(stream -> stream.sent.put(message.serial, message));
    }

    void completed(Message message, Reason error) {
        changes++;
        if (error == null) {
            message.confirmed = true;
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

    /** The shard took up a purge. */
    void purging(Queue queue, Purge purge) {
        for (Copy copy : queue.copies.values()) {
            if (!copy.settled && !copy.gone && !copy.message.refused) {
                copy.purge = purge;
            }
        }
    }

    /** A consumer got this. */
    Copy delivered(Queue queue, long deliveryId, String value, boolean redelivered, boolean autoSettled) {
        changes++;
        Copy copy = find(queue, value, "delivered");
        int serial = copy.message.serial;
        SETTLED_STAYS_SETTLED.hold(
                !copy.settled && !copy.gone,
                "queue %s delivered m%s, which was settled: %s",
                queue.id,
                serial,
                copy.how);
        ORDER_AMONG_FIRST_DELIVERIES.hold(
                !copy.delivered || redelivered, "queue %s delivered m%s again without saying so", queue.id, serial);
        if (!redelivered) {
            Map.Entry<Long, Long> before = queue.firsts.lowerEntry(deliveryId);
            Map.Entry<Long, Long> after = queue.firsts.higherEntry(deliveryId);
            ORDER_AMONG_FIRST_DELIVERIES.hold(
                    (before == null || before.getValue() < copy.message.rank)
                            && (after == null || after.getValue() > copy.message.rank),
                    "queue %s delivered m%s (%s) between %s and %s",
                    queue.id,
                    serial,
                    copy.message.rank,
                    before,
                    after);
            queue.firsts.put(deliveryId, copy.message.rank);
        }
        copy.delivered = true;
        copy.settled = autoSettled;
        copy.how = autoSettled ? "by receipt" : "";
        return copy;
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
    void holdsExactly(Queue queue, List<Held> index, boolean dyingToo) {
        Set<Copy> found = new HashSet<>();
        for (Held held : index) {
            Copy copy = find(queue, held.value(), "holds");
            SETTLED_STAYS_SETTLED.hold(
                    (!copy.settled || dyingToo && copy.rejected) && !copy.gone,
                    "queue %s holds m%s, which was settled",
                    queue.id,
                    copy.message.serial);
            if (copy.purge != null && copy.purge.done) {
                SETTLED_STAYS_SETTLED.hold(
                        held.redelivered(),
                        "queue %s holds m%s, sent before a purge and never with a consumer",
                        queue.id,
                        copy.message.serial);
                copy.purge = null;
            }
            found.add(copy);
        }
        NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                found.size() == index.size(), "queue %s holds a message twice", queue.id);
        for (Copy copy : queue.copies.values()) {
            if (copy.purge != null && copy.message.confirmed && !copy.settled && !copy.gone && !found.contains(copy)) {
                copy.settled = true;
                copy.how = "by purge";
                copy.journaledFrom = copy.purge.journaledFrom;
                copy.journaledTo = copy.purge.journaledTo;
                copy.purge = null;
            }
            CONFIRMED_IS_NEVER_LOST.hold(
                    !copy.message.confirmed || copy.settled || copy.gone || found.contains(copy),
                    "queue %s does not hold m%s",
                    queue.id,
                    copy.message.serial);
        }
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
        long last = 0;
        for (Held held : index) {
            Copy copy = find(queue, held.value(), "recovered");
            Message message = copy.message;
            NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                    found.add(copy), "queue %s recovered m%s twice", queue.id, message.serial);
            SETTLED_STAYS_SETTLED.hold(
                    !copy.gone, "queue %s recovered m%s, which was gone before", queue.id, message.serial);
            if (copy.settled && copy.journaledTo >= 0) {
                SETTLED_STAYS_SETTLED.hold(
                        power && !kept(copy.journaledFrom, copy.journaledTo, journalKept),
                        "queue %s recovered m%s, whose settlement is in the journal at %s to %s",
                        queue.id,
                        message.serial,
                        copy.journaledFrom,
                        copy.journaledTo);
            }
            boolean over = queue.isOverLimit(held.deliveryCount());
            ORDER_AMONG_FIRST_DELIVERIES.hold(
                    over || message.rank > last,
                    "queue %s recovered m%s behind a later message",
                    queue.id,
                    message.serial);
            last = over ? last : message.rank;
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
                CONFIRMED_IS_NEVER_LOST.hold(
                        !copy.message.confirmed || copy.settled || !survives(copy.level, power),
                        "queue %s lost m%s, confirmed at %s",
                        queue.id,
                        copy.message.serial,
                        copy.message.asked);
                copy.gone = true;
            }
        }
        for (Copy copy : found) {
            copy.level = Durability.GROUP;
            copy.delivered &= flagsKept;
            copy.settled = queue.isOverLimit(copy.failures);
            copy.rejected = copy.settled && queue.hasDeadLetters;
            copy.journaledFrom = -1;
            copy.journaledTo = -1;
            copy.purge = null;
            copy.journaledFailures = 0;
        }
        queue.firsts.clear();
    }

    /**
     * Once all queues and streams are read after a start: what goes together, and what is on disk from now on.
     *
     * @param calm true if neither the page cache went nor a call failed: then unconfirmed messages are whole, too
     */
    void restarted(boolean power, boolean calm) {
        for (Message message : messages.values()) {
            boolean whole = !message.judged
                    && (calm || message.confirmed)
                    && message.asked == Durability.GROUP
                    && !message.streams.isEmpty();
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
            boolean present = anyStream;
            for (Copy copy : message.copies) {
                boolean there = !copy.gone && copy.queue.durable && !copy.queue.deleted;
                A_PASS_IS_ALL_OR_NOTHING.hold(
                        !whole || !copy.queue.durable || copy.queue.deleted || copy.settled || there == anyStream,
                        "m%s is in %s and not in %s queue %s",
                        message.serial,
                        there ? "the queue" : "its streams",
                        there ? "its streams:" : "",
                        copy.queue.id);
                Copy next = copy.successor;
                CONFIRMED_IS_NEVER_LOST.hold(
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
                                                || next.message.confirmed && !survives(next.level, power)),
                        "queue %s rejected m%s and its dead letter %s is not there",
                        copy.queue.id,
                        message.serial,
                        next == null ? "?" : "m" + next.message.serial);
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
