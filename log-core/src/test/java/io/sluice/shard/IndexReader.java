package io.sluice.shard;

import static io.sluice.shard.Invariant.LIMIT_HOLDS;
import static io.sluice.shard.Invariant.NOTHING_STAYS_STUCK;
import static io.sluice.shard.Invariant.UNUSED_QUEUES_EXPIRE;

import io.sluice.log.LogException;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.Overflow;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.Reference;
import io.sluice.queue.TargetSet;
import io.sluice.queue.TargetSet.Stamp;
import io.sluice.shard.CoreSimulation.Client;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;

/** Reads what the queues of the simulated core hold, and compares it with what they may, and with what they held before a restart. */
final class IndexReader {
    /** What the end of a turn and a pass or two may take, milliseconds. */
    private static final int SLACK = 1_100;

    private final CoreSimulation world;
    /** An index could not be read, because something was made to fail. */
    boolean unreadable;
    /** What a queue held changed while it was read. */
    boolean moved;

    IndexReader(CoreSimulation world) {
        this.world = world;
    }

    /** {@code now} is the time of the last turn. */
    void checkLimits(long now) {
        for (Client client : world.queues.values()) {
            QueuePolicy policy = client.spec.policy();
            DeliveryMachine machine = client.machine();
            boolean drops = policy.overflow() == Overflow.DROP_HEAD;
            if (((QueueHandle) client.ref).queue().standsStill()) {
                NOTHING_STAYS_STUCK.hold(world.faulty, "queue %s cannot read its index", client.model.id);
                continue;
            }
            long fresh = machine.ready();
            if (!drops) {
                long[] returned = new long[1];
                machine.visitDelivered((sequence, position, state, expiry) -> returned[0]++);
                // what came back may be too much
                fresh -= returned[0] - machine.unacked();
            }
            boolean bounded = drops || client.bornIn == world.life && !client.model.mayExceed;
            LIMIT_HOLDS.hold(
                    !bounded || policy.maxLength() < 0 || fresh <= policy.maxLength(),
                    "queue %s has %s messages of %s",
                    client.model.id,
                    fresh,
                    policy.maxLength());
            LIMIT_HOLDS.hold(
                    !drops || policy.maxBytes() < 0 || machine.readyBytes() <= policy.maxBytes(),
                    "queue %s has %s bytes of %s",
                    client.model.id,
                    machine.readyBytes(),
                    policy.maxBytes());
            LIMIT_HOLDS.hold(
                    machine.nextExpiry() > now,
                    "queue %s has a message that should have gone at %s, it is %s",
                    client.model.id,
                    machine.nextExpiry(),
                    now);
            if (!world.faulty) {
                client.consumers.forEach(consumer -> consumer.checkLocks(now));
            }
            long expires = policy.expires();
            if (expires >= 0 && client.consumers.isEmpty()) {
                UNUSED_QUEUES_EXPIRE.hold(
                        client.unusedAt < 0 || now - client.unusedAt < expires + SLACK,
                        "queue %s is unused since %s, it is %s",
                        client.model.id,
                        client.unusedAt,
                        now);
                client.unusedAt = client.unusedAt < 0 ? now : client.unusedAt;
            }
            if (client.touched) {
                client.touched = false;
                client.usedAt = client.lastCall;
            }
        }
    }

    /** But for what expired since, and what is too much now that nothing is with a consumer. */
    boolean areSame(Client client, List<Held> before, List<Held> now) {
        // the journal has one bound for all that were delivered: what was dying undelivered may be below it
        Set<String> dying = new HashSet<>();
        before.stream().filter(h -> h.inFlight() && !h.redelivered()).forEach(h -> dying.add(h.value()));
        // shown apart from those that it stands among, as is what comes back meanwhile; afterwards all are in one order
        Set<String> delivered = new HashSet<>();
        before.stream().filter(h -> !h.fresh()).forEach(h -> delivered.add(h.value()));
        return isSame(client, before, now, dying, h -> !delivered.contains(h.value()))
                && isSame(client, before, now, dying, h -> delivered.contains(h.value()));
    }

    private boolean isSame(
            Client client, List<Held> before, List<Held> now, Set<String> dying, Predicate<Held> compared) {
        List<String> held = keys(client, before.stream().filter(compared).toList(), dying);
        List<String> found = keys(client, now.stream().filter(compared).toList(), dying);
        if (before.stream().anyMatch(Held::postponed)) {
            // one may have fallen due meanwhile, and stands in its place again
            held.sort(Comparator.naturalOrder());
            found.sort(Comparator.naturalOrder());
        }
        if (client.model.hasDeadLetters
                || client.spec.policy().overflow() != Overflow.DROP_HEAD
                || client.spec.policy().maxBytes() < 0 && !client.model.mayOverflow()) {
            return held.equals(found);
        }
        int at = 0;
        for (String key : held) {
            at += at < found.size() && found.get(at).equals(key) ? 1 : 0;
        }
        return at == found.size();
    }

    private List<String> keys(Client client, List<Held> index, Set<String> dying) {
        QueuePolicy policy = client.spec.policy();
        List<String> keys = new ArrayList<>();
        for (Held held : index) {
            long own = held.stamp().expiry();
            long ofQueue = policy.messageTtl() < 0 ? 0 : held.stamp().arrival() + policy.messageTtl();
            long expiry = own == 0 ? ofQueue : ofQueue == 0 ? own : Math.min(own, ofQueue);
            if (policy.delayed() || expiry == 0 || expiry >= world.clock.millis()) {
                String key = held + " of priority " + held.priority();
                boolean flagged = policy.refusesPublishes() || client.model.choosy || dying.contains(held.value());
                keys.add(flagged ? key.replace("*", "") : key);
            }
        }
        if (policy.delayed() || policy.refusesPublishes()) {
            // one has no order; and the other may have turned some away, which a restart puts somewhere
            keys.sort(Comparator.naturalOrder());
        }
        return keys;
    }

    /**
     * A reference of a queue's index and its message.
     *
     * @param fresh not looked at since it came or was recovered; these are in order, and so are the others
     */
    record Held(
            boolean fresh,
            boolean onDisk,
            String value,
            int deliveryCount,
            boolean redelivered,
            int priority,
            long expiry,
            boolean inFlight,
            boolean rejected,
            boolean postponed,
            Stamp stamp) {
        @Override
        public String toString() {
            return "m" + CoreModel.serial(value) + (deliveryCount > 0 ? "/" + deliveryCount : "")
                    + (redelivered ? "*" : "");
        }
    }

    /** The queue's index, in its order. */
    List<Held> held(Client client) {
        List<Held> held = new ArrayList<>();
        RecordView view = new RecordView();
        Set<Long> inFlight = new HashSet<>();
        client.machine().visitInFlight((position, state, expiry) -> inFlight.add(position));
        Set<Long> postponed = new HashSet<>();
        client.machine().visitPostponed((position, due) -> postponed.add(position));
        List<Long> before = positions(client);
        inOrder(client.machine(), (position, state, expiry, fresh) -> {
            BatchView[] batch = new BatchView[1];
            boolean[] answered = {false};
            for (int attempt = 0; attempt < 3 && !answered[0]; attempt++) {
                ((DeliveryQueues) world.core.queues())
                        .withBatch(
                                position,
                                found -> {
                                    if (answered[0]) {
                                        return;
                                    }
                                    answered[0] = true;
                                    batch[0] = found == null ? null : found.retain();
                                },
                                error -> {});
                for (int i = 0; i < 100 && !answered[0]; i++) {
                    world.workers.runOne();
                    world.core.step();
                }
            }
            if (!answered[0]) {
                NOTHING_STAYS_STUCK.hold(world.faulty, "queue %s cannot read its messages", client.model.id);
                unreadable = true;
                answered[0] = true;
            }
            if (batch[0] == null) {
                return; // an unsynced record that the log lost
            }
            if (!batch[0].record(Reference.offset(position), view)) {
                moved = true; // it was in memory, and went
                batch[0].release();
                return;
            }
            held.add(new Held(
                    fresh,
                    Reference.partition(position) != Reference.MEMORY_PARTITION,
                    view.valueSlice().toString(StandardCharsets.UTF_8),
                    Reference.deliveryCount(state),
                    Reference.redelivered(state),
                    Reference.priority(state),
                    expiry,
                    inFlight.contains(position),
                    Reference.rejected(state),
                    postponed.contains(position),
                    TargetSet.stampOf(view)));
            batch[0].release();
        });
        moved |= !positions(client).equals(before);
        // a restart puts those that only wait for their dead letter to be stored before all others
        held.sort(Comparator.comparing(
                        (Held message) -> !message.rejected() && !client.model.isOverLimit(message.deliveryCount()))
                .thenComparing(message -> -client.model.level(message.priority())));
        return held;
    }

    private List<Long> positions(Client client) {
        List<Long> positions = new ArrayList<>();
        inOrder(client.machine(), (position, state, expiry, fresh) -> positions.add(position));
        return positions;
    }

    private interface HeldVisitor {
        void visit(long position, long state, long expiry, boolean fresh);
    }

    private void inOrder(DeliveryMachine machine, HeldVisitor visitor) {
        try {
            show(machine, visitor);
        } catch (LogException e) {
            // a scratch file
            NOTHING_STAYS_STUCK.hold(world.faulty, "an index cannot be read: %s", e);
            unreadable = true;
        }
    }

    private static void show(DeliveryMachine machine, HeldVisitor visitor) {
        TreeMap<Long, Runnable> delivered = new TreeMap<>();
        machine.visitDelivered((sequence, position, state, expiry) ->
                delivered.put(sequence, () -> visitor.visit(position, state, expiry, false)));
        List<Runnable> fresh = new ArrayList<>();
        // collected first: a visitor lets the world.core work
        long from = 0;
        while (from >= 0) {
            from = machine.visitFresh(
                    from,
                    Integer.MAX_VALUE,
                    (position, state, expiry) -> fresh.add(() -> visitor.visit(position, state, expiry, true)));
        }
        delivered.values().forEach(Runnable::run);
        fresh.forEach(Runnable::run);
    }
}
