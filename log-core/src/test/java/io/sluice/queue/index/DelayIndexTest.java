package io.sluice.queue.index;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.log.LogException;
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
        index.clear(rest -> {
            while (!rest.isEmpty()) {
                assertThat(left.add(rest.firstPosition())).isTrue();
                rest.removeFirst();
            }
        });
        assertThat(left).hasSize((int) size);
        assertThat(index.next()).isEqualTo(Long.MAX_VALUE);
        assertThat(blocks.sizeInBytes()).isZero();
    }

    /** Blocks fail while time goes on: a bucket is opened in several attempts, and looked at in between. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void whatCannotBeReadComesLateAndOnce(long seed) {
        Random random = new Random(seed);
        MemoryBlocks memory = new MemoryBlocks(1 + random.nextInt(4));
        FlakyBlocks blocks = new FlakyBlocks(random, memory);
        long now = 1_790_000_000_000L + random.nextInt(1 << 30);
        DelayIndex index = new DelayIndex(blocks, now);
        Set<Long> waiting = new HashSet<>();
        for (int i = 0; i < 3_000; i++) {
            long position = Reference.position(i % 5, i);
            index.add(position, 0, now + random.nextLong(random.nextBoolean() ? 400_000 : 900 * DAY));
            waiting.add(position);
        }
        while (!waiting.isEmpty()) {
            try {
                index.advance(now);
                now = Math.max(now, Math.min(index.next(), now + 200 * DAY));
            } catch (LogException e) {
                assertThat(index.next()).as("to be tried again").isLessThanOrEqualTo(now);
            }
            while (index.isDue(now)) {
                assertThat(waiting.remove(index.firstPosition())).isTrue();
                index.removeFirst();
            }
            assertThat(index.size()).isEqualTo(waiting.size());
            if (random.nextInt(50) == 0) {
                Set<Long> seen = new HashSet<>();
                boolean whole = false;
                while (!whole) {
                    try {
                        index.visit(0, Integer.MAX_VALUE, (position, state, due) -> seen.add(position));
                        whole = true;
                    } catch (LogException e) {
                        whole = random.nextInt(200) == 0;
                    }
                }
                assertThat(waiting).containsAll(seen);
            }
        }
        assertThat(blocks.failures()).isGreaterThan(100);
        assertThat(memory.sizeInBytes()).isZero();
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
