package io.sluice.amqp.trace;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What a queue owes its consumers, message by message, numbered in the order of their publishes. A client tells it what it is about
 * to settle before it sends that, and each delivery when it has read it, so nothing that the queue may rightly do contradicts it.
 * Thread-safe.
 */
final class QueueModel {
    private enum State {
        NOT_PUBLISHED,
        READY,
        HELD,
        ACKNOWLEDGED,
        DEAD
    }

    private final int deliveryLimit;
    private State[] states = new State[1024];
    private boolean[] seen = new boolean[1024];
    private boolean[] first = new boolean[1024];
    private int[] failures = new int[1024];
    private final int[] newestFirst;
    private final int[] counts = new int[State.values().length];
    private int published;
    private long deliveries;
    private long unexplained;
    private long mayBeUnexplained;
    private @Nullable AssertionError broken;

    /**
     * A queue without messages.
     *
     * @param deliveryLimit failures that a message may have, -1 = any number
     */
    QueueModel(int consumers, int deliveryLimit) {
        this.deliveryLimit = deliveryLimit;
        newestFirst = new int[consumers + 1]; // the last one empties the queue at the end
        Arrays.fill(newestFirst, -1);
        Arrays.fill(states, State.NOT_PUBLISHED);
    }

    /** The number of the next message, which is about to be published. */
    synchronized int publish() {
        if (published == states.length) {
            int size = 2 * published;
            states = Arrays.copyOf(states, size);
            Arrays.fill(states, published, size, State.NOT_PUBLISHED);
            seen = Arrays.copyOf(seen, size);
            first = Arrays.copyOf(first, size);
            failures = Arrays.copyOf(failures, size);
        }
        move(published, State.READY);
        return published++;
    }

    private void move(int message, State to) {
        counts[states[message].ordinal()]--;
        counts[to.ordinal()]++;
        states[message] = to;
        notifyAll();
    }

    /** Waits until so few messages are ready or {@code millis} are over. */
    synchronized void awaitReady(int atMost, long millis) throws InterruptedException {
        if (ready() > atMost) {
            wait(millis);
        }
    }

    /** Deliveries so far. */
    synchronized long deliveries() {
        return deliveries;
    }

    synchronized int published() {
        return published;
    }

    /** Messages that are neither held nor settled. */
    synchronized int ready() {
        return counts[State.READY.ordinal()];
    }

    synchronized int dead() {
        return counts[State.DEAD.ordinal()];
    }

    synchronized boolean isDead(int message) {
        return message < published && states[message] == State.DEAD;
    }

    /**
     * A consumer goes, or gives all back: so many deliveries that were meant for it may come to others marked as redelivered although
     * nobody has seen them, or behind later ones.
     */
    synchronized void interrupted(int atMost) {
        mayBeUnexplained += atMost;
    }

    /** A message has come, which its receiver now holds. */
    synchronized void delivered(int consumer, int message, boolean redelivered, long failed) {
        boolean before = message < published && seen[message];
        told(consumer, message, redelivered);
        if (before && !redelivered) {
            fail("message " + message + " has been delivered before and is not marked");
        }
        if (states[message] != State.READY) {
            fail("message " + message + " is delivered while " + states[message]);
        }
        if (failed != failures[message]) {
            fail("message " + message + " says it failed " + failed + " times and did " + failures[message]);
        }
        move(message, State.HELD);
    }

    /**
     * A message has come that its receiver has given back already, with all else it held. Another consumer may have seen it since then,
     * marked as redelivered, before this one has read its own delivery.
     */
    synchronized void deliveredTooLate(int consumer, int message, boolean redelivered) {
        told(consumer, message, redelivered);
    }

    private void told(int consumer, int message, boolean redelivered) {
        deliveries++;
        if (message >= published) {
            fail("message " + message + " was not published");
        }
        if (!redelivered) {
            if (first[message]) {
                fail("message " + message + " is delivered twice as if for the first time");
            }
            first[message] = true;
            // what was on its way to a consumer that went, and had not left the broker, comes late and is new
            if (message < newestFirst[consumer] && ++unexplained > mayBeUnexplained) {
                fail("message " + message + " comes to consumer " + consumer + " after " + newestFirst[consumer]);
            }
            newestFirst[consumer] = Math.max(newestFirst[consumer], message);
        } else if (!seen[message] && ++unexplained > mayBeUnexplained) {
            fail("message " + message + " is marked as redelivered and nobody has seen it");
        }
        seen[message] = true;
    }

    synchronized void acknowledge(int message) {
        settle(message, State.ACKNOWLEDGED);
    }

    synchronized void reject(int message) {
        settle(message, State.DEAD);
    }

    /** Gives back what could not be processed. */
    synchronized void requeue(int message) {
        failures[message]++;
        boolean dies = deliveryLimit >= 0 && failures[message] > deliveryLimit;
        settle(message, dies ? State.DEAD : State.READY);
    }

    /** Gives back what nobody has tried. */
    synchronized void release(int message) {
        settle(message, State.READY);
    }

    private void settle(int message, State state) {
        if (states[message] != State.HELD) {
            fail("message " + message + " is settled while " + states[message]);
        }
        move(message, state);
    }

    private void fail(String what) {
        AssertionError error = new AssertionError(what);
        if (broken == null) {
            broken = error;
        }
        throw error;
    }

    /** Fails if something was wrong before. */
    synchronized void check() {
        if (broken != null) {
            throw broken;
        }
    }
}
