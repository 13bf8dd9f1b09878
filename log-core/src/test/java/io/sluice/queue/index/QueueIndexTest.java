package io.sluice.queue.index;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.log.LogException;
import io.sluice.queue.Reference;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QueueIndexTest {
    private record Entry(long position, long state, long expiry) {}

    /** Against a plain queue: bursts up to several blocks, any partitions, sizes, states and expiries. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void keepsReferencesInOrder(long seed) {
        Random random = new Random(seed);
        int block = seed % 2 == 0 ? 1024 : 1 + random.nextInt(50);
        MemoryBlocks blocks = new MemoryBlocks(block);
        QueueIndex index = new QueueIndex(blocks, 7);
        ArrayDeque<Entry> model = new ArrayDeque<>();
        long first = 7;
        boolean wild = random.nextBoolean();
        long offset = 0;
        for (int step = 0; step < 60; step++) {
            for (int i = random.nextInt(3 * block); i > 0; i--) {
                offset += wild ? 1 + random.nextInt(1000) : 1;
                Entry entry = wild
                        ? new Entry(
                                Reference.position(random.nextInt(8), offset - random.nextInt(3)),
                                random.nextLong(),
                                random.nextInt(3) == 0 ? 0 : random.nextLong(1L << 48))
                        : new Entry(Reference.position(3, offset), Reference.fresh(100, 0), 0);
                index.add(entry.position(), entry.state(), entry.expiry());
                model.add(entry);
            }
            for (int i = random.nextInt(step % 3 == 0 ? 6 * block : 2 * block); i > 0 && !model.isEmpty(); i--) {
                assertThat(new Entry(index.firstPosition(), index.firstState(), index.firstExpiry()))
                        .isEqualTo(model.remove());
                index.removeFirst();
                first++;
            }
            assertThat(index.size()).isEqualTo(model.size());
            assertThat(index.isEmpty()).isEqualTo(model.isEmpty());
            assertThat(index.first()).isEqualTo(first);
            long from = first + (model.isEmpty() ? 0 : random.nextInt(model.size()));
            List<Entry> shown = new ArrayList<>();
            long at = from;
            while (at >= 0) {
                at = index.visit(at, 1 + random.nextInt(3000), (p, s, e) -> shown.add(new Entry(p, s, e)));
            }
            assertThat(shown).isEqualTo(model.stream().skip(from - first).toList());
        }
        index.clear();
        assertThat(blocks.sizeInBytes()).isZero();
    }

    @Test
    void whatCannotBeReadStaysWhereItIs() {
        FlakyBlocks blocks = new FlakyBlocks(new Random(3), new MemoryBlocks(4));
        QueueIndex index = new QueueIndex(blocks, 0);
        int count = 1000;
        for (int i = 0; i < count; i++) {
            index.add(Reference.position(1, i), Reference.fresh(i, 0), i);
        }
        for (int i = 0; i < count; ) {
            assertThat(new Entry(index.firstPosition(), index.firstState(), index.firstExpiry()))
                    .isEqualTo(new Entry(Reference.position(1, i), Reference.fresh(i, 0), i));
            assertThat(index.size()).isEqualTo(count - i);
            assertThat(index.first()).isEqualTo(i);
            try {
                index.removeFirst();
                i++;
            } catch (LogException e) {
                assertThat(index.isEmpty()).isFalse();
            }
        }
        assertThat(index.isEmpty()).isTrue();
        assertThat(blocks.failures()).isGreaterThan(100);
    }

    @Test
    void aLongBacklogTakesLittleMemory() {
        MemoryBlocks blocks = new MemoryBlocks();
        QueueIndex index = new QueueIndex(blocks, 0);
        for (int i = 0; i < 1_000_000; i++) {
            index.add(Reference.position(2, i), Reference.fresh(100, 0), 0);
        }
        assertThat(blocks.sizeInBytes()).isLessThan(1_100_000);
    }
}
