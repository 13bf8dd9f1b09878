package io.sluice.routing.catalog;

import static io.sluice.routing.catalog.Names.permit;
import static io.sluice.routing.catalog.Names.refuse;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.Sessions;
import io.sluice.routing.Sessions.SessionInfo;
import io.sluice.routing.Sessions.StoredSubscription;
import io.sluice.routing.Sessions.StoredWill;
import io.sluice.routing.Subscriber;
import io.sluice.routing.Subscription;
import io.sluice.routing.catalog.CatalogRecord.Session;
import io.sluice.routing.catalog.CatalogRecord.SessionWill;
import io.sluice.routing.catalog.CatalogRecord.Subscribed;
import io.sluice.routing.catalog.HostTable.QueueEntry;
import io.sluice.routing.catalog.HostTable.SessionEntry;
import io.sluice.routing.topic.TopicFilters;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Changes of durable MQTT sessions and of subscriptions, as parts of a transaction. */
final class SessionChanges {
    private final String vhost;
    private final ObjectChanges objects;

    SessionChanges(String vhost, ObjectChanges objects) {
        this.vhost = vhost;
        this.objects = objects;
    }

    CompletionStage<SessionInfo> open(Transaction tx, Caller caller, String clientId, long expirySeconds) {
        HostEdit host = tx.host(vhost);
        SessionEntry present = host.sessions.get(clientId);
        if (present != null) {
            checkOwner(caller, present);
            return CompletableFuture.completedFuture(put(tx, present, expirySeconds, -1));
        }
        String name = Sessions.QUEUE_PREFIX + clientId;
        permit(caller, Operation.CONFIGURE, Resource.Kind.QUEUE, name);
        QueueEntry taken = host.queues.get(name);
        if (taken != null) {
            throw refuse(Reason.PRECONDITION_FAILED, "queue '" + name + "' belongs to something else");
        }
        QueueDeclaration declaration = new QueueDeclaration(name, true, false, false, QueuePolicy.NONE, Map.of());
        return objects.create(tx, caller, declaration).thenApply(queue -> {
            tx.put(new Session(vhost, clientId, queue.id(), expirySeconds, -1, caller.principal()), true);
            return info(tx, clientId);
        });
    }

    void update(Transaction tx, Caller caller, String clientId, long expirySeconds, long disconnectedAt) {
        SessionEntry present = find(tx, clientId);
        checkOwner(caller, present);
        put(tx, present, expirySeconds, disconnectedAt);
    }

    /** Takes the session out of the catalog; answers the id of its queue, null if there was no session. */
    @Nullable
    QueueId delete(Transaction tx, Caller caller, String clientId) {
        HostEdit host = tx.host(vhost);
        SessionEntry present = host.sessions.get(clientId);
        if (present == null) {
            return null;
        }
        checkOwner(caller, present);
        present.subscriptions().forEach((filter, subscription) -> {
            Subscription live = host.subscriptions.get(filter, clientId);
            if (live != null) {
                host.unsubscribe(live.subscriber(), filter);
            }
            tx.remove(new Subscribed(vhost, clientId, subscription), true);
        });
        if (present.will() != null) {
            tx.remove(new SessionWill(vhost, clientId, null), true);
        }
        tx.remove(session(present, present.expirySeconds(), present.disconnectedAt()), true);
        QueueEntry queue = host.queues.get(present.queue().spec().name());
        return queue == null ? null : objects.remove(tx, queue);
    }

    void keepWill(Transaction tx, Caller caller, String clientId, StoredWill will) {
        checkOwner(caller, find(tx, clientId));
        tx.put(new SessionWill(vhost, clientId, will), true);
    }

    @SuppressWarnings("ReferenceEquality") // a later connection may have left an equal will, which is not meant
    void forgetWill(Transaction tx, String clientId, StoredWill will) {
        SessionEntry present = tx.host(vhost).sessions.get(clientId);
        if (present != null && present.will() == will) {
            tx.remove(new SessionWill(vhost, clientId, null), true);
        }
    }

    void subscribe(Transaction tx, Caller caller, Subscription subscription) {
        String filter = subscription.topicFilter();
        if (!TopicFilters.isValidFilter(filter)) {
            throw refuse(Reason.INVALID_NAME, "invalid topic filter '" + filter + "'");
        }
        permit(caller, Operation.READ, Resource.Kind.TOPIC, filter);
        HostEdit host = tx.host(vhost);
        Subscriber subscriber = subscription.subscriber();
        if (subscriber.queue() != null) {
            SessionEntry session = find(tx, subscriber.clientId());
            StoredSubscription stored = new StoredSubscription(
                    filter,
                    subscription.maximumQos(),
                    subscription.noLocal(),
                    subscription.retainAsPublished(),
                    subscription.retainHandling(),
                    subscription.identifier());
            if (!stored.equals(session.subscriptions().get(filter))) {
                tx.put(new Subscribed(vhost, subscriber.clientId(), stored), true);
            }
        }
        host.subscribe(subscription);
    }

    void unsubscribe(Transaction tx, Subscriber subscriber, String filter) {
        HostEdit host = tx.host(vhost);
        if (!host.unsubscribe(subscriber, filter) || subscriber.queue() == null) {
            return;
        }
        SessionEntry session = host.sessions.get(subscriber.clientId());
        StoredSubscription stored =
                session == null ? null : session.subscriptions().get(filter);
        if (stored != null) {
            tx.remove(new Subscribed(vhost, subscriber.clientId(), stored), true);
        }
    }

    /** Puts the stored subscriptions of all sessions into the routes. */
    void restore(Transaction tx, Function<SessionInfo, Subscriber> subscriberOf) {
        HostEdit host = tx.host(vhost);
        for (SessionEntry session : host.sessions.values()) {
            Subscriber subscriber = subscriberOf.apply(session.info());
            session.subscriptions()
                    .forEach((filter, s) -> host.subscribe(new Subscription(
                            subscriber,
                            filter,
                            s.maximumQos(),
                            s.noLocal(),
                            s.retainAsPublished(),
                            s.retainHandling(),
                            s.identifier())));
        }
    }

    private SessionInfo put(Transaction tx, SessionEntry present, long expirySeconds, long disconnectedAt) {
        if (present.expirySeconds() != expirySeconds || present.disconnectedAt() != disconnectedAt) {
            tx.put(session(present, expirySeconds, disconnectedAt), true);
        }
        return info(tx, present.clientId());
    }

    private Session session(SessionEntry entry, long expirySeconds, long disconnectedAt) {
        return new Session(vhost, entry.clientId(), entry.queue().id(), expirySeconds, disconnectedAt, entry.owner());
    }

    private SessionInfo info(Transaction tx, String clientId) {
        return find(tx, clientId).info();
    }

    private SessionEntry find(Transaction tx, String clientId) {
        SessionEntry present = tx.host(vhost).sessions.get(clientId);
        if (present == null) {
            throw refuse(Reason.NOT_FOUND, "no MQTT session '" + clientId + "' in vhost '" + vhost + "'");
        }
        return present;
    }

    private void checkOwner(Caller caller, SessionEntry session) {
        if (!caller.principal().equals(session.owner())
                && !caller.principal().equals(io.sluice.access.Principal.BROKER)) {
            throw refuse(
                    Reason.ACCESS_REFUSED,
                    "MQTT session '" + session.clientId() + "' belongs to another user than '"
                            + caller.principal().name() + "'");
        }
    }
}
