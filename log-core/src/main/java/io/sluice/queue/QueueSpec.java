package io.sluice.queue;

import io.sluice.access.Principal;

/**
 * A queue as the catalog knows it.
 *
 * @param durable survives a restart with its persistent messages
 * @param owner who declared it
 */
public record QueueSpec(QueueId id, String vhost, String name, boolean durable, QueuePolicy policy, Principal owner) {
    /** The same queue with another policy. */
    public QueueSpec with(QueuePolicy other) {
        return new QueueSpec(id, vhost, name, durable, other, owner);
    }
}
