package io.sluice.amqp091.consume;

import io.sluice.amqp091.transaction.ChannelTransaction;
import io.sluice.amqp091.transaction.Settler;
import io.sluice.queue.Settlement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Deliveries of one channel that wait for their settlement, in order of their tags. Settled ones inside leave holes, which are
 * squeezed out before the arrays grow, so memory follows the number of open deliveries. Confined to the loop.
 */
final class UnackedDeliveries {
    /** Told about each delivery taken. */
    interface Taker {
        void take(long tag, Settler consumer, long deliveryId);
    }

    private long[] tags = new long[16];
    private long[] ids = new long[16];
    private @Nullable Settler[] consumers = new Settler[16];
    private int head;
    private int tail;
    private int open;

    void add(long tag, Settler consumer, long deliveryId) {
        if (tail == tags.length) {
            makeRoom();
        }
        tags[tail] = tag;
        ids[tail] = deliveryId;
        consumers[tail++] = consumer;
        open++;
    }

    int size() {
        return open;
    }

    /** Takes the delivery with this tag; false if there is none. */
    boolean take(long tag, Taker taker) {
        int at = Arrays.binarySearch(tags, head, tail, tag);
        if (at < 0) {
            return false;
        }
        boolean taken = takeAt(at, taker);
        dropHoles();
        return taken;
    }

    /** Takes all up to this tag, oldest first; answers how many. */
    int takeUpTo(long tag, Taker taker) {
        int taken = 0;
        while (head < tail && tags[head] <= tag) {
            if (takeAt(head, taker)) {
                taken++;
            }
            head++;
        }
        dropHoles();
        return taken;
    }

    /** Puts deliveries back that were taken and not settled. */
    void putBack(List<ChannelTransaction.Settled> taken) {
        List<ChannelTransaction.Settled> all = new ArrayList<>(taken);
        takeUpTo(
                Long.MAX_VALUE,
                (tag, consumer, id) -> all.add(new ChannelTransaction.Settled(tag, consumer, id, Settlement.RELEASED)));
        all.sort(Comparator.comparingLong(ChannelTransaction.Settled::tag));
        for (ChannelTransaction.Settled one : all) {
            add(one.tag(), one.consumer(), one.deliveryId());
        }
    }

    /**
     * The time limit, ms, of the first delivery that is open for longer than it may be; 0 if none is.
     *
     * @param openSince the newest tag that was delivered so many ms ago
     */
    long overdue(LongUnaryOperator openSince) {
        long limit = 0;
        long reached = 0;
        for (int at = head; at < tail; at++) {
            Settler consumer = consumers[at];
            long timeout = consumer == null ? 0 : consumer.timeoutMillis();
            if (timeout <= 0) {
                continue;
            }
            if (timeout != limit) {
                limit = timeout;
                reached = openSince.applyAsLong(timeout);
            }
            if (tags[at] <= reached) {
                return timeout;
            }
        }
        return 0;
    }

    private boolean takeAt(int at, Taker taker) {
        Settler consumer = consumers[at];
        if (consumer == null) {
            return false;
        }
        consumers[at] = null;
        open--;
        taker.take(tags[at], consumer, ids[at]);
        return true;
    }

    private void dropHoles() {
        while (head < tail && consumers[head] == null) {
            head++;
        }
        if (head == tail) {
            head = 0;
            tail = 0;
        }
    }

    private void makeRoom() {
        int capacity = open > tags.length / 2 ? tags.length * 2 : tags.length;
        long[] newTags = new long[capacity];
        long[] newIds = new long[capacity];
        Settler[] newConsumers = new Settler[capacity];
        int to = 0;
        for (int from = head; from < tail; from++) {
            Settler consumer = consumers[from];
            if (consumer != null) {
                newTags[to] = tags[from];
                newIds[to] = ids[from];
                newConsumers[to++] = consumer;
            }
        }
        tags = newTags;
        ids = newIds;
        consumers = newConsumers;
        head = 0;
        tail = to;
    }
}
