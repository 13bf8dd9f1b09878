package io.sluice.shard;

import java.util.PriorityQueue;

/** When queues have something to do although nothing happens. Shard thread. */
final class QueueTimers {
    private record Timer(long at, DeliveryQueue queue) implements Comparable<Timer> {
        @Override
        public int compareTo(Timer other) {
            return Long.compare(at, other.at);
        }
    }

    private final PriorityQueue<Timer> timers = new PriorityQueue<>();

    /** Wakes the queue at this time, epoch ms, unless it is woken earlier. */
    void schedule(DeliveryQueue queue, long at) {
        if (at < queue.timerAt) {
            queue.timerAt = at;
            timers.add(new Timer(at, queue));
        }
    }

    /** When the first queue is woken, epoch ms; {@link Long#MAX_VALUE} if none is. */
    long next() {
        Timer first = timers.peek();
        return first == null ? Long.MAX_VALUE : first.at();
    }

    /** Gives a queue whose time has come to {@code queues}, until none is left. */
    void work(long now, DeliveryQueues queues) {
        while (next() <= now) {
            Timer due = timers.remove();
            // else it was woken by a timer set later
            if (due.queue().timerAt == due.at()) {
                due.queue().timerAt = Long.MAX_VALUE;
                queues.markDirty(due.queue());
            }
        }
    }
}
