package io.sluice.mqtt.connection;

import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.mqtt.codec.ProtocolViolation;
import io.sluice.mqtt.codec.ReasonCode;
import io.sluice.mqtt.connection.ConnectionState.Connected;
import io.sluice.mqtt.session.Session;
import io.sluice.mqtt.session.SessionLimits;
import io.sluice.routing.Broker;
import io.sluice.routing.Sessions.SessionInfo;
import io.sluice.routing.Sessions.StoredSubscription;
import io.sluice.routing.Sessions.StoredWill;
import io.sluice.routing.VirtualHost;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
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
    private final Map<SessionKey, Claim> claims = new ConcurrentHashMap<>();
    private final Map<SessionKey, Session> durable = new ConcurrentHashMap<>();
    private final Wills wills;
    private final int maxSessions;
    private final Durability durability;
    private final AtomicLong assigned = new AtomicLong();
    private final String assignedPrefix;

    /**
     * Creates an empty registry.
     *
     * @param maxSessions sessions that may outlive their connection
     * @param durability what wills with QoS 1 are stored at
     */
    public SessionRegistry(Broker broker, SessionLimits limits, int maxSessions, Durability durability) {
        this.broker = broker;
        this.limits = limits;
        this.maxSessions = maxSessions;
        this.durability = durability;
        this.clock = broker.clock();
        this.wills = new Wills(clock);
        this.assignedPrefix = "auto-" + Long.toString(clock.epochMillis(), 36) + "-";
    }

    /** An opened session. */
    record Opened(Session session, boolean present) {}

    /** A client identifier for a client that gave none: unique in this broker and over its restarts. */
    String assignClientId() {
        return assignedPrefix + Long.toString(assigned.incrementAndGet(), 36);
    }

    /** Told that another connection wants the client identifier. */
    interface Holder {
        /** Lets go: ends the connection and releases the claim. Any thread. */
        void takeOver();
    }

    /** The right to the session of a client identifier. */
    static final class Claim {
        final SessionKey key;
        private final Principal principal;
        private final Holder holder;
        private final CompletableFuture<Void> released = new CompletableFuture<>();
        private CompletableFuture<Void> before = CompletableFuture.completedFuture(null);

        Claim(SessionKey key, Principal principal, Holder holder) {
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
        SessionKey key = new SessionKey(vhost.name(), info.clientId());
        durable.put(key, session);
        StoredWill will = info.will();
        if (will != null) {
            // The end of the broker was the end of the connection (section 3.1.2.5).
            Caller caller = Caller.broker(vhost.name());
            wills.delay(key, willDueAt(will, session), willPublish(will, info.clientId(), caller, vhost, true));
        }
        return session;
    }

    /** Connections that hold a client identifier. */
    public int connections() {
        return claims.size();
    }

    /** True if a connection holds this client identifier. */
    boolean isConnected(SessionKey key) {
        return claims.containsKey(key);
    }

    /** Durable sessions, connected or not. */
    public int durableSessions() {
        return durable.size();
    }

    /** Claims a client identifier, ending the connection that has it; null if that one belongs to another user. */
    @Nullable
    Claim claim(SessionKey key, Principal principal, Holder holder) {
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
        if (known == null && request.sessionExpirySeconds() != 0 && durable.size() >= maxSessions) {
            return CompletableFuture.failedFuture(new ProtocolViolation(
                    ReasonCode.QUOTA_EXCEEDED, "there are " + maxSessions + " sessions, the limit"));
        }
        wills.settle(claim.key, ended);
        return openSettled(claim, known, ended, request, caller, vhost)
                .thenCompose(opened -> keepWill(opened, request, caller, vhost));
    }

    private CompletionStage<Opened> openSettled(
            Claim claim,
            @Nullable Session known,
            boolean ended,
            ConnectRequest request,
            Caller caller,
            VirtualHost vhost) {
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

    /** A will of a session that outlives the broker is kept with it, from before the CONNACK. */
    private static CompletionStage<Opened> keepWill(
            Opened opened, ConnectRequest request, Caller caller, VirtualHost vhost) {
        Session session = opened.session();
        if (session.queue() == null) {
            return CompletableFuture.completedFuture(opened);
        }
        String clientId = session.clientId();
        StoredWill will = request.will();
        if (will != null) {
            return vhost.sessions().keepWill(caller, clientId, will).thenApply(done -> opened);
        }
        SessionInfo stored = vhost.sessions().find(clientId);
        if (stored == null || stored.will() == null) {
            return CompletableFuture.completedFuture(opened);
        }
        return vhost.sessions().forgetWill(caller, clientId, stored.will()).thenApply(done -> opened);
    }

    private void leaveWill(Connected connected, StoredWill will, boolean wanted) {
        Session session = connected.session();
        Caller caller = connected.caller();
        VirtualHost vhost = connected.vhost();
        boolean kept = session.queue() != null && session.expirySeconds() != 0;
        if (!wanted) {
            if (kept) {
                forgetWill(will, session.clientId(), caller, vhost);
            }
            return;
        }
        WillPublish publish = willPublish(will, session.clientId(), caller, vhost, kept);
        long dueAt = willDueAt(will, session);
        if (dueAt <= clock.epochMillis()) {
            publish.run();
        } else {
            wills.delay(connected.claim().key, dueAt, publish);
        }
    }

    private long willDueAt(StoredWill will, Session session) {
        long expiry = session.expirySeconds();
        long delay = expiry < 0 ? will.delaySeconds() : Math.min(will.delaySeconds(), expiry);
        return session.disconnectedAt() + delay * 1000;
    }

    private WillPublish willPublish(StoredWill will, String clientId, Caller caller, VirtualHost vhost, boolean kept) {
        Runnable done = kept ? () -> forgetWill(will, clientId, caller, vhost) : () -> {};
        return new WillPublish(will, clientId, caller, vhost, broker, durability, done);
    }

    private static void forgetWill(StoredWill will, String clientId, Caller caller, VirtualHost vhost) {
        vhost.sessions().forgetWill(caller, clientId, will).whenComplete((done, error) -> {
            if (error != null) {
                LOG.warn("will of MQTT session {} could not be removed: {}", clientId, error.getMessage());
            }
        });
    }

    /**
     * A connection is gone, its session detached and the time noted in it: its will is published, at once or later, the session
     * ended or kept, and the claim released.
     *
     * @param will false after a DISCONNECT that asks for no will
     */
    void leave(Connected connected, boolean will) {
        Session session = connected.session();
        Caller caller = connected.caller();
        VirtualHost vhost = connected.vhost();
        StoredWill message = connected.request().will();
        if (message != null) {
            leaveWill(connected, message, will);
        }
        CompletionStage<Void> last = CompletableFuture.completedFuture(null);
        if (session.queue() == null) {
            session.end();
            for (StoredSubscription s : session.subscriptions()) {
                last = vhost.unsubscribe(caller, session, s.topicFilter());
            }
        } else if (session.expirySeconds() == 0) {
            durable.remove(connected.claim().key, session);
            session.end();
            last = vhost.sessions().delete(caller, session.clientId());
        } else {
            last = vhost.sessions()
                    .update(caller, session.clientId(), session.expirySeconds(), session.disconnectedAt());
        }
        last.whenComplete((done, error) -> {
            if (error != null) {
                LOG.warn("MQTT session {} could not be updated: {}", session.clientId(), error.getMessage());
            }
            release(connected.claim());
        });
    }

    /** The sessions of a virtual host are gone, with their wills. Any thread. */
    public void virtualHostDeleted(String name) {
        wills.forget(name);
        durable.forEach((key, session) -> {
            if (key.vhost().equals(name) && durable.remove(key, session)) {
                session.end();
            }
        });
    }

    /** Deletes durable sessions whose time is over. */
    public void expire() {
        for (Map.Entry<SessionKey, Session> e : durable.entrySet()) {
            if (isExpired(e.getValue())) {
                expire(e.getKey(), e.getValue());
            }
        }
    }

    private void expire(SessionKey key, Session session) {
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
        wills.settle(key, true);
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

    /** Publishes the wills whose delay is over. */
    public void publishDueWills() {
        wills.publishDue();
    }
}
