package io.sluice.queue;

/**
 * How long a message that failed waits before it is delivered again.
 *
 * @param firstMillis after the first failure, 1 to {@link #MAX_MILLIS}
 * @param maxMillis no wait is longer, {@code firstMillis} to {@link #MAX_MILLIS}
 * @param multiplier {@link #LINEAR}: n times the first wait after the n-th failure; 1: always the first wait; above: each wait is so
 *     many times the one before
 * @param jitterPercent up to so many percent of a wait are left out, differently for each message and failure, 0 to 100
 */
public record RetryBackoff(long firstMillis, long maxMillis, int multiplier, int jitterPercent) {
    public static final int LINEAR = 0;

    /** Ten years. */
    public static final long MAX_MILLIS = 10L * 366 * 24 * 3600 * 1000;

    private static final long GOLDEN = 0x9E37_79B9_7F4A_7C15L;

    public RetryBackoff {
        if (firstMillis < 1 || maxMillis < firstMillis || maxMillis > MAX_MILLIS) {
            throw new IllegalArgumentException(
                    "wait of " + firstMillis + " to " + maxMillis + " ms is not from 1 to " + MAX_MILLIS);
        }
        if (multiplier < LINEAR || jitterPercent < 0 || jitterPercent > 100) {
            throw new IllegalArgumentException("multiplier " + multiplier + ", jitter " + jitterPercent + " %");
        }
    }

    /**
     * Milliseconds to wait.
     *
     * @param failures with the last one, at least 1
     * @param position of the message: the same one waits the same time again
     */
    long delay(int failures, long position) {
        long delay = firstMillis;
        if (multiplier == LINEAR) {
            // at most 2^16 failures of ten years: no overflow
            delay = firstMillis * failures;
        } else if (multiplier > 1) {
            for (int i = 1; i < failures && delay < maxMillis; i++) {
                // beyond the bound before it could overflow
                delay = delay > maxMillis / multiplier ? maxMillis : delay * multiplier;
            }
        }
        delay = Math.min(delay, maxMillis);
        long mixed = (position * GOLDEN + failures) * GOLDEN;
        long cut = delay * jitterPercent / 100;
        return cut == 0 ? delay : Math.max(1, delay - Math.floorMod(mixed ^ mixed >>> 32, cut + 1));
    }
}
