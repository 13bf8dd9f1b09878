package io.sluice.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.sluice.queue.index.MemoryBlocks;
import io.sluice.queue.index.QueueIndex;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * Selectors and groups of the delivery machine against a naive model that looks at every waiting message for every delivery. {@code
 * -Dsim.seeds=N} sets the number of seeds, {@code -Dsim.seed=S} the first one.
 */
class MatchingSimTest {
    private static final int STEPS = 400;

    @Test
    void whoeverCanTakesTheFirstThatHeCan() {
        long first = Long.getLong("sim.seed", 1);
        long seeds = Long.getLong("sim.seeds", 60);
        for (long seed = first; seed < first + seeds; seed++) {
            try {
                new Run(seed).go();
            } catch (AssertionError | RuntimeException e) {
                fail("seed " + seed + " (repeat with -Dsim.seeds=1 -Dsim.seed=" + seed + "): " + e, e);
            }
        }
    }

    /** What the model knows of a message; it meets the selectors whose bits are in {@code meets}. */
    private record Message(long position, int level, long meets, long group, long expiry) {
        long place() {
            return (100L - level) << 40 | Reference.offset(position);
        }

        boolean isExpired(long now) {
            return expiry != 0 && now > expiry;
        }
    }

    private record Held(Message message, int consumer, long deadline) {}

    private static final class Taker {
        final boolean auto;
        final int priority;
        final long arrival;
        boolean pulls;
        long selector = 1;
        long lock;
        int credit;

        Taker(boolean auto, boolean pulls, int priority, long arrival, int credit) {
            this.auto = auto;
            this.pulls = pulls;
            this.priority = priority;
            this.arrival = arrival;
            this.credit = credit;
        }
    }

    private static final class Run implements DeliveryEffects {
        private final Random random;
        private final QueuePolicy policy;
        private final DeliveryMachine machine;
        private final int burst;
        private final int groupCount;

        private final TreeMap<Long, Message> waiting = new TreeMap<>();
        private final Map<Long, Message> byPosition = new HashMap<>();
        private final Map<Long, Held> held = new HashMap<>();
        private final Map<Long, Held> prepared = new HashMap<>();
        private final Map<Message, Long> postponed = new HashMap<>();
        private final Map<Integer, Taker> takers = new TreeMap<>();
        private final Set<Long> settled = new HashSet<>();
        private final Set<Long> firsts = new HashSet<>();
        private final Map<List<Long>, Long> lastFirst = new HashMap<>();
        private final Set<Long> ended = new HashSet<>();
        private Message expected;
        private int lastConsumer = -1;
        private int active = -1;
        private long next;
        private long now = 1_000_000;
        private long arrivals;

        Run(long seed) {
            random = new Random(seed);
            burst = random.nextInt(10) == 0 ? 300 : 5;
            groupCount = 1 + random.nextInt(random.nextInt(4) == 0 ? 200 : 6);
            policy = QueuePolicy.builder()
                    .messageTtl(random.nextInt(4) == 0 ? random.nextInt(60) : -1)
                    .maxLength(random.nextInt(5) == 0 ? random.nextInt(burst * 4) : -1)
                    .maxPriority(random.nextInt(3) == 0 ? 5 : 0)
                    .singleActiveConsumer(random.nextInt(8) == 0)
                    .groups(
                            random.nextInt(4) == 0
                                    ? null
                                    : new MessageGroups(MessageGroups.By.GROUP_ID, random.nextBoolean()))
                    .build();
            machine = new DeliveryMachine(policy, new MemoryBlocks(), now);
        }

        void go() {
            for (int step = 0; step < STEPS; step++) {
                command();
                assertThat(machine.ready()).isEqualTo(waiting.size());
                assertThat(machine.unacked()).isEqualTo(held.size() + prepared.size() + postponed.size());
                if (random.nextInt(8) == 0) {
                    browse();
                }
            }
            // all come out once everybody can take them, each group in its order
            List.copyOf(prepared.keySet()).forEach(this::endPrepared);
            List.copyOf(takers.keySet()).forEach(this::cancel);
            now += 1000;
            attach(true, false, 0, Integer.MAX_VALUE);
            do {
                expire();
                deliver();
            } while (machine.nextPosition() != Reference.NONE);
            assertThat(waiting).isEmpty();
            assertThat(settled).hasSize((int) next);
            machine.trimToIdle();
            assertThat(machine.isIdle()).isFalse();
            cancel(takers.keySet().iterator().next());
            assertThat(machine.isIdle()).isTrue();
        }

        /** Shows all that waits in order, in slices. */
        void browse() {
            long[] ends = machine.ends();
            List<Long> shown = new ArrayList<>();
            long from = 0;
            while (from >= 0) {
                int before = shown.size();
                from = machine.visitWaiting(
                        from, 1 + random.nextInt(20), ends, (sequence, position, state, expiry) -> shown.add(position));
                assertThat(from < 0 || shown.size() > before).isTrue();
            }
            assertThat(shown)
                    .isEqualTo(waiting.values().stream().map(Message::position).toList());
        }

        void command() {
            now += random.nextInt(4);
            switch (random.nextInt(16)) {
                case 0, 1, 2, 3 -> {
                    for (int i = random.nextInt(burst); i >= 0; i--) {
                        enqueue();
                    }
                }
                case 4 -> {
                    if (takers.size() < 8) {
                        attach(random.nextInt(4) == 0, random.nextInt(8) == 0, random.nextInt(3), random.nextInt(3));
                    }
                }
                case 5, 6, 7 -> {
                    if (!takers.isEmpty()) {
                        int consumer = any(takers.keySet());
                        int more = random.nextInt(20) == 0 ? DeliveryMachine.UNLIMITED : random.nextInt(burst + 2);
                        Taker taker = takers.get(consumer);
                        taker.credit =
                                more > Integer.MAX_VALUE - taker.credit ? Integer.MAX_VALUE : taker.credit + more;
                        machine.credit(consumer, more);
                    }
                }
                case 8, 9 -> settle();
                case 10 -> prepare();
                case 11 -> {
                    if (!prepared.isEmpty()) {
                        endPrepared(any(prepared.keySet()));
                    }
                }
                case 12 -> rare();
                default -> {
                    expire();
                    deliver();
                    trim();
                }
            }
        }

        void enqueue() {
            int priority = random.nextInt(6);
            long own = random.nextInt(8) == 0 ? now + random.nextInt(60) : 0;
            long byQueue = policy.messageTtl() < 0 ? 0 : now + policy.messageTtl();
            long expiry = own == 0 ? byQueue : byQueue == 0 ? own : Math.min(own, byQueue);
            Message message = new Message(
                    Reference.position(0, next++),
                    Math.min(priority, policy.maxPriority()),
                    1 | random.nextInt(8) << 1,
                    random.nextInt(5) == 0 ? 0 : 1 + random.nextInt(groupCount),
                    expiry);
            waiting.put(message.place(), message);
            byPosition.put(message.position(), message);
            machine.enqueue(message.position(), Reference.fresh(10, priority), own, now, now);
        }

        /** The first in order that somebody can take, none of its group being before it. */
        Message first() {
            Set<Long> skipped = new HashSet<>();
            for (Message message : waiting.values()) {
                long group = group(message);
                if (!skipped.contains(group) && takers.keySet().stream().anyMatch(t -> mayTake(t, message))) {
                    return message;
                }
                if (group != 0) {
                    skipped.add(group);
                }
            }
            return null;
        }

        long group(Message message) {
            return policy.groups() == null ? 0 : message.group();
        }

        boolean mayTake(int consumer, Message message) {
            Taker taker = takers.get(consumer);
            return taker.credit > 0
                    && (taker.selector & message.meets()) != 0
                    && (!policy.singleActiveConsumer() || taker.pulls || consumer == active)
                    && isOpen(group(message), consumer);
        }

        boolean isOpen(long group, int consumer) {
            if (group == 0) {
                return true;
            }
            boolean waits = postponed.keySet().stream().anyMatch(m -> m.group() == group);
            boolean elsewhere = held.values().stream()
                            .anyMatch(h -> h.message().group() == group
                                    && (policy.groups().oneInFlight() || h.consumer() != consumer))
                    || prepared.values().stream()
                            .anyMatch(h -> h.message().group() == group
                                    && (policy.groups().oneInFlight() || h.consumer() != consumer));
            return !waits && !elsewhere;
        }

        void deliver() {
            while (true) {
                expected = first();
                long position = machine.nextPosition();
                if (position != Reference.NONE && machine.nextIsExpired(now)) {
                    assertThat(byPosition.get(position).isExpired(now)).isTrue();
                    return;
                }
                if (position == Reference.NONE) {
                    assertThat(expected).as("nothing is left that can be taken").isNull();
                    return;
                }
                if (!machine.needsExamination()) {
                    machine.dispatch(now, this);
                } else {
                    Message message = byPosition.get(position);
                    boolean takes = machine.examine(message.meets(), message.group());
                    assertThat(takes).isEqualTo(message == expected);
                    if (takes) {
                        machine.dispatch(now, this);
                    }
                }
            }
        }

        void expire() {
            postponed.entrySet().removeIf(entry -> {
                if (entry.getValue() <= now) {
                    waiting.put(entry.getKey().place(), entry.getKey());
                    return true;
                }
                return false;
            });
            Set<Long> ending = new HashSet<>();
            held.forEach((id, h) -> {
                if (h.deadline() <= now) {
                    ending.add(id);
                }
            });
            ended.clear();
            ending.forEach(id ->
                    waiting.put(held.get(id).message().place(), held.get(id).message()));
            machine.expire(now, this);
            assertThat(ended).isEqualTo(ending);
            ending.forEach(id -> {
                int consumer = held.remove(id).consumer();
                assertThat(machine.ack(consumer, id, this)).isFalse();
                assertThat(machine.renew(consumer, id, now)).isFalse();
            });
            assertThat(machine.nextExpiry()).isGreaterThan(now);
        }

        void trim() {
            while (policy.maxLength() >= 0 && waiting.size() > policy.maxLength()) {
                settled.add(waiting.pollFirstEntry().getValue().position());
            }
            Set<Long> before = new HashSet<>(settled);
            machine.trim(new Everything(before));
            assertThat(before).isEqualTo(settled);
        }

        void attach(boolean auto, boolean pulls, int priority, int credit) {
            int consumer = pulls ? machine.attachPull(auto, credit) : machine.attach(auto, false, priority, credit);
            Taker taker = new Taker(auto, pulls, pulls ? 0 : priority, arrivals++, credit);
            takers.put(consumer, taker);
            active = active < 0 && !pulls ? consumer : active;
            if (!pulls && credit < Integer.MAX_VALUE && random.nextInt(3) > 0) {
                taker.selector = 2L << random.nextInt(3);
                machine.select(consumer, taker.selector, random.nextBoolean());
            }
            if (random.nextInt(4) == 0) {
                taker.lock = 1 + random.nextInt(60);
                machine.lock(consumer, taker.lock);
            }
        }

        void settle() {
            if (held.isEmpty()) {
                return;
            }
            long id = any(held.keySet());
            Held of = held.get(id);
            long lock = takers.get(of.consumer()).lock;
            if (random.nextInt(4) == 0) {
                assertThat(machine.renew(of.consumer(), id, now)).isEqualTo(lock > 0);
                held.put(id, new Held(of.message(), of.consumer(), lock == 0 ? Long.MAX_VALUE : now + lock));
                return;
            }
            held.remove(id);
            switch (random.nextInt(4)) {
                case 0 -> {
                    waiting.put(of.message().place(), of.message());
                    machine.release(of.consumer(), id, random.nextBoolean(), now, this);
                }
                case 1 -> {
                    long due = now + 1 + random.nextInt(30);
                    long expiry = of.message().expiry();
                    postponed.put(of.message(), expiry != 0 && expiry < due ? expiry + 1 : due);
                    machine.releaseUntil(of.consumer(), id, false, now, due, this);
                }
                case 2 -> assertThat(machine.reject(of.consumer(), id, this)).isTrue();
                default -> assertThat(machine.ack(of.consumer(), id, this)).isTrue();
            }
        }

        void prepare() {
            if (!held.isEmpty()) {
                long id = any(held.keySet());
                Held of = held.remove(id);
                Settlement how = random.nextBoolean() ? Settlement.ACKED : Settlement.RELEASED;
                prepared.put(id, of);
                assertThat(machine.prepare(of.consumer(), id, how, new Everything(new HashSet<>())))
                        .isTrue();
                if (how == Settlement.RELEASED) {
                    firsts.add(-id);
                }
            }
        }

        void endPrepared(long id) {
            Held of = prepared.remove(id);
            boolean committed = random.nextBoolean();
            if (!committed || firsts.contains(-id)) {
                waiting.put(of.message().place(), of.message());
            }
            machine.endPrepared(id, committed, now, this);
        }

        void rare() {
            switch (random.nextInt(6)) {
                case 0 -> {
                    waiting.clear();
                    postponed.clear();
                    machine.purge(this);
                }
                case 1, 2 -> {
                    if (!takers.isEmpty()) {
                        cancel(any(takers.keySet()));
                    }
                }
                case 3 -> {
                    if (!takers.isEmpty()) {
                        int consumer = any(takers.keySet());
                        takers.get(consumer).credit = 0;
                        machine.stop(consumer);
                    }
                }
                default -> {
                    expire();
                    if (machine.nextPosition() != Reference.NONE) {
                        // its record is gone
                        Message message = byPosition.get(machine.nextPosition());
                        waiting.remove(message.place());
                        machine.dropNext(this);
                        assertThat(settled).contains(message.position());
                    }
                }
            }
        }

        void cancel(int consumer) {
            takers.remove(consumer);
            held.values().removeIf(h -> {
                if (h.consumer() == consumer) {
                    waiting.put(h.message().place(), h.message());
                    return true;
                }
                return false;
            });
            // a consumer that comes after it is another
            prepared.replaceAll((id, h) -> h.consumer() == consumer ? new Held(h.message(), -1, 0) : h);
            machine.cancel(consumer);
            if (active == consumer) {
                active = takers.entrySet().stream()
                        .filter(t -> !t.getValue().pulls)
                        .min(Comparator.comparingInt((Map.Entry<Integer, Taker> t) -> -t.getValue().priority)
                                .thenComparingLong(t -> t.getValue().arrival))
                        .map(Map.Entry::getKey)
                        .orElse(-1);
            }
        }

        <T> T any(Set<T> of) {
            return new ArrayList<>(of).get(random.nextInt(of.size()));
        }

        @Override
        public void deliver(int consumer, long deliveryId, long position, long state, boolean settles) {
            Message message = byPosition.get(position);
            assertThat(message).as("the first that can be taken").isEqualTo(expected);
            assertThat(mayTake(consumer, message)).as("by this consumer").isTrue();
            assertThat(message.isExpired(now)).isFalse();
            checkTurn(consumer, message);
            Taker taker = takers.get(consumer);
            assertThat(settles).isEqualTo(taker.auto);
            taker.credit -= taker.credit == Integer.MAX_VALUE ? 0 : 1;
            waiting.remove(message.place());
            assertThat(Reference.redelivered(state)).isEqualTo(!firsts.add(position));
            if (!Reference.redelivered(state) && group(message) != 0) {
                Long last = lastFirst.put(List.of(group(message), (long) message.level()), position);
                assertThat(last == null || last < position)
                        .as("order of a group")
                        .isTrue();
            }
            if (!settles) {
                held.put(deliveryId, new Held(message, consumer, taker.lock == 0 ? Long.MAX_VALUE : now + taker.lock));
            }
        }

        void checkTurn(int consumer, Message message) {
            Taker taker = takers.get(consumer);
            boolean others = false;
            for (int other : takers.keySet()) {
                Taker of = takers.get(other);
                if (other != consumer && mayTake(other, message)) {
                    assertThat(of.pulls && !taker.pulls)
                            .as("who pulls comes first")
                            .isFalse();
                    assertThat(of.pulls == taker.pulls && of.priority > taker.priority)
                            .as("priority of a consumer")
                            .isFalse();
                    others |= of.pulls == taker.pulls && of.priority == taker.priority;
                }
            }
            if (others && !taker.pulls) {
                assertThat(consumer).as("consumers take turns").isNotEqualTo(lastConsumer);
            }
            if (!taker.pulls && isOpenToMany(message)) {
                lastConsumer = consumer;
            }
        }

        /** False if its group leaves no choice. */
        boolean isOpenToMany(Message message) {
            long group = group(message);
            return group == 0
                    || held.values().stream().noneMatch(h -> h.message().group() == group)
                            && prepared.values().stream()
                                    .noneMatch(h -> h.message().group() == group);
        }

        @Override
        public void settled(long position) {
            assertThat(settled.add(position)).as("settled once").isTrue();
            Message message = byPosition.get(position);
            if (waiting.remove(message.place(), message)) {
                assertThat(message.isExpired(now)).isTrue();
            }
        }

        @Override
        public void failed(long position, int deliveryCount) {}

        @Override
        public void lockEnded(int consumer, long deliveryId) {
            assertThat(held.get(deliveryId).consumer()).isEqualTo(consumer);
            ended.add(deliveryId);
        }

        @Override
        public void postponed(long position, long due) {
            assertThat(postponed).containsKey(byPosition.get(position));
        }

        @Override
        public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {
            fail("there is no target");
        }

        @Override
        public void purged(QueueIndex references) {
            while (!references.isEmpty()) {
                settled.add(references.firstPosition());
                references.removeFirst();
            }
        }
    }

    /** Collects what is given up. */
    private record Everything(Set<Long> settledNow) implements DeliveryEffects {
        @Override
        public void deliver(int consumer, long deliveryId, long position, long state, boolean settles) {
            fail("delivered");
        }

        @Override
        public void settled(long position) {
            settledNow.add(position);
        }

        @Override
        public void failed(long position, int deliveryCount) {
            fail("failed");
        }

        @Override
        public void postponed(long position, long due) {
            fail("postponed");
        }

        @Override
        public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {
            fail("there is no target");
        }

        @Override
        public void purged(QueueIndex references) {
            fail("purged");
        }
    }
}
