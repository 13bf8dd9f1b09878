package io.sluice.amqp091.connection;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Which connection owns which exclusive queue. One per gateway; thread-safe. */
final class ExclusiveQueues {
    private record Name(String vhost, String queue) {}

    private final ConcurrentMap<Name, Object> owners = new ConcurrentHashMap<>();

    /** Takes the name for {@code owner}. */
    void claim(String vhost, String queue, Object owner) {
        Object present = owners.putIfAbsent(new Name(vhost, queue), owner);
        if (present != null && present != owner) {
            throw locked(vhost, queue);
        }
    }

    void release(String vhost, String queue, Object owner) {
        owners.remove(new Name(vhost, queue), owner);
    }

    /** Refuses anybody but the owner. */
    void check(String vhost, String queue, Object caller) {
        Object present = owners.get(new Name(vhost, queue));
        if (present != null && present != caller) {
            throw locked(vhost, queue);
        }
    }

    /** The refusal of one who is not the owner, or who declares an exclusive queue as shared or the other way round. */
    static AmqpException locked(String vhost, String queue) {
        return new AmqpException(
                ReplyCode.RESOURCE_LOCKED,
                "cannot obtain exclusive access to locked " + ArgumentChecks.named(queue, vhost)
                        + ". It could be originally declared on another connection or the exclusive property value does"
                        + " not match that of the original declaration.");
    }
}
