package io.sluice.server.metrics;

import java.util.concurrent.atomic.LongAdder;

/** Connections of one door. Thread-safe. */
public final class ConnectionCount {
    private final LongAdder opened = new LongAdder();
    private final LongAdder closed = new LongAdder();

    ConnectionCount() {}

    public void opened() {
        opened.increment();
    }

    public void closed() {
        closed.increment();
    }

    long open() {
        return Math.max(0, opened.sum() - closed.sum());
    }

    long total() {
        return opened.sum();
    }
}
