package io.sluice.mqtt.connection;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.io.Clock;
import io.sluice.mqtt.codec.ProtocolViolation;
import io.sluice.mqtt.codec.ReasonCode;
import io.sluice.mqtt.session.Session;
import io.sluice.mqtt.session.SessionLimits;
import io.sluice.routing.Broker;
import io.sluice.routing.Sessions.SessionInfo;
import io.sluice.routing.Sessions.StoredSubscription;
import io.sluice.routing.VirtualHost;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who holds which client identifier, and the durable sessions. A client identifier is held by one {@link Claim} at a time: the
 * next one waits until the one before has let its session go (MQTT 5.0 section 3.1.4, session take-over). Thread-safe.
 */
public final class SessionRegistry {
    private static final Logger LOG = LoggerFactory.getLogger(SessionRegistry.class);

    private final Broker broker;
    private final SessionLimits limits;
    private final Clock clock;
    private final Map<Key, Claim> claims = new ConcurrentHashMap<>();
    private final Map<Key, Session> durable = new ConcurrentHashMap<>();
    private final Map<Key, PendingWill> wills = new ConcurrentHashMap<>();
    private final AtomicLong assigned = new AtomicLong();
    private final String assignedPrefix;

    /** Creates an empty registry. */
    public SessionRegistry(Broker broker, SessionLimits limits) {
        this.broker = broker;
        this.limits = limits;
        this.clock = broker.clock();
        this.assignedPrefix = "auto-" + Long.toString(clock.epochMillis(), 36) + "-";
    }

    /** A client identifier is unique within its virtual host. */
    record Key(String vhost, String clientId) {}

    /** An opened session. */
    record Opened(Session session, boolean present) {}

    /** A client identifier for a client that gave none: unique in this broker and over its restarts. */
    String assignClientId() {
        return assignedPrefix + Long.toString(assigned.incrementAndGet(), 36);
    }

    private record PendingWill(ScheduledFuture<?> timer, Runnable publish) {}

    /** Told that another connection wants the client identifier. */
    interface Holder {
        /** Lets go: ends the connection and releases the claim. Any thread. */
        void takeOver();
    }

    /** The right to the session of a client identifier. */
    static final class Claim {
        final Key key;
        private final Principal principal;
        private final Holder holder;
        private final CompletableFuture<Void> released = new CompletableFuture<>();
        private CompletableFuture<Void> before = CompletableFuture.completedFuture(null);

        Claim(Key key, Principal principal, Holder holder) {
            this.key = key;
            this.principal = principal;
            this.holder = holder;
        }

        /** Done when the claim before is released. */
        CompletionStage<Void> free() {
            return before;
        }
    }

    /** Makes the sessions that the catalog holds part of routing again; before listeners open. */
    public void restore() {
        for (VirtualHost vhost : broker.virtualHosts()) {
            vhost.sessions().restore(info -> restored(vhost, info));
        }
        if (!durable.isEmpty()) {
            LOG.info("restored {} MQTT sessions", durable.size());
        }
    }

    private Session restored(VirtualHost vhost, SessionInfo info) {
        Session session = new Session(vhost.name(), info.clientId(), info.owner(), info.queue(), limits, clock);
        session.expirySeconds(info.expirySeconds());
        session.disconnectedAt(info.disconnectedAt() < 0 ? clock.epochMillis() : info.disconnectedAt());
        for (StoredSubscription subscription : info.subscriptions()) {
            session.subscribed(subscription);
        }
        durable.put(new Key(vhost.name(), info.clientId()), session);
        return session;
    }

    /** Connections that hold a client identifier. */
    public int connections() {
        return claims.size();
    }

    /** Durable sessions, connected or not. */
    public int durableSessions() {
        return durable.size();
    }

    /** Claims a client identifier, ending the connection that has it; null if that one belongs to another user. */
    @Nullable
    Claim claim(Key key, Principal principal, Holder holder) {
        Claim mine = new Claim(key, principal, holder);
        Claim[] displaced = new Claim[1];
        Claim winner = claims.compute(key, (k, old) -> {
            displaced[0] = old;
            if (old == null) {
                return mine;
            }
            if (!old.principal.equals(principal) && !old.principal.equals(Principal.BROKER)) {
                return old;
            }
            mine.before = old.released;
            return mine;
        });
        if (winner != mine) {
            return null;
        }
        if (displaced[0] != null) {
            displaced[0].holder.takeOver();
        }
        return mine;
    }

    void release(Claim claim) {
        claims.remove(claim.key, claim);
        claim.released.complete(null);
    }

    /** Opens the session of a claim whose turn has come. Fails with {@link ProtocolViolation}. */
    CompletionStage<Opened> open(Claim claim, ConnectRequest request, Caller caller, VirtualHost vhost) {
        Session known = durable.get(claim.key);
        if (known != null && !known.owner().equals(caller.principal())) {
            return CompletableFuture.failedFuture(new ProtocolViolation(
                    ReasonCode.NOT_AUTHORIZED, "session " + claim.key.clientId() + " belongs to another user"));
        }
        boolean ended = known == null || request.cleanStart() || isExpired(known);
        settleWill(claim.key, ended);
        String clientId = claim.key.clientId();
        if (known != null && !ended) {
            known.expirySeconds(request.sessionExpirySeconds());
            known.disconnectedAt(-1);
            return vhost.sessions()
                    .update(caller, clientId, request.sessionExpirySeconds(), -1)
                    .thenApply(done -> new Opened(known, true));
        }
        CompletionStage<Void> cleared = CompletableFuture.completedFuture(null);
        if (known != null) {
            durable.remove(claim.key, known);
            known.end();
            cleared = vhost.sessions().delete(caller, clientId);
        }
        if (request.sessionExpirySeconds() == 0) {
            return cleared.thenApply(done ->
                    new Opened(new Session(vhost.name(), clientId, caller.principal(), null, limits, clock), false));
        }
        return cleared.thenCompose(done -> vhost.sessions().open(caller, clientId, request.sessionExpirySeconds()))
                .thenApply(info -> {
                    Session session =
                            new Session(vhost.name(), clientId, caller.principal(), info.queue(), limits, clock);
                    session.expirySeconds(request.sessionExpirySeconds());
                    durable.put(claim.key, session);
                    return new Opened(session, false);
                });
    }

    /** The connection of a claim is gone and its session detached: ends the session or notes the time, then releases. */
    void leave(Claim claim, Session session, Caller caller, VirtualHost vhost, long expirySeconds) {
        CompletionStage<Void> last = CompletableFuture.completedFuture(null);
        if (session.queue() == null) {
            session.end();
            for (StoredSubscription s : session.subscriptions()) {
                last = vhost.unsubscribe(caller, session, s.topicFilter());
            }
        } else if (expirySeconds == 0) {
            durable.remove(claim.key, session);
            session.end();
            last = vhost.sessions().delete(caller, session.clientId());
        } else {
            long now = clock.epochMillis();
            session.expirySeconds(expirySeconds);
            session.disconnectedAt(now);
            last = vhost.sessions().update(caller, session.clientId(), expirySeconds, now);
        }
        last.whenComplete((done, error) -> {
            if (error != null) {
                LOG.warn("MQTT session {} could not be updated: {}", session.clientId(), error.getMessage());
            }
            release(claim);
        });
    }

    /** Deletes durable sessions whose time is over. */
    public void expire() {
        for (Map.Entry<Key, Session> e : durable.entrySet()) {
            if (isExpired(e.getValue())) {
                expire(e.getKey(), e.getValue());
            }
        }
    }

    private void expire(Key key, Session session) {
        VirtualHost vhost = broker.virtualHost(key.vhost());
        Claim claim = new Claim(key, Principal.BROKER, () -> {});
        if (vhost == null || claims.putIfAbsent(key, claim) != null) {
            return;
        }
        if (durable.get(key) != session || !isExpired(session)) {
            release(claim);
            return;
        }
        durable.remove(key, session);
        session.end();
        settleWill(key, true);
        vhost.sessions().delete(Caller.broker(key.vhost()), key.clientId()).whenComplete((done, error) -> {
            if (error != null) {
                LOG.warn("MQTT session {} could not be deleted: {}", key.clientId(), error.getMessage());
            } else {
                LOG.info("MQTT session {} expired", key.clientId());
            }
            release(claim);
        });
    }

    private boolean isExpired(Session session) {
        long since = session.disconnectedAt();
        long seconds = session.expirySeconds();
        return since >= 0 && seconds >= 0 && clock.epochMillis() >= since + seconds * 1000;
    }

    /** Publishes a will after a delay, unless the session is resumed before (section 3.1.3.2.2). */
    void delayWill(Key key, EventLoop loop, long seconds, Runnable publish) {
        Runnable once = () -> {
            if (wills.remove(key) != null) {
                publish.run();
            }
        };
        ScheduledFuture<?> timer = loop.schedule(once, seconds, TimeUnit.SECONDS);
        PendingWill old = wills.put(key, new PendingWill(timer, publish));
        if (old != null) {
            old.timer().cancel(false);
        }
    }

    private void settleWill(Key key, boolean publish) {
        PendingWill will = wills.remove(key);
        if (will != null) {
            will.timer().cancel(false);
            if (publish) {
                will.publish().run();
            }
        }
    }
}
