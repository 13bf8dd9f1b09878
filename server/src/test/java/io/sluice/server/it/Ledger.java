package io.sluice.server.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * What one publisher sent, what was confirmed to it, and what its reader got, in order. Messages are numbered from 0 by their
 * publisher and sent once each. Thread-safe.
 */
final class Ledger {
    private final String name;
    private final BitSet confirmed = new BitSet();
    private final BitSet delivered = new BitSet();
    private final List<String> violations = new ArrayList<>();
    private int sent;
    private int highestFirstDelivery = -1;
    private int repeated;

    Ledger(String name) {
        this.name = name;
    }

    synchronized int send() {
        return sent++;
    }

    synchronized void confirm(int id) {
        confirmed.set(id);
    }

    synchronized int confirmedCount() {
        return confirmed.cardinality();
    }

    /** Notes a delivery; first deliveries must rise. */
    synchronized void deliver(int id) {
        if (id < 0 || id >= sent) {
            violations.add("invented message " + id + " of " + sent + " sent");
        } else if (delivered.get(id)) {
            repeated++;
        } else {
            delivered.set(id);
            if (id < highestFirstDelivery) {
                violations.add("first delivery of " + id + " after " + highestFirstDelivery);
            }
            highestFirstDelivery = Math.max(highestFirstDelivery, id);
        }
    }

    /** True once every confirmed message was delivered. */
    synchronized boolean complete() {
        BitSet missing = (BitSet) confirmed.clone();
        missing.andNot(delivered);
        return missing.isEmpty();
    }

    synchronized int repeatedCount() {
        return repeated;
    }

    /** Fails with what was lost, invented or out of order. */
    synchronized void check() {
        BitSet missing = (BitSet) confirmed.clone();
        missing.andNot(delivered);
        assertThat(missing).as("%s: confirmed but never delivered", name).isEqualTo(new BitSet());
        assertThat(violations).as(name).isEmpty();
    }

    @Override
    public synchronized String toString() {
        return name + ": sent " + sent + ", confirmed " + confirmed.cardinality() + ", delivered "
                + delivered.cardinality() + ", repeated " + repeated;
    }
}
