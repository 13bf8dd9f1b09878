package io.sluice.queue.state;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.queue.DeathReason;
import io.sluice.queue.DeliveryEffects;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.Reference;
import io.sluice.queue.index.MemoryBlocks;
import io.sluice.queue.index.QueueIndex;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Journal records of a queue's life, and what recovery makes of them. */
class QueueStateTest {
    private static final long QUEUE = 7;
    private static final long NOW = 1_790_000_000_000L;
    private static final long[] START = new long[2];
    private static final long[] END = {1000, 1000};

    private final MemoryBlocks blocks = new MemoryBlocks(3);

    private static final DeliveryEffects NO_EFFECTS = new DeliveryEffects() {
        @Override
        public void deliver(int consumer, long deliveryId, long position, long state, boolean settled) {}

        @Override
        public void settled(long position) {}

        @Override
        public void failed(long position, int deliveryCount) {}

        @Override
        public void postponed(long position, long due) {}

        @Override
        public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {}

        @Override
        public void purged(QueueIndex references) {
            references.clear();
        }
    };

    @Test
    void aPurgeTakesAllBelowItsBoundsButWhatWasInFlight() {
        RecoveredState state = new RecoveredState(2, blocks);
        apply(state, checkpoint(QUEUE, machineWith(QueuePolicy.NONE, 0, 10), END));
        QueueDelta delta = new QueueDelta();
        delta.purged(new long[] {8, 4}, new long[] {Reference.position(0, 2), Reference.position(1, 3)});
        apply(state, List.of(written(delta)));
        state.finish(START, END);
        assertThat(taken(state).keySet())
                .containsExactlyInAnyOrder(
                        Reference.position(0, 2),
                        Reference.position(0, 8),
                        Reference.position(1, 3),
                        Reference.position(1, 5),
                        Reference.position(1, 7),
                        Reference.position(1, 9));
    }

    @Test
    void theExceptionsOfALaterPurgeReplaceThoseOfAnEarlierOne() {
        RecoveredState state = new RecoveredState(2, blocks);
        apply(state, checkpoint(QUEUE, machineWith(QueuePolicy.NONE, 0, 10), END));
        QueueDelta delta = new QueueDelta();
        delta.purged(new long[] {6, 6}, new long[] {Reference.position(0, 2)});
        apply(state, List.of(written(delta)));
        delta.clear();
        delta.purged(new long[] {8, 8}, new long[] {Reference.position(0, 6)});
        apply(state, List.of(written(delta)));
        delta.clear();
        delta.settled(Reference.position(1, 9));
        apply(state, List.of(written(delta)));
        state.finish(START, END);
        assertThat(taken(state).keySet()).containsExactlyInAnyOrder(Reference.position(0, 6), Reference.position(0, 8));
    }

    @Test
    void whatNobodyOpenedKeepsItsArrivalOverTwoCheckpoints() {
        RecoveredState state = new RecoveredState(2, blocks);
        apply(state, checkpoint(QUEUE, machineWith(QueuePolicy.NONE, 0, 0), new long[2]));
        ByteBuf arrived = Unpooled.buffer();
        StateCodec.begin(arrived, StateCodec.ARRIVED, QUEUE);
        StateCodec.writeLong(arrived, 3);
        for (int i = 0; i < 3; i++) {
            arrived.writeLong(Reference.position(1, i));
            arrived.writeLong(Reference.fresh(100, i));
            arrived.writeLong(i == 1 ? NOW + 50 : Reference.NEVER);
            arrived.writeLong(NOW + i);
        }
        List<ByteBuf> first = checkpoint(QUEUE, machineWith(QueuePolicy.NONE, 0, 2), END);
        first.add(first.size() - 1, arrived);
        apply(state, first);
        state.finish(START, END);
        List<ByteBuf> second = new ArrayList<>();
        CheckpointWriter writer = new CheckpointWriter(END, 0, List.of(QUEUE), state, id -> null);
        while (!writer.write(1, value -> second.add(Unpooled.copiedBuffer(value)))) {
            assertThat(second).hasSizeLessThan(50);
        }
        writer.close();

        RecoveredState again = new RecoveredState(2, blocks);
        apply(again, second);
        again.finish(START, END);
        List<String> seen = new ArrayList<>();
        again.take(
                QUEUE,
                (position, s, expiry) -> seen.add("waiting " + Reference.offset(position)),
                (position, s, expiry, arrival) -> seen.add("arrived " + Reference.offset(position) + " priority "
                        + Reference.priority(s) + " expiry " + (expiry == 0 ? 0 : expiry - NOW) + " at "
                        + (arrival - NOW)));
        assertThat(seen)
                .containsExactly(
                        "waiting 0",
                        "waiting 1",
                        "arrived 0 priority 0 expiry 0 at 0",
                        "arrived 1 priority 1 expiry 50 at 1",
                        "arrived 2 priority 2 expiry 0 at 2");
    }

    @Test
    void deliveriesOfOnePrioritySayNothingAboutAnother() {
        QueuePolicy policy = QueuePolicy.builder().maxPriority(9).build();
        DeliveryMachine machine = new DeliveryMachine(policy, blocks, NOW);
        for (int i = 0; i < 12; i++) {
            machine.enqueue(Reference.position(i % 2, i), Reference.fresh(10, i % 3), Reference.NEVER, NOW, NOW);
        }
        RecoveredState state = new RecoveredState(2, blocks);
        apply(state, checkpoint(QUEUE, machine, END));
        QueueDelta delta = new QueueDelta();
        assertThat(delta.delivered(Reference.position(0, 2), 2)).isTrue();
        assertThat(delta.delivered(Reference.position(0, 8), 2)).isTrue();
        assertThat(delta.delivered(Reference.position(0, 2), 2)).as("again").isFalse();
        assertThat(delta.delivered(Reference.position(1, 1), 1)).isTrue();
        assertThat(delta.delivered(Reference.position(1, 11), 2)).isTrue();
        apply(state, List.of(written(delta)));
        delta.clear();
        assertThat(delta.delivered(Reference.position(1, 11), 2)).as("known").isFalse();
        state.finish(START, END);
        Set<Long> redelivered = new TreeSet<>();
        taken(state).forEach((position, s) -> {
            if (Reference.redelivered(s)) {
                redelivered.add(Reference.offset(position));
            }
        });
        assertThat(redelivered).containsExactly(1L, 2L, 5L, 8L, 11L);
    }

    /** References move to finer buckets, and fall due, between the slices of a checkpoint. */
    @Test
    void aCheckpointOfADelayedQueueMissesNothingWhileTimeGoesOn() {
        long delayed = -5;
        QueuePolicy policy = QueuePolicy.builder().delayed(true).build();
        for (int pace = 1; pace < 40; pace += 3) {
            DeliveryMachine machine = new DeliveryMachine(policy, blocks, NOW);
            Map<Long, Long> dues = new TreeMap<>();
            for (int i = 0; i < 300; i++) {
                long due = NOW + 1 + (long) i * i * 97;
                dues.put(Reference.position(0, i), due);
                machine.enqueue(Reference.position(0, i), Reference.fresh(10, 0), due, NOW, NOW);
            }
            List<ByteBuf> records = new ArrayList<>();
            CheckpointWriter writer =
                    new CheckpointWriter(END, 0, List.of(delayed), new RecoveredState(2, blocks), id -> machine);
            long now = NOW;
            while (!writer.write(5, value -> records.add(Unpooled.copiedBuffer(value)))) {
                now += pace * 1_000L;
                machine.expire(now, NO_EFFECTS);
            }
            writer.close();
            RecoveredState state = new RecoveredState(2, blocks);
            apply(state, records);
            state.finish(START, END);
            Map<Long, Long> found = new TreeMap<>();
            state.take(
                    delayed,
                    (position, s, expiry) ->
                            assertThat(found.put(position, expiry)).as("twice").isNull(),
                    (position, s, expiry, arrival) -> {});
            // what fell due is dying, not settled: it is there, too
            assertThat(found).isEqualTo(dues);
            machine.close(NO_EFFECTS);
        }
    }

    private DeliveryMachine machineWith(QueuePolicy policy, int from, int to) {
        DeliveryMachine machine = new DeliveryMachine(policy, blocks, NOW);
        for (int i = from; i < to; i++) {
            machine.enqueue(Reference.position(i % 2, i), Reference.fresh(10, 0), Reference.NEVER, NOW, NOW);
        }
        return machine;
    }

    private List<ByteBuf> checkpoint(long queue, DeliveryMachine machine, long[] fed) {
        List<ByteBuf> records = new ArrayList<>();
        CheckpointWriter writer =
                new CheckpointWriter(fed, 0, List.of(queue), new RecoveredState(2, blocks), id -> machine);
        boolean last = false;
        while (!last) {
            last = writer.write(4, value -> records.add(Unpooled.copiedBuffer(value)));
        }
        writer.close();
        return records;
    }

    private static ByteBuf written(QueueDelta delta) {
        ByteBuf value = Unpooled.buffer();
        delta.write(value, QUEUE);
        return value;
    }

    private static void apply(RecoveredState state, List<ByteBuf> records) {
        records.forEach(state::apply);
    }

    private static Map<Long, Long> taken(RecoveredState state) {
        Map<Long, Long> states = new TreeMap<>();
        state.take(
                QUEUE,
                (position, s, expiry) -> states.put(position, s),
                (position, s, expiry, arrival) -> states.put(position, s));
        return states;
    }
}
