package io.sluice.io;

/** The machine's clock: wall time read once at the start, then carried on by the monotonic clock. */
public final class SystemClock implements Clock {
    private final long wallAtStart = System.currentTimeMillis();
    private final long nanosAtStart = System.nanoTime();

    @Override
    public long epochMillis() {
        return wallAtStart + (System.nanoTime() - nanosAtStart) / 1_000_000L;
    }

    @Override
    public long nanoTime() {
        return System.nanoTime();
    }
}
