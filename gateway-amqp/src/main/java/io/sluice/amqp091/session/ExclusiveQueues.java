package io.sluice.amqp091.session;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Which connection owns which exclusive queue. One per gateway; thread-safe. */
public final class ExclusiveQueues {
    private record Name(String vhost, String queue) {}

    private final ConcurrentMap<Name, Object> owners = new ConcurrentHashMap<>();

    /** Takes the name for {@code owner}. */
    public void claim(String vhost, String queue, Object owner) {
        Object present = owners.putIfAbsent(new Name(vhost, queue), owner);
        if (present != null && present != owner) {
            throw Refusals.locked(vhost, queue);
        }
    }

    public void release(String vhost, String queue, Object owner) {
        owners.remove(new Name(vhost, queue), owner);
    }

    /** Refuses anybody but the owner. */
    public void check(String vhost, String queue, Object caller) {
        Object present = owners.get(new Name(vhost, queue));
        if (present != null && present != caller) {
            throw Refusals.locked(vhost, queue);
        }
    }
}
