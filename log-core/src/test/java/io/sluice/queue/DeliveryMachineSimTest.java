package io.sluice.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.sluice.queue.index.MemoryBlocks;
import io.sluice.queue.index.QueueIndex;
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
 * The delivery machine against a naive model in random mixes of all commands, each seed with other policies. {@code
 * -Dsim.seeds=N} sets the number of seeds, {@code -Dsim.seed=S} the first one.
 */
class DeliveryMachineSimTest {
    private static final int STEPS = 1_000;

    @Test
    void behavesAsTheNaiveModel() {
        long first = Long.getLong("sim.seed", 1);
        long seeds = Long.getLong("sim.seeds", 300);
        for (long seed = first; seed < first + seeds; seed++) {
            try {
                new Run(seed).go();
            } catch (AssertionError | RuntimeException e) {
                fail("seed " + seed + " (repeat with -Dsim.seeds=1 -Dsim.seed=" + seed + "): " + e, e);
            }
        }
    }

    /** What the model knows of a message. Its place orders by level, then by number. */
    private static final class Message {
        final long position;
        final int level;
        final int priority;
        final int size;
        final long expiry;
        int failures;
        boolean delivered;
        boolean returned;

        Message(long position, int level, int priority, int size, long expiry) {
            this.position = position;
            this.level = level;
            this.priority = priority;
            this.size = size;
            this.expiry = expiry;
        }

        long place() {
            return (100L - level) << 40 | Reference.offset(position);
        }

        boolean isExpired(long now) {
            return expiry != 0 && now > expiry;
        }
    }

    private record Held(Message message, int consumer) {}

    private record Prepared(Message message, Settlement how) {}

    /** What the model knows of a consumer. */
    private static final class Taker {
        final boolean auto;
        boolean pulls;
        final int priority;
        final long arrival;
        int credit;

        Taker(boolean auto, boolean pulls, int priority, long arrival, int credit) {
            this.auto = auto;
            this.pulls = pulls;
            this.priority = priority;
            this.arrival = arrival;
            this.credit = credit;
        }
    }

    /** One seed: every effect of the machine is looked up in the model. */
    private static final class Run implements DeliveryEffects {
        final Random random;
        QueuePolicy policy;
        QueuePolicy nextPolicy;
        final MemoryBlocks blocks = new MemoryBlocks();
        final DeliveryMachine machine;
        final int burst;

        // the naive model: waiting messages by their place, those held by delivery id
        final TreeMap<Long, Message> waiting = new TreeMap<>();
        final Map<Long, Held> held = new HashMap<>();
        final Map<Long, Message> dying = new HashMap<>();
        final Map<Long, Prepared> prepared = new HashMap<>();
        final Map<Message, Long> postponed = new HashMap<>();
        final Map<Long, Long> mustPostpone = new HashMap<>();
        final Map<Integer, Taker> takers = new HashMap<>();
        final Set<Long> settled = new HashSet<>();
        final Set<Long> mustSettle = new HashSet<>();
        final Map<Long, DeathReason> mustDie = new HashMap<>();
        final Map<Long, Message> byPosition = new HashMap<>();
        final Map<Integer, Long> lastOfLevel = new HashMap<>();
        int active = -1;
        boolean exclusive;
        int lastConsumer = -1;
        long next;
        long lastId;
        long now = 1_000_000;
        long arrivals;

        Run(long seed) {
            random = new Random(seed);
            burst = random.nextInt(10) == 0 ? 900 : 4;
            int priorities = random.nextInt(3) == 0 ? new int[] {1, 5, 31, 32, 255}[random.nextInt(5)] : 0;
            policy = anyPolicy(priorities, random.nextInt(4) == 0);
            machine = new DeliveryMachine(policy, blocks, now);
        }

        QueuePolicy anyPolicy(int priorities, boolean single) {
            return QueuePolicy.builder()
                    .deadLetterExchange(random.nextBoolean() ? "dlx" : null)
                    .deliveryLimit(random.nextInt(5) - 1)
                    .messageTtl(random.nextInt(3) == 0 ? random.nextInt(40) : -1)
                    .maxLength(random.nextInt(3) == 0 ? random.nextInt(burst * 4) : -1)
                    .maxBytes(random.nextInt(4) == 0 ? random.nextInt(burst * 40) : -1)
                    .overflow(Overflow.values()[random.nextInt(3)])
                    .maxPriority(priorities)
                    .singleActiveConsumer(single)
                    .retry(
                            random.nextInt(3) == 0
                                    ? new RetryBackoff(
                                            1 + random.nextInt(20), 60, random.nextInt(3), random.nextInt(101))
                                    : null)
                    .build();
        }

        /** Not while a transaction has deliveries set aside: it has told what it will do with them. */
        void changePolicy(QueuePolicy to) {
            nextPolicy = to;
            policyApplies();
        }

        void policyApplies() {
            if (nextPolicy != null && prepared.isEmpty()) {
                policy = nextPolicy;
                nextPolicy = null;
            }
        }

        void go() {
            for (int step = 0; step < STEPS; step++) {
                command();
                assertThat(mustSettle.size())
                        .as("messages not settled in this step")
                        .isZero();
                assertThat(mustDie.size())
                        .as("dead letters missing in this step")
                        .isZero();
                assertThat(mustPostpone).as("postponed in this step").isEmpty();
                check();
            }
            while (!prepared.isEmpty()) {
                endPrepared();
            }
            Set<Long> left = new HashSet<>();
            machine.forEach((position, state, expiry) -> {
                assertThat(left.add(position)).isTrue();
                Message message = byPosition.get(position);
                assertThat(Reference.priority(state)).isEqualTo(message.priority);
                assertThat(Reference.deliveryCount(state)).isEqualTo(message.failures);
                assertThat(expiry).isEqualTo(message.expiry);
            });
            assertThat(left.size() + settled.size()).as("nothing lost").isEqualTo((int) next);
            machine.close(new Everything());
            assertThat(blocks.sizeInBytes()).as("blocks left behind").isZero();
        }

        void check() {
            assertThat(machine.ready()).isEqualTo(waiting.size());
            assertThat(machine.readyBytes())
                    .isEqualTo(waiting.values().stream().mapToLong(m -> m.size).sum());
            assertThat(machine.unacked()).isEqualTo(held.size() + dying.size() + prepared.size() + postponed.size());
            assertThat(machine.postponed()).isEqualTo(postponed.size());
            assertThat(machine.consumers()).isEqualTo((int)
                    takers.values().stream().filter(t -> !t.pulls).count());
            long expected =
                    mayDeliver() && !waiting.isEmpty() ? waiting.firstEntry().getValue().position : Reference.NONE;
            assertThat(machine.nextPosition()).isEqualTo(expected);
            assertThat(machine.nextExpiry()).isEqualTo(nextExpiry());
            assertThat(machine.hasRoom())
                    .isEqualTo((policy.maxLength() < 0 || waiting.size() < policy.maxLength())
                            && (policy.maxBytes() < 0 || machine.readyBytes() < policy.maxBytes()));
        }

        boolean mayDeliver() {
            return policy.singleActiveConsumer()
                    ? takers.values().stream().anyMatch(t -> t.pulls && t.credit > 0)
                            || active >= 0 && takers.get(active).credit > 0
                    : takers.values().stream().anyMatch(t -> t.credit > 0);
        }

        /** The heads that can expire: the first of the returned, and the first fresh one of each level. */
        List<Message> heads() {
            Map<Integer, Message> fresh = new HashMap<>();
            Message back = null;
            for (Message message : waiting.values()) {
                if (!message.returned) {
                    fresh.putIfAbsent(message.level, message);
                } else if (back == null) {
                    back = message;
                }
            }
            List<Message> heads = new ArrayList<>(fresh.values());
            if (back != null) {
                heads.add(back);
            }
            return heads;
        }

        long nextExpiry() {
            long due = postponed.values().stream().mapToLong(d -> d).min().orElse(Long.MAX_VALUE);
            if (policy.deadLetterExchange() != null && dying.size() >= DeliveryMachine.MAX_EXPIRING) {
                return due;
            }
            return heads().stream()
                    .filter(m -> m.expiry != 0)
                    .mapToLong(m -> Math.min(due, m.expiry + 1))
                    .min()
                    .orElse(due);
        }

        void command() {
            now += random.nextInt(4);
            switch (random.nextInt(21)) {
                case 0 -> restore();
                case 1, 2, 3 -> {
                    for (int i = random.nextInt(burst); i >= 0; i--) {
                        enqueue();
                    }
                }
                case 4 -> attach();
                case 5, 6 -> {
                    if (!takers.isEmpty()) {
                        int consumer = anyConsumer();
                        int more = random.nextInt(20) == 0 ? DeliveryMachine.UNLIMITED : random.nextInt(burst + 2);
                        machine.credit(consumer, more);
                        Taker taker = takers.get(consumer);
                        taker.credit =
                                more > Integer.MAX_VALUE - taker.credit ? Integer.MAX_VALUE : taker.credit + more;
                    }
                }
                case 7, 8, 9 -> {
                    for (int i = 0; i < burst && machine.nextPosition() != Reference.NONE; i++) {
                        boolean expired = waiting.firstEntry().getValue().isExpired(now);
                        assertThat(machine.nextIsExpired(now)).isEqualTo(expired);
                        if (expired) {
                            break;
                        }
                        machine.dispatch(now, this);
                        assertThat(mustSettle).isEmpty();
                    }
                }
                case 10, 11 -> settle(0);
                case 12 -> settle(1);
                case 13 -> settle(2);
                case 14 -> {
                    if (!dying.isEmpty()) {
                        for (int i = burst; i > 0 && !dying.isEmpty(); i--) {
                            long id = dying.keySet().iterator().next();
                            mustSettle.add(dying.remove(id).position);
                            machine.deadLettered(id, this);
                        }
                    }
                }
                case 15 -> expire();
                case 16 -> trim();
                case 17 -> prepare();
                case 18 -> endPrepared();
                default -> rare();
            }
        }

        int level(int priority) {
            int max = policy.maxPriority();
            int asked = Math.min(priority, max);
            return max <= 31 ? asked : asked * 32 / (max + 1);
        }

        /** Messages come back after a restart behind others, too: queues are opened one by one. */
        void restore() {
            int priority = random.nextInt(8);
            long expiry = random.nextInt(4) == 0 ? now + random.nextInt(30) - 5 : 0;
            long position = Reference.position((int) (next % 3), next);
            Message message = new Message(position, level(priority), priority, 10, expiry);
            byPosition.put(position, message);
            next++;
            message.failures = random.nextInt(4);
            message.delivered = message.failures > 0;
            long state = Reference.withDeliveryCount(Reference.fresh(10, priority), message.failures);
            if (policy.deliveryLimit() < 0 || message.failures <= policy.deliveryLimit()) {
                waiting.put(message.place(), message);
            } else {
                mustGo(message, DeathReason.DELIVERY_LIMIT);
            }
            long shown = message.delivered ? Reference.asRedelivered(state) : state;
            if (waiting.containsKey(message.place()) && random.nextInt(3) == 0) {
                waiting.remove(message.place());
                long due = now + 1 + random.nextInt(40);
                postpone(message, due);
                machine.restorePostponed(position, shown, expiry, due, this);
            } else {
                machine.restore(position, shown, expiry, this);
            }
        }

        void enqueue() {
            int priority = random.nextInt(3) == 0 ? random.nextInt(256) : random.nextInt(8);
            int level = level(priority);
            int size = random.nextInt(20);
            long arrival = now - random.nextInt(3);
            long own = random.nextInt(4) == 0 ? arrival + random.nextInt(30) - 2 : 0;
            long byQueue = policy.messageTtl() < 0 ? 0 : arrival + policy.messageTtl();
            long expiry = own == 0 ? byQueue : byQueue == 0 ? own : Math.min(own, byQueue);
            if (expiry != 0 && expiry >= arrival) {
                expiry = Math.max(expiry, now);
            }
            long position = Reference.position((int) (next % 3), next);
            Message message = new Message(position, level, priority, size, expiry);
            byPosition.put(position, message);
            next++;
            if (!machine.hasRoom() && policy.overflow() != Overflow.DROP_HEAD) {
                if (policy.deadLetterExchange() != null && policy.overflow() == Overflow.REJECT_PUBLISH_DLX) {
                    mustDie.put(position, DeathReason.MAXLEN);
                } else {
                    mustSettle.add(position);
                }
                machine.refuse(position, Reference.fresh(size, priority), own, arrival, now, this);
            } else {
                waiting.put(message.place(), message);
                machine.enqueue(position, Reference.fresh(size, priority), own, arrival, now);
            }
        }

        /** One that expires before it may be delivered goes then. */
        void postpone(Message message, long due) {
            message.returned = true;
            postponed.put(message, message.expiry != 0 && message.expiry < due ? message.expiry + 1 : due);
        }

        void expire() {
            postponed.entrySet().removeIf(entry -> {
                if (entry.getValue() <= now) {
                    waiting.put(entry.getKey().place(), entry.getKey());
                    return true;
                }
                return false;
            });
            List<Message> gone = new ArrayList<>();
            while (true) {
                List<Message> over =
                        heads().stream().filter(m -> m.isExpired(now)).toList();
                if (over.isEmpty()) {
                    break;
                }
                over.forEach(m -> waiting.remove(m.place()));
                gone.addAll(over);
            }
            gone.forEach(m -> mustGo(m, DeathReason.EXPIRED));
            machine.expire(now, this);
            if (!mustDie.isEmpty()) {
                // the rest has to wait
                assertThat(dying).hasSizeGreaterThanOrEqualTo(DeliveryMachine.MAX_EXPIRING);
                gone.stream().filter(m -> mustDie.containsKey(m.position)).forEach(m -> waiting.put(m.place(), m));
                mustDie.clear();
            }
        }

        void trim() {
            long bytes = machine.readyBytes();
            int gone = 0;
            boolean more = false;
            while (!waiting.isEmpty()
                    && (policy.deadLetterExchange() == null || dying.size() + gone < DeliveryMachine.MAX_EXPIRING)
                    && policy.overflow() == Overflow.DROP_HEAD
                    && (policy.maxLength() >= 0 && waiting.size() > policy.maxLength()
                            || policy.maxBytes() >= 0 && bytes > policy.maxBytes())) {
                if (gone == DeliveryMachine.TRIMMED_AT_ONCE) {
                    more = true;
                    break;
                }
                gone++;
                Message message = waiting.pollFirstEntry().getValue();
                bytes -= message.size;
                mustGo(message, DeathReason.MAXLEN);
            }
            assertThat(machine.trim(this)).as("more to trim").isEqualTo(more);
        }

        void mustGo(Message message, DeathReason reason) {
            if (policy.deadLetterExchange() == null) {
                mustSettle.add(message.position);
            } else {
                mustDie.put(message.position, reason);
            }
        }

        void attach() {
            if (takers.size() >= 12) {
                cancel(anyConsumer());
            }
            boolean settles = random.nextInt(4) == 0;
            if (random.nextInt(10) == 0) {
                int puller = machine.attachPull(settles, 1);
                assertThat(takers).doesNotContainKey(puller);
                takers.put(puller, new Taker(settles, true, 0, arrivals++, 1));
                return;
            }
            boolean alone = random.nextInt(6) == 0;
            boolean somebody = takers.values().stream().anyMatch(t -> !t.pulls);
            int priority = random.nextInt(3);
            int consumer = machine.attach(settles, alone, priority, 2);
            if (consumer < 0) {
                assertThat(somebody).as("refused although nobody is there").isTrue();
                return;
            }
            assertThat(exclusive || alone && somebody)
                    .as("beside one that is alone")
                    .isFalse();
            exclusive = alone;
            assertThat(takers).doesNotContainKey(consumer);
            takers.put(consumer, new Taker(settles, false, priority, arrivals++, 2));
            if (active < 0) {
                active = consumer;
            }
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
                boolean chosen = random.nextInt(4) == 0;
                long due = now + random.nextInt(30) - 3;
                if (failed && policy.deliveryLimit() >= 0 && message.failures > policy.deliveryLimit()) {
                    mustGo(message, DeathReason.DELIVERY_LIMIT);
                } else {
                    comesBack(message, chosen ? due : failed ? retry(message) : now);
                }
                if (chosen) {
                    machine.releaseUntil(of.consumer(), id, failed, now, due, this);
                } else {
                    machine.release(of.consumer(), id, failed, now, this);
                }
            } else {
                mustGo(message, DeathReason.REJECTED);
                machine.reject(of.consumer(), id, this);
            }
        }

        /** A transaction sets a delivery aside, and tells what it will do. */
        void prepare() {
            if (held.isEmpty()) {
                return;
            }
            List<Long> ids = new ArrayList<>(held.keySet());
            long id = ids.get(random.nextInt(ids.size()));
            Held of = held.remove(id);
            Message message = of.message();
            Settlement how = Settlement.values()[random.nextInt(4)];
            Foreseen foreseen = new Foreseen();
            assertThat(machine.prepare(of.consumer(), id, how, foreseen)).isTrue();
            boolean over = policy.deliveryLimit() >= 0 && message.failures + 1 > policy.deliveryLimit();
            boolean target = policy.deadLetterExchange() != null;
            assertThat(foreseen.told)
                    .isEqualTo(
                            switch (how) {
                                case ACKED -> "settled " + message.position;
                                case RELEASED -> "";
                                case FAILED ->
                                    over && !target
                                            ? "settled " + message.position
                                            : "failed " + message.position + " " + (message.failures + 1);
                                case REJECTED -> (target ? "rejected " : "settled ") + message.position;
                            });
            prepared.put(id, new Prepared(message, how));
            // nobody else can settle it now, nor twice
            machine.ack(of.consumer(), id, this);
            machine.reject(of.consumer(), id, this);
            machine.deadLettered(id, this);
            assertThat(machine.prepare(of.consumer(), id, how, foreseen)).isFalse();
        }

        void endPrepared() {
            if (prepared.isEmpty()) {
                return;
            }
            long id = prepared.keySet().iterator().next();
            Prepared of = prepared.remove(id);
            Message message = of.message();
            boolean committed = random.nextInt(3) > 0;
            boolean back = !committed || of.how() == Settlement.RELEASED;
            if (committed && of.how() == Settlement.FAILED) {
                message.failures++;
                back = policy.deliveryLimit() < 0 || message.failures <= policy.deliveryLimit();
            }
            if (back) {
                comesBack(message, committed && of.how() == Settlement.FAILED ? retry(message) : now);
            } else if (of.how() == Settlement.ACKED) {
                mustSettle.add(message.position);
            } else {
                mustGo(message, of.how() == Settlement.FAILED ? DeathReason.DELIVERY_LIMIT : DeathReason.REJECTED);
            }
            machine.endPrepared(id, committed, now, this);
            machine.endPrepared(id, committed, now, this);
            policyApplies();
        }

        long retry(Message message) {
            return policy.retry() == null ? now : now + policy.retry().delay(message.failures, message.position);
        }

        void comesBack(Message message, long due) {
            if (due > now) {
                mustPostpone.put(message.position, due);
                postpone(message, due);
            } else {
                message.returned = true;
                waiting.put(message.place(), message);
            }
        }

        void rare() {
            switch (random.nextInt(4)) {
                case 0 -> {
                    QueuePolicy to = anyPolicy(policy.maxPriority(), policy.singleActiveConsumer());
                    changePolicy(to);
                    machine.policy(to);
                }
                case 2 -> {
                    if (!takers.isEmpty()) {
                        int consumer = anyConsumer();
                        takers.get(consumer).credit = 0;
                        machine.stop(consumer);
                    }
                }
                case 1 -> {
                    if (random.nextInt(4) == 0) {
                        waiting.values().forEach(m -> mustSettle.add(m.position));
                        postponed.keySet().forEach(m -> mustSettle.add(m.position));
                        int count = waiting.size() + postponed.size();
                        postponed.clear();
                        waiting.clear();
                        assertThat(machine.purge(this)).isEqualTo(count);
                        Set<Long> left = new HashSet<>();
                        machine.visitInFlight((position, state, expiry) -> left.add(position));
                        assertThat(left).hasSize(held.size() + dying.size() + prepared.size());
                    }
                }
                default -> {
                    if (!takers.isEmpty()) {
                        int consumer = anyConsumer();
                        if (random.nextInt(6) == 0) {
                            retire(consumer);
                        } else {
                            cancel(consumer);
                        }
                    }
                }
            }
        }

        void retire(int consumer) {
            Taker taker = takers.get(consumer);
            exclusive &= taker.pulls;
            taker.pulls = true;
            taker.credit = 0;
            machine.retire(consumer);
            handOver(consumer);
        }

        void cancel(int consumer) {
            exclusive &= takers.remove(consumer).pulls;
            held.values().removeIf(h -> {
                if (h.consumer() == consumer) {
                    h.message().returned = true;
                    waiting.put(h.message().place(), h.message());
                    return true;
                }
                return false;
            });
            machine.cancel(consumer);
            handOver(consumer);
        }

        void handOver(int from) {
            if (active == from) {
                active = takers.entrySet().stream()
                        .filter(other -> !other.getValue().pulls)
                        .min((a, b) -> a.getValue().priority != b.getValue().priority
                                ? b.getValue().priority - a.getValue().priority
                                : Long.compare(a.getValue().arrival, b.getValue().arrival))
                        .map(Map.Entry::getKey)
                        .orElse(-1);
            }
        }

        int anyConsumer() {
            List<Integer> all = new ArrayList<>(takers.keySet());
            return all.get(random.nextInt(all.size()));
        }

        @Override
        public void deliver(int consumer, long deliveryId, long position, long state, boolean settles) {
            assertThat(waiting).as("nothing is delivered that does not wait").isNotEmpty();
            Message message = waiting.pollFirstEntry().getValue();
            assertThat(position).isEqualTo(message.position);
            assertThat(message.isExpired(now)).as("expired").isFalse();
            assertThat(Reference.redelivered(state)).isEqualTo(message.delivered);
            assertThat(Reference.deliveryCount(state)).isEqualTo(message.failures);
            assertThat(deliveryId).isGreaterThan(lastId);
            lastId = deliveryId;
            Taker taker = takers.get(consumer);
            assertThat(taker.credit).as("credit of the consumer").isPositive();
            assertThat(settles).isEqualTo(taker.auto);
            checkTurn(consumer, taker);
            if (taker.credit != Integer.MAX_VALUE) {
                taker.credit--;
            }
            if (!message.delivered && !message.returned) {
                Long last = lastOfLevel.put(message.level, Reference.offset(position));
                assertThat(last == null || last < Reference.offset(position))
                        .as("order of first deliveries")
                        .isTrue();
            }
            message.delivered = true;
            if (settles) {
                mustSettle.add(position);
            } else {
                held.put(deliveryId, new Held(message, consumer));
            }
        }

        void checkTurn(int consumer, Taker taker) {
            if (takers.values().stream().anyMatch(t -> t.pulls && t.credit > 0)) {
                assertThat(taker.pulls).as("who pulls comes first").isTrue();
                return;
            }
            if (policy.singleActiveConsumer()) {
                assertThat(consumer).as("single active consumer").isEqualTo(active);
                return;
            }
            long others = 0;
            for (Map.Entry<Integer, Taker> other : takers.entrySet()) {
                if (other.getValue().credit > 0 && other.getKey() != consumer) {
                    assertThat(other.getValue().priority)
                            .as("priority of a consumer passed over")
                            .isLessThanOrEqualTo(taker.priority);
                    others += other.getValue().priority == taker.priority ? 1 : 0;
                }
            }
            if (others > 0) {
                assertThat(consumer).as("consumers take turns").isNotEqualTo(lastConsumer);
            }
            lastConsumer = consumer;
        }

        @Override
        public void settled(long position) {
            assertThat(mustSettle.remove(position)).as("asked to be settled").isTrue();
            assertThat(settled.add(position)).as("settled once").isTrue();
        }

        @Override
        public void purged(QueueIndex references) {
            while (!references.isEmpty()) {
                settled(references.firstPosition());
                references.removeFirst();
            }
        }

        @Override
        public void failed(long position, int deliveryCount) {
            assertThat(byPosition.get(position).failures).isEqualTo(deliveryCount);
        }

        @Override
        public void postponed(long position, long due) {
            assertThat(mustPostpone.remove(position)).isEqualTo(due);
        }

        @Override
        public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {
            assertThat(mustDie.remove(position)).isEqualTo(reason);
            Message message = byPosition.get(position);
            assertThat(Reference.deliveryCount(state)).isEqualTo(message.failures);
            dying.put(deliveryId, message);
        }

        /** What a transaction would do. */
        private static final class Foreseen implements DeliveryEffects {
            String told = "";

            @Override
            public void deliver(int consumer, long deliveryId, long position, long state, boolean settles) {
                fail("delivered by a settlement");
            }

            @Override
            public void settled(long position) {
                told += "settled " + position;
            }

            @Override
            public void failed(long position, int deliveryCount) {
                told += "failed " + position + " " + deliveryCount;
            }

            @Override
            public void postponed(long position, long due) {
                fail("postponed before the commit");
            }

            @Override
            public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {
                told += "rejected " + position;
                assertThat(reason).isEqualTo(DeathReason.REJECTED);
                assertThat(Reference.rejected(state)).isTrue();
            }

            @Override
            public void purged(QueueIndex references) {
                fail("purged by a settlement");
            }
        }

        /** Takes what a closed queue gives up. */
        private final class Everything implements DeliveryEffects {
            @Override
            public void deliver(int consumer, long deliveryId, long position, long state, boolean settles) {
                fail("delivered by a closed queue");
            }

            @Override
            public void settled(long position) {
                assertThat(settled.add(position)).as("settled once").isTrue();
            }

            @Override
            public void failed(long position, int deliveryCount) {
                fail("failed in a closed queue");
            }

            @Override
            public void postponed(long position, long due) {
                fail("postponed in a closed queue");
            }

            @Override
            public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {
                fail("dead-lettered by a closed queue");
            }

            @Override
            public void purged(QueueIndex references) {
                while (!references.isEmpty()) {
                    settled(references.firstPosition());
                    references.removeFirst();
                }
            }
        }
    }
}
