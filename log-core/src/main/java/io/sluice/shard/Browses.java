package io.sluice.shard;

import io.sluice.queue.DeliveryMachine;
import java.util.ArrayList;
import java.util.List;

/** Those who look at a queue, which takes them up after all that was sent to it before. Shard thread. */
final class Browses {
    private final DeliveryQueue queue;
    private final DeliveryQueues queues;
    private final ArrayList<Browse> all = new ArrayList<>(1);

    Browses(DeliveryQueue queue, DeliveryQueues queues) {
        this.queue = queue;
        this.queues = queues;
    }

    boolean isEmpty() {
        return all.isEmpty();
    }

    /** Begins with what waits now. */
    void add(Browse browse, DeliveryMachine machine) {
        all.add(browse);
        browse.begin(machine, queues);
    }

    /** It has seen everything, or has enough. */
    void end(Browse browse) {
        browse.end();
        all.remove(browse);
    }

    /** Answers true if there is more to do at once. */
    boolean work(DeliveryMachine machine, long now) {
        boolean more = false;
        // one that ends leaves the list
        for (int i = all.size() - 1; i >= 0; i--) {
            more |= all.get(i).work(machine, queues, now);
        }
        return more;
    }

    /** The queue is gone. */
    void close() {
        for (Browse browse : List.copyOf(all)) {
            queue.refuse(browse.sink(), "queue deleted");
            end(browse);
        }
    }

    /** Frees what they hold; nobody is told. */
    void release() {
        all.forEach(Browse::end);
        all.clear();
    }
}
