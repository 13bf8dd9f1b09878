package io.sluice.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * The delivery machine against a naive model in random mixes of all commands. {@code -Dsim.seeds=N} sets the number of seeds,
 * {@code -Dsim.seed=S} the first one.
 */
class DeliveryMachineSimTest {
    private static final int STEPS = 1_000;

    @Test
    void behavesAsTheNaiveModel() {
        long first = Long.getLong("sim.seed", 1);
        long seeds = Long.getLong("sim.seeds", 200);
        for (long seed = first; seed < first + seeds; seed++) {
            try {
                new Run(seed).go();
            } catch (AssertionError | RuntimeException e) {
                fail("seed " + seed + " (repeat with -Dsim.seeds=1 -Dsim.seed=" + seed + "): " + e, e);
            }
        }
    }

    /** What the model knows of a message. */
    private static final class Message {
        final long position;
        int failures;
        boolean delivered;

        Message(long position) {
            this.position = position;
        }
    }

    private record Held(Message message, int consumer) {}

    /** One seed: every effect of the machine is looked up in the model. */
    private static final class Run implements DeliveryEffects {
        final Random random;
        final boolean deadLetters;
        final int limit;
        final DeliveryMachine machine;

        // the naive model: waiting messages by their place, those held by delivery id
        final TreeMap<Long, Message> waiting = new TreeMap<>();
        final Map<Long, Held> held = new HashMap<>();
        final Map<Long, Message> dying = new HashMap<>();
        final Map<Integer, Integer> credit = new HashMap<>();
        final Map<Integer, Boolean> auto = new HashMap<>();
        final Set<Long> settled = new HashSet<>();
        final Set<Long> mustSettle = new HashSet<>();
        final List<Long> firstDeliveries = new ArrayList<>();
        Message restored;
        int lastConsumer = -1;
        long next;
        long lastId;

        Run(long seed) {
            random = new Random(seed);
            deadLetters = random.nextBoolean();
            limit = random.nextInt(5) - 1;
            machine = new DeliveryMachine(deadLetters, limit);
        }

        void go() {
            for (int step = 0; step < STEPS; step++) {
                command();
                assertThat(mustSettle).as("settled in this step").isEmpty();
                assertThat(machine.ready()).isEqualTo(waiting.size());
                assertThat(machine.unacked()).isEqualTo(held.size() + dying.size());
                assertThat(machine.consumers()).isEqualTo(credit.size());
                boolean takers = credit.values().stream().anyMatch(c -> c > 0);
                long expected =
                        takers && !waiting.isEmpty() ? waiting.firstEntry().getValue().position : Reference.NONE;
                assertThat(machine.nextPosition()).isEqualTo(expected);
            }
            assertThat(firstDeliveries).as("order of first deliveries").isSorted();
            Set<Long> left = new HashSet<>();
            machine.forEach((position, state) -> assertThat(left.add(position)).isTrue());
            assertThat(left.size() + settled.size()).as("nothing lost").isEqualTo((int) next);
        }

        void command() {
            switch (random.nextInt(16)) {
                case 0 -> restore();
                case 1, 2, 3 -> {
                    for (int i = random.nextInt(4); i >= 0; i--) {
                        long position = Reference.position((int) (next % 3), next);
                        // positions of the model rise with the place in the queue
                        waiting.put(next, new Message(position));
                        machine.enqueue(position, Reference.state(10, 0, false));
                        next++;
                    }
                }
                case 4 -> attach();
                case 5, 6 -> {
                    if (!credit.isEmpty()) {
                        int consumer = anyConsumer();
                        int more = random.nextInt(20) == 0 ? DeliveryMachine.UNLIMITED : random.nextInt(6);
                        machine.credit(consumer, more);
                        int now = credit.get(consumer);
                        credit.put(consumer, more > Integer.MAX_VALUE - now ? Integer.MAX_VALUE : now + more);
                    }
                }
                case 7, 8, 9 -> {
                    for (int i = 0; i < 5 && machine.nextPosition() != Reference.NONE; i++) {
                        machine.dispatch(this);
                        assertThat(mustSettle).isEmpty();
                    }
                }
                case 10, 11 -> settle(0);
                case 12 -> settle(1);
                case 13 -> settle(2);
                case 14 -> {
                    if (!dying.isEmpty()) {
                        long id = dying.keySet().iterator().next();
                        mustSettle.add(dying.remove(id).position);
                        machine.deadLettered(id, this);
                    }
                }
                default -> rare();
            }
        }

        /** Messages come back after a restart behind others, too: queues are opened one by one. */
        void restore() {
            Message message = new Message(Reference.position((int) (next % 3), next));
            message.failures = random.nextInt(4);
            message.delivered = message.failures > 0;
            long state = Reference.state(10, message.failures, message.delivered);
            if (limit < 0 || message.failures <= limit) {
                waiting.put(next, message);
            } else if (deadLetters) {
                restored = message;
            } else {
                mustSettle.add(message.position);
            }
            next++;
            machine.restore(message.position, state, this);
            assertThat(restored).as("dies").isNull();
        }

        void attach() {
            boolean settles = random.nextInt(4) == 0;
            boolean alone = random.nextInt(6) == 0;
            int consumer = machine.attach(settles, alone, 2);
            if (consumer < 0) {
                assertThat(credit).as("refused although nobody is there").isNotEmpty();
                return;
            }
            assertThat(credit).doesNotContainKey(consumer);
            credit.put(consumer, 2);
            auto.put(consumer, settles);
        }

        void settle(int kind) {
            if (held.isEmpty()) {
                return;
            }
            List<Long> ids = new ArrayList<>(held.keySet());
            long id = ids.get(random.nextInt(ids.size()));
            Held of = held.remove(id);
            Message message = of.message();
            // somebody else's delivery, or an unknown one: nothing may happen
            machine.ack(of.consumer() + 1, id, this);
            machine.reject(of.consumer(), id + 1_000_000, this);
            if (kind == 0) {
                mustSettle.add(message.position);
                machine.ack(of.consumer(), id, this);
            } else if (kind == 1) {
                boolean failed = random.nextBoolean();
                if (failed) {
                    message.failures++;
                }
                if (failed && limit >= 0 && message.failures > limit) {
                    end(id, message);
                } else {
                    waiting.put(Reference.offset(message.position), message);
                }
                machine.release(of.consumer(), id, failed, this);
            } else {
                end(id, message);
                machine.reject(of.consumer(), id, this);
            }
        }

        void end(long id, Message message) {
            if (deadLetters) {
                dying.put(id, message);
            } else {
                mustSettle.add(message.position);
            }
        }

        void rare() {
            switch (random.nextInt(3)) {
                case 0 -> {
                    if (!credit.isEmpty()) {
                        int consumer = anyConsumer();
                        credit.put(consumer, 0);
                        machine.stop(consumer);
                    }
                }
                case 1 -> {
                    if (random.nextInt(4) == 0) {
                        waiting.values().forEach(m -> mustSettle.add(m.position));
                        int count = waiting.size();
                        waiting.clear();
                        assertThat(machine.purge(this)).isEqualTo(count);
                    }
                }
                default -> {
                    if (!credit.isEmpty()) {
                        int consumer = anyConsumer();
                        credit.remove(consumer);
                        held.values().removeIf(h -> {
                            if (h.consumer() == consumer) {
                                waiting.put(Reference.offset(h.message().position), h.message());
                                return true;
                            }
                            return false;
                        });
                        machine.cancel(consumer);
                    }
                }
            }
        }

        int anyConsumer() {
            List<Integer> all = new ArrayList<>(credit.keySet());
            return all.get(random.nextInt(all.size()));
        }

        @Override
        public void deliver(int consumer, long deliveryId, long position, long state, boolean settles) {
            assertThat(waiting).as("nothing is delivered that does not wait").isNotEmpty();
            Message message = waiting.pollFirstEntry().getValue();
            assertThat(position).isEqualTo(message.position);
            assertThat(Reference.redelivered(state)).isEqualTo(message.delivered);
            assertThat(Reference.deliveryCount(state)).isEqualTo(message.failures);
            assertThat(deliveryId).isGreaterThan(lastId);
            lastId = deliveryId;
            int now = credit.get(consumer);
            assertThat(now).as("credit of the consumer").isPositive();
            assertThat(settles).isEqualTo(auto.get(consumer));
            long others = credit.entrySet().stream()
                    .filter(e -> e.getValue() > 0 && e.getKey() != consumer)
                    .count();
            if (others > 0) {
                assertThat(consumer).as("consumers take turns").isNotEqualTo(lastConsumer);
            }
            lastConsumer = consumer;
            if (now != Integer.MAX_VALUE) {
                credit.put(consumer, now - 1);
            }
            if (!message.delivered) {
                firstDeliveries.add(Reference.offset(position));
            }
            message.delivered = true;
            if (settles) {
                mustSettle.add(position);
            } else {
                held.put(deliveryId, new Held(message, consumer));
            }
        }

        @Override
        public void settled(long position) {
            assertThat(mustSettle.remove(position)).as("asked to be settled").isTrue();
            assertThat(settled.add(position)).as("settled once").isTrue();
        }

        @Override
        public void failed(long position, int deliveryCount) {
            Message message = waiting.get(Reference.offset(position));
            if (message == null) {
                message = dying.values().stream()
                        .filter(m -> m.position == position)
                        .findFirst()
                        .orElseThrow();
            }
            assertThat(message.failures).isEqualTo(deliveryCount);
        }

        @Override
        public void deadLetter(long deliveryId, long position, long state, String reason) {
            if (restored != null) {
                assertThat(reason).isEqualTo("delivery_limit");
                dying.put(deliveryId, restored);
                restored = null;
            }
            Message message = dying.get(deliveryId);
            assertThat(message.position).isEqualTo(position);
            assertThat(Reference.deliveryCount(state)).isEqualTo(message.failures);
            assertThat(reason).isIn("rejected", "delivery_limit");
        }
    }
}
