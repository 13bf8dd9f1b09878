package io.sluice.io;

/** Time as the core sees it. Thread-safe. */
public interface Clock {
    /** Milliseconds since 1970-01-01T00:00Z; advances with elapsed time even when the wall clock is stepped. */
    long epochMillis();

    /** Monotonic nanoseconds from an arbitrary origin; for intervals only. */
    long nanoTime();
}
