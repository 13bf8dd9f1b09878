package io.sluice.shard;

import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/** When queues have something to do although nothing happens. Each queue has one timer at most that counts. Shard thread. */
final class QueueTimers {
    private final PriorityQueue<Timer> timers = new PriorityQueue<>();

    /** A time to wake a queue at. */
    static final class Timer implements Comparable<Timer> {
        private final long at;
        private @Nullable DeliveryQueue queue;

        private Timer(long at, DeliveryQueue queue) {
            this.at = at;
            this.queue = queue;
        }

        @Override
        public int compareTo(Timer other) {
            return Long.compare(at, other.at);
        }
    }

    /** Wakes the queue at this time, epoch ms, unless it is woken earlier; {@link Long#MAX_VALUE} for never. */
    void schedule(DeliveryQueue queue, long at) {
        Timer present = queue.timer;
        if (at == Long.MAX_VALUE || present != null && present.at <= at) {
            return;
        }
        forget(queue);
        queue.timer = new Timer(at, queue);
        timers.add(queue.timer);
    }

    /** The queue is not woken any more; what is left of its timer goes when its time has come. */
    void forget(DeliveryQueue queue) {
        Timer present = queue.timer;
        if (present != null) {
            present.queue = null;
            queue.timer = null;
        }
    }

    /** When the first queue is woken, epoch ms; {@link Long#MAX_VALUE} if none is. */
    long next() {
        Timer first = timers.peek();
        return first == null ? Long.MAX_VALUE : first.at;
    }

    /** Gives queues whose time has come to {@code queues}. */
    void work(long now, DeliveryQueues queues) {
        while (next() <= now) {
            DeliveryQueue queue = timers.remove().queue;
            if (queue != null) {
                queue.timer = null;
                queues.markDirty(queue);
            }
        }
    }
}
