package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Publishers are slowed only while consumers that nearly keep up are behind. */
final class ConsumerLagTest {
    private static final int STEP = 20;

    private final ConsumerLag lag = new ConsumerLag();
    private long now = 1_000_000;
    private long ready;
    private long delivered;
    private int pause;

    /** In each step so many are published and so many delivered. */
    private void steps(int count, int published, int taken) {
        for (int i = 0; i < count; i++) {
            now += STEP;
            int out = (int) Math.min(taken, ready + published);
            ready += published - out;
            delivered += out;
            pause = lag.pause(now, ready, delivered);
        }
    }

    @Test
    void aBacklogThatConsumersHoldButDoNotReduceSlowsPublishersMoreAndMore() {
        ready = 40_000;
        steps(1, 600, 600);
        steps(1, 600, 600);
        assertThat(pause).isBetween(1, ConsumerLag.MAX_PAUSE - 1);
        steps(10, 600, 600);
        assertThat(pause).isEqualTo(ConsumerLag.MAX_PAUSE);
    }

    @Test
    void itEndsWhenTheyHaveCaughtUp() {
        ready = 40_000;
        steps(10, 600, 600);
        steps(200, 100, 900);
        assertThat(ready).isZero();
        assertThat(pause).isZero();
    }

    @Test
    void itIsLessWhereTheBacklogGoesQuickly() {
        ready = 40_000;
        steps(10, 600, 600);
        steps(3, 0, 4_000);
        assertThat(pause).isBetween(1, ConsumerLag.MAX_PAUSE / 4);
    }

    @Test
    void workersMuchSlowerThanThePublisherSlowNobody() {
        ready = 40_000;
        steps(50, 600, 200);
        assertThat(pause).isZero();
        steps(50, 10, 8);
        assertThat(pause).as("few messages a second").isZero();
    }

    @Test
    void aShortBacklogIsNone() {
        ready = ConsumerLag.BEHIND / 2;
        steps(50, 600, 600);
        assertThat(pause).isZero();
    }

    @Test
    void anOldLookSaysNothing() {
        ready = 40_000;
        steps(1, 600, 600);
        now += 60_000;
        steps(1, 600, 600);
        assertThat(pause).isZero();
    }

    @Test
    void looksInBetweenChangeNothing() {
        ready = 40_000;
        steps(10, 600, 600);
        now += STEP / 2;
        delivered += 20_000;
        ready -= 20_000;
        assertThat(lag.pause(now, ready, delivered)).isEqualTo(ConsumerLag.MAX_PAUSE);
    }
}
