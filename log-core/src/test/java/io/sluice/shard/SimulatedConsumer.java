package io.sluice.shard;

import static io.sluice.shard.Invariant.LOCKS_HOLD;
import static io.sluice.shard.Invariant.ONE_HOLDER_OF_A_GROUP;
import static io.sluice.shard.Invariant.SELECTORS_HOLD;

import io.sluice.log.LogPartition;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.MessageSelector;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueRef.ConsumerSpec;
import io.sluice.queue.RetryBackoff;
import io.sluice.queue.TargetSet;
import io.sluice.shard.CoreSimulation.Client;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Executor;
import java.util.stream.LongStream;

/** A client with a subscription. */
final class SimulatedConsumer implements DeliverySink {
    private final CoreSimulation world;
    private final Random random;
    final Client client;
    final QueueConsumer end;
    private final boolean auto;
    private final Every selector;
    /** Milliseconds, 0 = none. */
    private final long lock;

    private final Executor loop;
    private final int life;
    final List<Delivery> held = new ArrayList<>();
    /** Deliveries whose lock ended. */
    private final List<Long> lost = new ArrayList<>();

    private final Map<Long, Long> deadlines = new HashMap<>();
    private final List<ModelCopy> unflushed = new ArrayList<>();
    private final List<Failure> failures = new ArrayList<>();
    private final RecordView view = new RecordView();
    boolean gone;
    boolean ackAll;

    record Delivery(long id, ModelCopy copy) {}

    record Failure(ModelCopy copy, int count, long journalEnd) {}

    /** Wants every {@code of}-th message. */
    record Every(int of, int rest) implements MessageSelector {
        @Override
        public boolean matches(RecordView message) {
            return wants(CoreModel.serial(message.valueSlice().toString(StandardCharsets.UTF_8)));
        }

        boolean wants(int serial) {
            return serial % of == rest;
        }
    }

    /** One that wants everything, and takes its time. */
    SimulatedConsumer(CoreSimulation world, Client client, boolean auto, boolean exclusive, int credit) {
        this(world, client, new ConsumerSpec("c", auto, exclusive, world.random.nextInt(3), credit));
    }

    SimulatedConsumer(CoreSimulation world, Client client, ConsumerSpec spec) {
        this.world = world;
        this.random = world.random;
        this.client = client;
        auto = spec.autoSettle();
        selector = (Every) spec.selector();
        lock = spec.lockMillis();
        life = world.life;
        // with a lock it is told in the very turn: so it always knows what it has
        loop = lock > 0 ? world::told : world.any(world.loops);
        client.consumers.add(this);
        client.model.choosy |= selector != null;
        end = client.ref.attach(CoreSimulation.CALLER, spec, this);
    }

    boolean holds(ModelCopy copy) {
        return held.stream().anyMatch(d -> d.copy() == copy);
    }

    @Override
    public Executor executor() {
        return loop;
    }

    @Override
    public void failed(RuntimeException cause) {
        throw cause;
    }

    @Override
    public void deliver(DeliveryBatch batch) {
        try {
            for (int i = 0; i < batch.size() && life == world.life; i++) {
                batch.record(i, view);
                String value = view.valueSlice().toString(StandardCharsets.UTF_8);
                SELECTORS_HOLD.hold(
                        selector == null || selector.wants(CoreModel.serial(value)),
                        "queue %s gave m%s to somebody who does not want it",
                        client.model.id,
                        CoreModel.serial(value));
                if (!client.model.deleted) {
                    client.model.order.taken(batch.deliveryId(i), CoreModel.serial(value), this);
                }
                ModelCopy copy = gone && !auto || client.model.deleted
                        ? null
                        : world.model.delivered(
                                client.model,
                                batch.deliveryId(i),
                                value,
                                batch.redelivered(i),
                                auto,
                                TargetSet.stampOf(view),
                                world.told());
                if (copy != null && !auto) {
                    checkHolders(copy);
                    held.add(new Delivery(batch.deliveryId(i), copy));
                    deadlines.put(batch.deliveryId(i), world.told() + lock);
                }
            }
            if (ackAll) {
                while (!held.isEmpty()) {
                    settle(0, 0);
                }
                flushed();
            }
        } finally {
            batch.release();
        }
    }

    /** With locks, somebody may have lost what he still seems to have: the order of event loops decides who is told first. */
    private void checkHolders(ModelCopy copy) {
        if (copy.group() == 0 || lock > 0) {
            return;
        }
        boolean alone = client.spec.policy().groups().oneInFlight();
        for (SimulatedConsumer other : client.consumers) {
            if (other.lock == 0 && !other.gone && (alone || other != this)) {
                ONE_HOLDER_OF_A_GROUP.hold(
                        other.held.stream().noneMatch(d -> d.copy().group() == copy.group()),
                        "queue %s delivered m%s of group %s, of which something is in flight",
                        client.model.id,
                        copy.message.serial,
                        copy.group());
            }
        }
    }

    @Override
    public void lockEnded(long deliveryId) {
        if (life != world.life || gone || client.model.deleted) {
            return;
        }
        Delivery delivery =
                held.stream().filter(d -> d.id() == deliveryId).findFirst().orElse(null);
        LOCKS_HOLD.hold(
                delivery != null && world.told() >= deadlines.get(deliveryId),
                "queue %s took delivery %s back at %s, it was locked until %s",
                client.model.id,
                deliveryId,
                world.told(),
                deadlines.get(deliveryId));
        held.remove(delivery);
        lost.add(deliveryId);
        ModelCopy copy = delivery.copy();
        copy.how = "lock of delivery " + deliveryId + " ended";
        fails(copy);
        RetryBackoff retry = client.spec.policy().retry();
        copy.notBefore = retry == null ? 0 : world.told() + shortest(retry, copy.failures);
    }

    /** At rest at this time, epoch ms, nothing is held beyond its lock. */
    void checkLocks(long now) {
        for (Delivery delivery : held) {
            LOCKS_HOLD.hold(
                    lock == 0 || deadlines.get(delivery.id()) > now,
                    "queue %s lets delivery %s be held at %s, which was locked until %s",
                    client.model.id,
                    delivery.id(),
                    now,
                    deadlines.get(delivery.id()));
        }
    }

    private void fails(ModelCopy copy) {
        copy.failures++;
        int limit = client.spec.policy().deliveryLimit();
        if (limit >= 0 && copy.failures > limit) {
            copy.settled = true;
            copy.rejected = client.deadLetters != null;
        }
    }

    /** Hands over what a consumer with locks has settled, at once, and learns what is refused: what it had lost. */
    private void answered(List<Long> refusals) {
        boolean calm = !world.faulty;
        end.flushAnswered().whenComplete((refused, error) -> {
            if (error == null && life == world.life && calm && !world.faulty && !client.model.deleted && !gone) {
                List<Long> ids = LongStream.of(refused).boxed().toList();
                LOCKS_HOLD.hold(
                        ids.equals(refusals),
                        "queue %s refused settlements %s, not %s",
                        client.model.id,
                        ids,
                        refusals);
            }
        });
    }

    @Override
    public void closed(String reason) {
        gone = true;
        client.consumers.remove(this);
        client.used(world.clock.millis());
    }

    void settleSome() {
        if (lock > 0 && !lost.isEmpty()) {
            long gone = lost.remove(0);
            switch (random.nextInt(4)) {
                case 0 -> end.ack(gone);
                case 1 -> end.release(gone, true);
                case 2 -> end.reject(gone);
                default -> end.renew(gone);
            }
            answered(List.of(gone));
        }
        if (lock > 0 && !held.isEmpty() && random.nextBoolean()) {
            long renewed = world.any(held).id();
            end.renew(renewed);
            deadlines.put(renewed, world.clock.millis() + lock);
            answered(List.of());
        }
        for (int i = random.nextInt(4); i >= 0 && !held.isEmpty(); i--) {
            settle(random.nextInt(3) == 0 ? random.nextInt(held.size()) : 0, random.nextInt(20));
        }
        if (lock > 0) {
            answered(List.of());
        }
        if (random.nextInt(4) > 0) {
            flushed();
        }
    }

    /** How many messages it has. */
    int holds() {
        return held.size();
    }

    /** Settles one of them: below 13 by ack, 13 and 14 by release, 15 to 17 as failed, above by reject. */
    void settle(int index, int how) {
        Delivery delivery = held.remove(index);
        ModelCopy copy = delivery.copy();
        copy.how = "choice " + how + " with delivery " + delivery.id();
        if (how < 13) {
            end.ack(delivery.id());
            unflushed.add(copy);
            copy.settled = true;
            copy.journaledFrom = world.journal().logEndOffset();
        } else if (how < 15) {
            if (random.nextInt(3) == 0) {
                copy.notBefore = world.clock.millis() + random.nextInt(3000);
                end.releaseUntil(delivery.id(), false, copy.notBefore);
            } else {
                end.release(delivery.id(), false);
            }
        } else if (how < 18) {
            if (random.nextInt(3) == 0) {
                copy.notBefore = world.clock.millis() + random.nextInt(3000);
                end.releaseUntil(delivery.id(), true, copy.notBefore);
            } else {
                RetryBackoff retry = client.spec.policy().retry();
                copy.notBefore = retry == null ? 0 : world.clock.millis() + shortest(retry, copy.failures + 1);
                end.release(delivery.id(), true);
            }
            failed(copy);
        } else {
            end.reject(delivery.id());
            copy.settled = true;
            copy.rejected = client.deadLetters != null;
        }
    }

    /** Gives one of them back, not to be delivered again before so many milliseconds are over. */
    void releaseUntil(int index, boolean failed, long millis) {
        Delivery delivery = held.remove(index);
        ModelCopy copy = delivery.copy();
        copy.how = "given back for " + millis + " ms";
        copy.notBefore = world.clock.millis() + millis;
        end.releaseUntil(delivery.id(), failed, copy.notBefore);
        if (failed) {
            failed(copy);
        }
    }

    /** One more delivery failed, and the journal learns of it. */
    private void failed(ModelCopy copy) {
        fails(copy);
        if (!copy.settled || copy.rejected) {
            failures.add(new Failure(copy, copy.failures, world.journal().logEndOffset()));
        }
    }

    /** Milliseconds that a failed message waits at least. */
    private static long shortest(RetryBackoff retry, int failures) {
        long delay = retry.firstMillis();
        for (int i = 1; i < failures; i++) {
            delay = retry.multiplier() == RetryBackoff.LINEAR
                    ? delay + retry.firstMillis()
                    : delay * retry.multiplier();
        }
        delay = Math.min(delay, retry.maxMillis());
        return Math.max(1, delay - delay * retry.jitterPercent() / 100);
    }

    /** Hands over what was settled; sometimes asks to be told when it is journaled. */
    void flushed() {
        end.flush();
        if (random.nextBoolean() && !(unflushed.isEmpty() && failures.isEmpty())) {
            List<ModelCopy> settled = List.copyOf(unflushed);
            unflushed.clear();
            List<Failure> failed = List.copyOf(failures);
            failures.clear();
            LogPartition journal = world.journal();
            end.barrier().whenComplete((done, error) -> {
                if (life == world.life && error == null) {
                    settled.forEach(copy -> {
                        copy.journaledTo = journal.logEndOffset();
                    });
                    failed.forEach(failure -> {
                        failure.copy().journaledFailures = failure.count();
                        failure.copy().failuresFrom = failure.journalEnd();
                        failure.copy().failuresTo = journal.logEndOffset();
                    });
                }
            });
        }
    }

    void leave() {
        client.consumers.remove(this);
        client.used(world.clock.millis());
        flushed();
        held.clear();
        gone = true;
        end.cancel();
    }
}
