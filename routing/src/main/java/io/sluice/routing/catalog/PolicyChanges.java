package io.sluice.routing.catalog;

import static io.sluice.routing.catalog.Names.permit;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.Queues;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.Sessions;
import io.sluice.routing.catalog.CatalogRecord.SetPolicy;
import io.sluice.routing.policy.AppliedPolicy;
import io.sluice.routing.policy.Policies;
import io.sluice.routing.policy.Policy;
import io.sluice.routing.policy.QueueType;

/** Changes of policies, as parts of a transaction, and what they make of queues. */
final class PolicyChanges {
    private final String vhost;

    PolicyChanges(String vhost) {
        this.vhost = vhost;
    }

    /** Answers true if there was none of this name. */
    boolean set(Transaction tx, Caller caller, boolean operator, Policy policy) {
        permit(caller, Operation.CONFIGURE, Resource.Kind.VHOST, vhost);
        Policy present = tx.host(vhost).policies.find(operator, policy.name());
        if (!policy.equals(present)) {
            tx.put(new SetPolicy(vhost, operator, policy), true);
        }
        return present == null;
    }

    /** Answers false if there was none. */
    boolean remove(Transaction tx, Caller caller, boolean operator, String name) {
        permit(caller, Operation.CONFIGURE, Resource.Kind.VHOST, vhost);
        Policy present = tx.host(vhost).policies.find(operator, name);
        if (present != null) {
            tx.remove(new SetPolicy(vhost, operator, present), true);
        }
        return present != null;
    }

    /** What a queue does with its messages. One of a session goes with its session, not for want of use. */
    static QueuePolicy inForce(Policies policies, QueueDeclaration queue) {
        AppliedPolicy applied = policies.ofQueue(queue.name(), QueueType.of(queue.arguments()));
        boolean ofSession = queue.name().startsWith(Sessions.QUEUE_PREFIX);
        return (ofSession ? applied.withoutExpiry() : applied).over(queue.policy(), queue.arguments());
    }

    /** Makes the queues of a table what its policies want. Shard thread. */
    static void apply(HostTable table, Queues queues) {
        table.queues.forEach((name, entry) -> {
            QueuePolicy wanted = inForce(table.policies, entry.declaration());
            if (!wanted.equals(entry.ref().spec().policy())) {
                queues.reconfigure(entry.ref().id(), wanted);
            }
        });
    }
}
