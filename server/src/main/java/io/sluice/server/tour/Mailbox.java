package io.sluice.server.tour;

import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** What a consumer has received. Thread-safe. */
final class Mailbox {
    private final String owner;
    private final Set<Reading> received = new LinkedHashSet<>();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition arrived = lock.newCondition();

    Mailbox(String owner) {
        this.owner = owner;
    }

    void put(Reading reading) {
        lock.lock();
        try {
            received.add(reading);
            arrived.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Waits until all of {@code expected} are there. */
    void await(Collection<Reading> expected, long seconds) throws TourFailedException {
        long left = TimeUnit.SECONDS.toNanos(seconds);
        lock.lock();
        try {
            while (!received.containsAll(expected)) {
                if (left <= 0) {
                    Set<Reading> missing = new LinkedHashSet<>(expected);
                    missing.removeAll(received);
                    throw new TourFailedException("The " + owner + " consumer did not get " + missing.size() + " of "
                            + expected.size() + " messages within " + seconds + " s, among them "
                            + missing.iterator().next() + ".");
                }
                left = arrived.awaitNanos(left);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TourFailedException("Interrupted.", e);
        } finally {
            lock.unlock();
        }
    }
}
