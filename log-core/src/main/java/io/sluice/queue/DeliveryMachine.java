package io.sluice.queue;

import java.util.Arrays;

/**
 * State of one queue as a pure machine: each public method is a command that changes the state and names its effects. No
 * I/O, clock, thread or randomness inside; commands that depend on time will be given it. Nothing is allocated per message.
 *
 * <p>A message is <em>fresh</em> (never delivered), <em>in flight</em> (with a consumer), <em>returned</em> (waiting again),
 * <em>dying</em> (being copied to the dead-letter target) or settled and forgotten:
 *
 * <table><caption>Transitions</caption>
 * <tr><td>enqueue</td><td>→ fresh</td></tr>
 * <tr><td>restore</td><td>→ fresh; over the delivery limit → dying or settled</td></tr>
 * <tr><td>dispatch</td><td>fresh or returned → in flight, or settled for a consumer that settles by receipt</td></tr>
 * <tr><td>ack</td><td>in flight → settled</td></tr>
 * <tr><td>release, cancel</td><td>in flight → returned; over the delivery limit → dying or settled</td></tr>
 * <tr><td>reject</td><td>in flight → dying, or settled without a dead-letter target</td></tr>
 * <tr><td>deadLettered</td><td>dying → settled</td></tr>
 * <tr><td>purge</td><td>fresh, returned → settled</td></tr>
 * </table>
 *
 * <p>Order: by sequence of enqueueing. A returned message keeps its sequence and so its place; every returned message stands
 * before every fresh one. Consumers with credit take turns.
 *
 * <p>Delivery limit as RabbitMQ's quorum queues have it: with limit n a message is delivered at most n + 1 times.
 */
public final class DeliveryMachine {
    /** Credit that is not counted down. */
    public static final int UNLIMITED = Integer.MAX_VALUE;

    private static final int DYING = -1;
    private static final int VACANT = -1;
    private static final String DELIVERY_LIMIT = "delivery_limit";

    private final ReferenceQueue fresh = new ReferenceQueue();
    private final ReturnedReferences returned = new ReturnedReferences();
    private final InFlight inFlight = new InFlight();
    private final boolean deadLetters;
    private final int deliveryLimit;

    private long freshSequence;
    /** Sequence of the message restored last that is over the limit: before all others, and unlike any of theirs. */
    private long restoredSequence;

    private long nextDeliveryId = 1;

    // consumers by slot
    private int[] credits = new int[4];
    private boolean[] autoSettles = new boolean[4];
    private int slots;
    private int consumerCount;
    private int withCredit;
    private int turn;
    private boolean exclusive;

    /**
     * @param deadLetters true if rejected messages have somewhere to go
     * @param deliveryLimit failed deliveries allowed, -1 = any number
     */
    public DeliveryMachine(boolean deadLetters, int deliveryLimit) {
        this.deadLetters = deadLetters;
        this.deliveryLimit = deliveryLimit;
        Arrays.fill(credits, VACANT);
    }

    /** Messages waiting. */
    public int ready() {
        return fresh.size() + returned.size();
    }

    /** Messages delivered and not settled, dying ones included. */
    public int unacked() {
        return inFlight.size();
    }

    public int consumers() {
        return consumerCount;
    }

    /** Adds a message behind all others. {@code state} by {@link Reference#state}. */
    public void enqueue(long position, long state) {
        fresh.add(position, state);
    }

    /**
     * Adds a message that outlived a restart behind all others; one over the delivery limit is not delivered again, it dies.
     */
    public void restore(long position, long state, DeliveryEffects effects) {
        if (deliveryLimit < 0 || Reference.deliveryCount(state) <= deliveryLimit) {
            fresh.add(position, state);
        } else if (deadLetters) {
            long id = nextDeliveryId++;
            inFlight.put(id, --restoredSequence, position, state, DYING);
            effects.deadLetter(id, position, state, DELIVERY_LIMIT);
        } else {
            effects.settled(position);
        }
    }

    /**
     * Adds a consumer.
     *
     * @return its number, reused after {@link #cancel}; -1 if refused: one of the two sides wants to be alone
     */
    public int attach(boolean autoSettle, boolean alone, int credit) {
        if (exclusive || alone && consumerCount > 0) {
            return -1;
        }
        int consumer = 0;
        while (consumer < slots && credits[consumer] != VACANT) {
            consumer++;
        }
        if (consumer == credits.length) {
            int from = credits.length;
            credits = Arrays.copyOf(credits, from * 2);
            autoSettles = Arrays.copyOf(autoSettles, from * 2);
            Arrays.fill(credits, from, credits.length, VACANT);
        }
        slots = Math.max(slots, consumer + 1);
        credits[consumer] = 0;
        autoSettles[consumer] = autoSettle;
        exclusive = alone;
        consumerCount++;
        credit(consumer, credit);
        return consumer;
    }

    /** Grants more deliveries; {@link #UNLIMITED} for as many as there are. Ignored if not positive. */
    public void credit(int consumer, int more) {
        int now = credits[consumer];
        if (more <= 0 || now == VACANT) {
            return;
        }
        if (now == 0) {
            withCredit++;
        }
        credits[consumer] = more > UNLIMITED - now ? UNLIMITED : now + more;
    }

    /** Takes all credit back; what is in flight stays with the consumer. */
    public void stop(int consumer) {
        if (credits[consumer] > 0) {
            withCredit--;
            credits[consumer] = 0;
        }
    }

    /** True if the consumer may get more messages. */
    public boolean hasCredit(int consumer) {
        return credits[consumer] > 0;
    }

    /** Position of the message that {@link #dispatch} hands over next, {@link Reference#NONE} if it would do nothing. */
    public long nextPosition() {
        if (withCredit == 0) {
            return Reference.NONE;
        }
        if (returned.size() > 0) {
            return returned.firstPosition();
        }
        return fresh.size() > 0 ? fresh.position(0) : Reference.NONE;
    }

    /** Hands one message to the next consumer in turn. {@link #nextPosition} must have answered one. */
    public void dispatch(DeliveryEffects effects) {
        int consumer = nextConsumer();
        long sequence;
        long position;
        long state;
        if (returned.size() > 0) {
            sequence = returned.firstSequence();
            position = returned.firstPosition();
            state = returned.firstState();
            returned.removeFirst();
        } else {
            sequence = freshSequence++;
            position = fresh.position(0);
            state = fresh.state(0);
            fresh.removeFirst();
        }
        long id = nextDeliveryId++;
        if (credits[consumer] != UNLIMITED && --credits[consumer] == 0) {
            withCredit--;
        }
        if (autoSettles[consumer]) {
            effects.deliver(consumer, id, position, state, true);
            effects.settled(position);
        } else {
            inFlight.put(id, sequence, position, Reference.asRedelivered(state), consumer);
            effects.deliver(consumer, id, position, state, false);
        }
    }

    /** Settles the message that is next in turn without delivering it: its record cannot be read any more. */
    public void dropNext(DeliveryEffects effects) {
        long position;
        if (returned.size() > 0) {
            position = returned.firstPosition();
            returned.removeFirst();
        } else {
            position = fresh.position(0);
            fresh.removeFirst();
            freshSequence++;
        }
        effects.settled(position);
    }

    /** Settles as consumed. Unknown ids, and ids of other consumers, are ignored, here and below. */
    public void ack(int consumer, long deliveryId, DeliveryEffects effects) {
        int slot = find(consumer, deliveryId);
        if (slot >= 0) {
            long position = inFlight.position(slot);
            inFlight.remove(slot);
            effects.settled(position);
        }
    }

    /** Returns the message to its place. {@code failed} counts a failed delivery. */
    public void release(int consumer, long deliveryId, boolean failed, DeliveryEffects effects) {
        int slot = find(consumer, deliveryId);
        if (slot < 0) {
            return;
        }
        long position = inFlight.position(slot);
        long state = inFlight.state(slot);
        if (failed) {
            state = Reference.countFailure(state);
            int count = Reference.deliveryCount(state);
            boolean over = deliveryLimit >= 0 && count > deliveryLimit;
            if (!over || deadLetters) {
                // also of one that dies now: a restart before its copy is stored must not deliver it again
                effects.failed(position, count);
            }
            if (over) {
                die(slot, state, DELIVERY_LIMIT, effects);
                return;
            }
        }
        long sequence = inFlight.sequence(slot);
        inFlight.remove(slot);
        returned.add(sequence, position, state);
    }

    /** Dead-letters, or drops where there is no target. */
    public void reject(int consumer, long deliveryId, DeliveryEffects effects) {
        int slot = find(consumer, deliveryId);
        if (slot >= 0) {
            die(slot, inFlight.state(slot), "rejected", effects);
        }
    }

    /** The copy of a dying message is stored (or has nowhere to go). */
    public void deadLettered(long deliveryId, DeliveryEffects effects) {
        ack(DYING, deliveryId, effects);
    }

    /** Removes a consumer; what it has not settled returns to its place. */
    public void cancel(int consumer) {
        if (consumer < 0 || consumer >= slots || credits[consumer] == VACANT) {
            return;
        }
        if (credits[consumer] > 0) {
            withCredit--;
        }
        credits[consumer] = VACANT;
        consumerCount--;
        exclusive = false;
        if (inFlight.size() == 0) {
            return;
        }
        // collected first: removing shifts slots
        long[] ids = new long[inFlight.size()];
        int count = 0;
        for (int slot = 0; slot < inFlight.capacity(); slot++) {
            if (inFlight.occupied(slot) && inFlight.consumer(slot) == consumer) {
                ids[count++] = inFlight.id(slot);
            }
        }
        for (int i = 0; i < count; i++) {
            int slot = inFlight.find(ids[i]);
            returned.add(inFlight.sequence(slot), inFlight.position(slot), inFlight.state(slot));
            inFlight.remove(slot);
        }
    }

    /** Settles all waiting messages; those in flight stay. Returns how many. */
    public int purge(DeliveryEffects effects) {
        int count = ready();
        for (int i = 0; i < returned.size(); i++) {
            effects.settled(returned.position(i));
        }
        for (int i = 0; i < fresh.size(); i++) {
            effects.settled(fresh.position(i));
        }
        freshSequence += fresh.size();
        returned.clear();
        fresh.clear();
        return count;
    }

    /** Everything unsettled: what was delivered before, in no particular order, then what never was, in queue order. */
    public void forEach(ReferenceVisitor visitor) {
        long[] delivered = delivered();
        for (int i = 0; i < delivered.length; i += 3) {
            visitor.visit(delivered[i + 1], delivered[i + 2]);
        }
        visitFresh(0, Integer.MAX_VALUE, visitor);
    }

    /**
     * Messages that were never delivered, in queue order, from a place on.
     *
     * @param from 0, or what the last call answered; the queue may have moved on in between
     * @return where to go on; -1 after the last
     */
    public long visitFresh(long from, int max, ReferenceVisitor visitor) {
        int first = (int) Math.max(0, from - freshSequence);
        int count = fresh.size();
        int end = (int) Math.min(count, (long) first + max);
        for (int i = first; i < end; i++) {
            visitor.visit(fresh.position(i), fresh.state(i));
        }
        return end == count ? -1 : freshSequence + end;
    }

    /** Unsettled messages that were delivered, returned ones included, unsorted: sequence, position, state of each. */
    public long[] delivered() {
        long[] delivered = new long[3 * (inFlight.size() + returned.size())];
        int at = 0;
        for (int slot = 0; slot < inFlight.capacity(); slot++) {
            if (inFlight.occupied(slot)) {
                delivered[at++] = inFlight.sequence(slot);
                delivered[at++] = inFlight.position(slot);
                delivered[at++] = inFlight.state(slot);
            }
        }
        for (int i = 0; i < returned.size(); i++) {
            delivered[at++] = returned.sequence(i);
            delivered[at++] = returned.position(i);
            delivered[at++] = returned.state(i);
        }
        return delivered;
    }

    /** Sees references. */
    @FunctionalInterface
    public interface ReferenceVisitor {
        void visit(long position, long state);
    }

    private int nextConsumer() {
        int consumer = turn;
        do {
            if (consumer >= slots) {
                consumer = 0;
            }
            if (credits[consumer] > 0) {
                turn = consumer + 1;
                return consumer;
            }
            consumer++;
        } while (consumer != turn);
        throw new IllegalStateException("nobody has credit");
    }

    private int find(int consumer, long deliveryId) {
        int slot = deliveryId <= 0 ? -1 : inFlight.find(deliveryId);
        return slot >= 0 && inFlight.consumer(slot) == consumer ? slot : -1;
    }

    private void die(int slot, long state, String reason, DeliveryEffects effects) {
        long position = inFlight.position(slot);
        if (deadLetters) {
            inFlight.update(slot, state, DYING);
            effects.deadLetter(inFlight.id(slot), position, state, reason);
        } else {
            inFlight.remove(slot);
            effects.settled(position);
        }
    }
}
