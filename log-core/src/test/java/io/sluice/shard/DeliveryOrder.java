package io.sluice.shard;

import static io.sluice.shard.Invariant.ONE_CONSUMER_IS_ACTIVE;
import static io.sluice.shard.Invariant.PRIORITY_ORDER;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What order a queue's deliveries may have between two moments of rest. Event loops show deliveries in any order; their numbers
 * say in which order the queue decided, so all are judged together when the loops have nothing left.
 */
final class DeliveryOrder {
    private record Taken(int serial, SimulatedConsumer consumer) {}

    private final TreeMap<Long, Taken> taken = new TreeMap<>();
    private List<ModelCopy> waiting = List.of();
    private SimulatedConsumer active;

    /** A message reached the connection of a consumer, which may have left in between. */
    void taken(long deliveryId, int serial, SimulatedConsumer consumer) {
        taken.put(deliveryId, new Taken(serial, consumer));
    }

    /** A start: these wait, and nobody has got anything. */
    void restarted(List<ModelCopy> waitingNow) {
        taken.clear();
        waiting = waitingNow;
        active = null;
    }

    /** The queue rests, these wait: none of them was passed by one behind it while it waited. */
    void rest(ModelQueue queue, List<ModelCopy> waitingNow) {
        Map<Integer, Long> firsts = new HashMap<>();
        taken.forEach((id, delivery) -> firsts.putIfAbsent(delivery.serial(), id));
        Set<ModelCopy> still = new HashSet<>(waitingNow);
        taken.forEach((id, delivery) -> {
            ModelCopy passing = queue.bySerial(delivery.serial());
            if (passing == null || passing.displaced) {
                return;
            }
            for (ModelCopy passed : waiting) {
                Long first = firsts.get(passed.message.serial);
                if (queue.choosy && (passed.group() == 0 || passed.group() != passing.group())) {
                    continue;
                }
                boolean waited = first == null ? still.contains(passed) : first > id;
                PRIORITY_ORDER.hold(
                        !waited || passed.displaced || !passed.isBefore(passing),
                        "queue %s delivered m%s of level %s while m%s of level %s was waiting",
                        queue.id,
                        passing.message.serial,
                        passing.priorityLevel(),
                        passed.message.serial,
                        passed.priorityLevel());
            }
        });
        if (queue.policy.singleActiveConsumer()) {
            taken.forEach((id, delivery) -> {
                ONE_CONSUMER_IS_ACTIVE.hold(
                        active == null || active == delivery.consumer() || active.gone,
                        "queue %s gave m%s to another than its active consumer",
                        queue.id,
                        delivery.serial());
                active = delivery.consumer();
            });
        }
        taken.clear();
        waiting = List.copyOf(waitingNow);
    }
}
