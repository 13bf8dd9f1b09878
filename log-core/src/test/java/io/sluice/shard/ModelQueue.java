package io.sluice.shard;

import io.sluice.queue.QueuePolicy;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/** A queue with all it was ever sent, in order. */
final class ModelQueue {
    final long id;
    final boolean durable;
    /** Administrators may change its limits. */
    QueuePolicy policy;

    final boolean hasDeadLetters;
    final TreeMap<Long, ModelCopy> copies = new TreeMap<>();
    final Map<Integer, ModelCopy> bySerial = new HashMap<>();
    final DeliveryOrder order = new DeliveryOrder();
    /** Ranks of first deliveries by delivery id and priority level, in this life. */
    final Map<Integer, TreeMap<Long, Long>> firsts = new HashMap<>();

    boolean deleted;
    /** Not every consumer takes every message: one may be passed by others. */
    boolean choosy;
    /** A transaction may have brought more than its limits allow. */
    boolean mayExceed;
    /** More it cannot have held since the last rest. */
    long atMost;

    ModelQueue(long id, boolean durable, QueuePolicy policy) {
        this.id = id;
        this.durable = durable;
        this.policy = policy;
        this.hasDeadLetters = policy.deadLetterExchange() != null || policy.delayed();
        this.choosy = policy.groups() != null;
    }

    ModelCopy bySerial(int serial) {
        return bySerial.get(serial);
    }

    int level(int priority) {
        int max = policy.maxPriority();
        int asked = Math.min(priority, max);
        return max < 32 ? asked : asked * 32 / (max + 1);
    }

    /** True if it may have been beyond its limit since the last rest. */
    boolean mayOverflow() {
        return policy.maxBytes() >= 0 || policy.maxLength() >= 0 && atMost > policy.maxLength();
    }

    /** True if a message that failed so often is never delivered from here again. */
    boolean isOverLimit(int failures) {
        return policy.deliveryLimit() >= 0 && failures > policy.deliveryLimit();
    }
}
