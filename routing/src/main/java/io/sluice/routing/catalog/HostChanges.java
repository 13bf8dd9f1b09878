package io.sluice.routing.catalog;

import static io.sluice.routing.catalog.Names.permit;
import static io.sluice.routing.catalog.Names.refuse;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Principal;
import io.sluice.access.Resource;
import io.sluice.log.StreamId;
import io.sluice.queue.QueueId;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.VirtualHost.Description;
import io.sluice.routing.catalog.CatalogRecord.DeclaredExchange;
import io.sluice.routing.catalog.CatalogRecord.DeclaredQueue;
import io.sluice.routing.catalog.CatalogRecord.DeclaredStream;
import io.sluice.routing.catalog.CatalogRecord.Host;
import io.sluice.routing.catalog.CatalogRecord.Session;
import io.sluice.routing.catalog.CatalogRecord.SessionWill;
import io.sluice.routing.catalog.CatalogRecord.SetPolicy;
import io.sluice.routing.catalog.CatalogRecord.Subscribed;
import java.util.ArrayList;
import java.util.List;

/** Changes of virtual hosts, as parts of a transaction. */
final class HostChanges {
    /** The one that is always there: MQTT and Kafka clients that name none are in it. */
    static final String DEFAULT = "/";

    private HostChanges() {}

    /** What goes with a virtual host, once it is durable that it goes. */
    record Contents(List<QueueId> queues, List<StreamId> streams) {}

    static void check(Caller caller, String name) {
        permit(caller, Operation.ADMIN, Resource.Kind.VHOST, name);
        Names.checkHost(name);
    }

    /** Adds the virtual host, or describes the one that is there. */
    static void describe(Catalog catalog, Transaction tx, Caller caller, String name, Description description) {
        check(caller, name);
        Host record = new Host(name, description);
        if (tx.hasHost(name)) {
            if (!tx.host(name).description.equals(description)) {
                tx.put(record, true);
            }
        } else {
            HostEdit edit = new HostEdit(catalog.engine, catalog.queues, name);
            edit.put(record);
            tx.add(edit, record);
        }
    }

    /** Takes the virtual host out of the catalog with all that is in it. */
    static Contents remove(Transaction tx, Caller caller, String name) {
        check(caller, name);
        if (name.equals(DEFAULT)) {
            throw refuse(Reason.PRECONDITION_FAILED, "virtual host '/' is the default and stays");
        }
        HostEdit host = tx.host(name);
        List<CatalogRecord> records = new ArrayList<>();
        List<QueueId> queues = new ArrayList<>();
        List<StreamId> streams = new ArrayList<>();
        host.bindings.forEach((id, bound) -> records.add(bound));
        host.sessions.forEach((clientId, session) -> {
            session.subscriptions()
                    .forEach((filter, subscription) -> records.add(new Subscribed(name, clientId, subscription)));
            records.add(new SessionWill(name, clientId, null));
            records.add(new Session(name, clientId, session.queue().id(), 0, 0, session.owner()));
        });
        host.queues.forEach((queue, entry) -> {
            queues.add(entry.ref().id());
            records.add(new DeclaredQueue(name, entry.ref().id(), entry.declaration(), entry.owner()));
        });
        host.streams.forEach((stream, entry) -> {
            streams.add(entry.info().id());
            records.add(new DeclaredStream(name, stream, entry.info().id(), entry.configs(), entry.owner()));
        });
        host.exchanges.forEach(
                (exchange, entry) -> records.add(new DeclaredExchange(name, entry.info(), Principal.BROKER)));
        for (boolean operator : new boolean[] {false, true}) {
            host.policies.all(operator).forEach(policy -> records.add(new SetPolicy(name, operator, policy)));
        }
        records.add(new Host(name, host.description));
        tx.removeHost(name, records);
        return new Contents(queues, streams);
    }
}
