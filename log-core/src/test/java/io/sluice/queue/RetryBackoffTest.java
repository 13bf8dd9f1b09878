package io.sluice.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Waits before retries. */
class RetryBackoffTest {
    private static long[] delays(RetryBackoff backoff, int... failures) {
        long[] delays = new long[failures.length];
        for (int i = 0; i < failures.length; i++) {
            delays[i] = backoff.delay(failures[i], 7);
        }
        return delays;
    }

    @Test
    void growsAsAskedUpToItsBound() {
        assertThat(delays(new RetryBackoff(100, 450, RetryBackoff.LINEAR, 0), 1, 2, 4, 5, 65_535))
                .containsExactly(100, 200, 400, 450, 450);
        assertThat(delays(new RetryBackoff(100, 100_000, 1, 0), 1, 2, 65_535)).containsExactly(100, 100, 100);
        assertThat(delays(new RetryBackoff(100, 1_000, 3, 0), 1, 2, 3, 4, 65_535))
                .containsExactly(100, 300, 900, 1_000, 1_000);
        long longest = RetryBackoff.MAX_MILLIS;
        assertThat(delays(new RetryBackoff(longest, longest, Integer.MAX_VALUE, 0), 1, 65_535))
                .containsExactly(longest, longest);
        // the next wait would not fit into a long
        assertThat(delays(new RetryBackoff(longest - 1, longest, Integer.MAX_VALUE, 0), 1, 2))
                .containsExactly(longest - 1, longest);
        assertThat(delays(new RetryBackoff(longest, longest, RetryBackoff.LINEAR, 0), 65_535))
                .containsExactly(longest);
    }

    @Test
    void jitterShortensDifferentlyForEachMessageAndTheSameForOne() {
        RetryBackoff backoff = new RetryBackoff(1_000, 1_000, 1, 20);
        Set<Long> seen = new TreeSet<>();
        for (int i = 0; i < 1_000; i++) {
            long delay = backoff.delay(1, Reference.position(i % 8, i));
            assertThat(delay).isBetween(800L, 1_000L);
            assertThat(backoff.delay(1, Reference.position(i % 8, i))).isEqualTo(delay);
            seen.add(delay);
        }
        assertThat(seen).hasSizeGreaterThan(150);
        assertThat(new RetryBackoff(1, 1, 1, 100).delay(1, 3)).isPositive();
    }

    @Test
    void whatMakesNoSenseIsRefused() {
        for (long[] wrong : new long[][] {
            {0, 10, 1, 0},
            {10, 9, 1, 0},
            {1, RetryBackoff.MAX_MILLIS + 1, 1, 0},
            {1, 1, -1, 0},
            {1, 1, 1, 101},
            {1, 1, 1, -1}
        }) {
            assertThatThrownBy(() -> new RetryBackoff(wrong[0], wrong[1], (int) wrong[2], (int) wrong[3]))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }
}
