package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.log.LiveOffsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Pins and the snapshots made of them, against a map of all references. */
class HomePinsTest {
    private final HomePins pins = new HomePins();

    @Test
    void nothingIsLiveWhereNothingRefers() {
        assertThat(pins.floor(77)).isEqualTo(77);
        LiveOffsets live = pins.live(77);
        assertThat(live.anyLive(0, 76)).isFalse();
        assertThat(live.anyLive(70, 77)).as("not known yet").isTrue();
        assertThat(live.liveRuns(0, 1000)).isZero();
    }

    @Test
    void aReferenceLeftBehindHoldsItsRunAlone() {
        pins.add(130);
        for (long offset = 131; offset < 5_000_000; offset++) {
            pins.add(offset);
            pins.remove(offset);
        }
        assertThat(pins.liveRuns()).isOne();
        assertThat(pins.floor(5_000_000)).isEqualTo(128);
        LiveOffsets live = pins.live(5_000_000);
        assertThat(live.anyLive(0, 127)).isFalse();
        assertThat(live.anyLive(191, 191)).isTrue();
        assertThat(live.anyLive(192, 4_999_999)).isFalse();
        assertThat(live.liveRuns(0, 5_000_000)).isOne();
        pins.remove(130);
        assertThat(pins.floor(5_000_000)).isEqualTo(5_000_000);
        assertThat(live.anyLive(128, 128)).as("of its moment").isTrue();
    }

    @Test
    void pinsEqualTheReferencesThemselves() {
        for (long seed = 1; seed <= 20; seed++) {
            pinsEqualTheReferencesThemselves(new Random(seed));
        }
    }

    private static void pinsEqualTheReferencesThemselves(Random random) {
        HomePins pins = new HomePins();
        TreeMap<Long, Integer> references = new TreeMap<>();
        long start = random.nextInt(3) == 0 ? 1L << 40 : 0;
        int recovered = random.nextInt(50);
        long end = start + 200_000;
        for (int i = 0; i < recovered; i++) {
            // a start finds them in any order
            add(pins, references, start + random.nextInt(200_000));
        }
        List<Long> order = new ArrayList<>();
        for (int step = 0; step < 3000; step++) {
            if (random.nextInt(5) < 2 || references.isEmpty()) {
                end += random.nextInt(10) == 0 ? random.nextInt(100_000) : random.nextInt(3);
                add(pins, references, end++);
            } else {
                long offset = end - start > 0
                        ? references.ceilingKey(
                                Math.min(references.lastKey(), start + (long) (random.nextDouble() * (end - start))))
                        : references.firstKey();
                pins.remove(offset);
                references.merge(offset, -1, (a, b) -> a + b == 0 ? null : a + b);
                order.add(offset);
            }
            if (step % 50 == 0) {
                check(pins, references, random, start, end);
            }
        }
        assertThat(order).isNotEmpty();
    }

    private static void add(HomePins pins, TreeMap<Long, Integer> references, long offset) {
        pins.add(offset);
        references.merge(offset, 1, Integer::sum);
    }

    private static void check(HomePins pins, TreeMap<Long, Integer> references, Random random, long start, long end) {
        long floor = references.isEmpty() ? end : references.firstKey() / LiveOffsets.RUN * LiveOffsets.RUN;
        assertThat(pins.floor(end)).isEqualTo(floor);
        LiveOffsets live = pins.live(end);
        assertThat(live.end()).isEqualTo(end);
        assertThat(live.liveRuns(0, end)).isEqualTo(pins.liveRuns()).isEqualTo(runs(references, 0, end));
        for (int i = 0; i < 30; i++) {
            long from = start + (long) (random.nextDouble() * (end - start));
            long to = Math.min(end, from + 1 + random.nextInt(random.nextBoolean() ? 100 : 300_000));
            long expected = runs(references, from, to);
            assertThat(live.liveRuns(from, to)).isEqualTo(expected);
            assertThat(live.anyLive(from, to - 1)).isEqualTo(expected > 0);
        }
    }

    private static long runs(TreeMap<Long, Integer> references, long from, long to) {
        return references
                .subMap(
                        from / LiveOffsets.RUN * LiveOffsets.RUN,
                        (to + LiveOffsets.RUN - 1) / LiveOffsets.RUN * LiveOffsets.RUN)
                .keySet()
                .stream()
                .map(offset -> offset / LiveOffsets.RUN)
                .distinct()
                .count();
    }
}
