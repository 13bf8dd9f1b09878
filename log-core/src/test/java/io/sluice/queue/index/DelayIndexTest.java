package io.sluice.queue.index;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.queue.Reference;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DelayIndexTest {
    private static final long DAY = 86_400_000;

    /** Against a sorted map, over horizons from milliseconds to years, time going on in steps of all sizes. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void whatIsDueComesInTime(long seed) {
        Random random = new Random(seed);
        MemoryBlocks blocks = new MemoryBlocks();
        long now = 1_790_000_000_000L + random.nextInt(1 << 30);
        DelayIndex index = new DelayIndex(blocks, now);
        TreeMap<Long, Set<Long>> model = new TreeMap<>();
        long next = 0;
        long[] horizons = {5, 2_000, 70_000, 5_000_000, DAY, 5 * DAY, 200 * DAY, 900 * DAY};
        long size = 0;
        for (int step = 0; step < 2_000; step++) {
            long horizon = horizons[random.nextInt(horizons.length)];
            for (int i = random.nextInt(step % 100 == 0 ? 3_000 : 20); i > 0; i--) {
                long due = now - 3 + random.nextLong(horizon);
                long position = Reference.position((int) (next % 5), next++);
                index.add(position, Reference.fresh(50, 0), due);
                model.computeIfAbsent(due, absent -> new HashSet<>()).add(position);
                size++;
            }
            long wakeUp = index.next();
            if (model.isEmpty()) {
                assertThat(wakeUp).isEqualTo(Long.MAX_VALUE);
            } else {
                assertThat(wakeUp).as("in time").isLessThanOrEqualTo(model.firstKey());
            }
            now += switch (random.nextInt(4)) {
                case 0 -> random.nextInt(3);
                case 1 -> random.nextInt(3_000);
                case 2 -> model.isEmpty() ? 1 : Math.max(0, wakeUp - now);
                default -> random.nextInt(30) == 0 ? random.nextLong(3 * DAY) : random.nextInt(100_000);
            };
            index.advance(now);
            while (index.isDue(now)) {
                assertThat(index.firstDue()).isEqualTo(model.firstKey()).isLessThanOrEqualTo(now);
                Set<Long> due = model.firstEntry().getValue();
                assertThat(due.remove(index.firstPosition())).isTrue();
                if (due.isEmpty()) {
                    model.pollFirstEntry();
                }
                index.removeFirst();
                size--;
            }
            assertThat(model.isEmpty() || model.firstKey() > now)
                    .as("nothing due is left")
                    .isTrue();
            assertThat(index.size()).isEqualTo(size);
        }
        Set<Long> left = new HashSet<>();
        QueueIndex rest = index.clear();
        while (!rest.isEmpty()) {
            assertThat(left.add(rest.firstPosition())).isTrue();
            rest.removeFirst();
        }
        assertThat(left).hasSize((int) size);
        assertThat(index.next()).isEqualTo(Long.MAX_VALUE);
        assertThat(blocks.sizeInBytes()).isZero();
    }

    /** A checkpoint looks at it in parts while time goes on: what is there from beginning to end must be seen. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void visitsMissNothing(long seed) {
        Random random = new Random(seed);
        long now = 1_790_000_000_000L;
        DelayIndex index = new DelayIndex(new MemoryBlocks(), now);
        for (int i = 0; i < 5_000; i++) {
            index.add(i, 0, now + random.nextLong(random.nextBoolean() ? 400_000 : 300 * DAY));
        }
        Set<Long> seen = new HashSet<>();
        long place = 0;
        while (place >= 0) {
            place = index.visit(place, 1 + random.nextInt(50), (position, state, due) -> seen.add(position));
            now += random.nextInt(8) == 0 ? 70_000 : random.nextInt(3_000);
            index.advance(now);
            while (index.isDue(now)) {
                seen.add(index.firstPosition());
                index.removeFirst();
            }
        }
        assertThat(seen).hasSize(5_000);
    }
}
