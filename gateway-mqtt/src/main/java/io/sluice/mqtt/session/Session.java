package io.sluice.mqtt.session;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.util.concurrent.FastThreadLocal;
import io.sluice.access.Principal;
import io.sluice.io.Clock;
import io.sluice.message.RecordView;
import io.sluice.mqtt.convert.MqttMessage;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.QueueRef;
import io.sluice.routing.DirectMessage;
import io.sluice.routing.DirectRun;
import io.sluice.routing.Sessions.StoredSubscription;
import io.sluice.routing.Subscriber;
import io.sluice.routing.SubscriberMatch;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Session state (MQTT 5.0 section 4.1) and the way to its client. A session without a queue lives as long as its connection;
 * one with a durable queue outlives it.
 *
 * <p>States: offline (no {@link Outbound}) and online. {@link #attach} and {@link #detach} lead from one to the other; both run
 * on the loop of the connection concerned, and a new connection attaches only after the old one is detached. While online all
 * other methods run on that loop, except the identity methods and {@link #deliver}, which hops if it has to.
 */
public final class Session implements Subscriber {
    private static final Executor INLINE = Runnable::run;
    private static final FastThreadLocal<PublishFields> FIELDS = new FastThreadLocal<>() {
        @Override
        protected PublishFields initialValue() {
            return new PublishFields();
        }
    };

    private final String vhost;
    private final String clientId;
    private final Principal owner;
    private final @Nullable QueueRef queue;
    private final SessionLimits limits;
    private final Clock clock;

    private volatile @Nullable Outbound outbound;
    private volatile SubscriptionSet subscriptions = SubscriptionSet.EMPTY;
    private volatile long expirySeconds;
    private volatile long disconnectedAt = -1;

    private final InFlight inFlight = new InFlight();
    private final Backlog backlog;
    private int window;
    private @Nullable QueueFeed feed;
    /** Packet identifiers of the connection before, by offset. */
    private Map<Long, ArrayDeque<Integer>> earlier = Map.of();

    /**
     * Creates an offline session.
     *
     * @param queue durable queue, null for a session that ends with its connection
     */
    public Session(
            String vhost,
            String clientId,
            Principal owner,
            @Nullable QueueRef queue,
            SessionLimits limits,
            Clock clock) {
        this.vhost = vhost;
        this.clientId = clientId;
        this.owner = owner;
        this.queue = queue;
        this.limits = limits;
        this.clock = clock;
        this.backlog = new Backlog(clientId, limits);
    }

    public String vhost() {
        return vhost;
    }

    public Principal owner() {
        return owner;
    }

    @Override
    public String clientId() {
        return clientId;
    }

    @Override
    public @Nullable QueueRef queue() {
        return queue;
    }

    @Override
    public Executor executor() {
        Outbound out = outbound;
        return out == null ? INLINE : out.loop();
    }

    /** Seconds that the session lives without a connection, -1 = for ever. */
    public long expirySeconds() {
        return expirySeconds;
    }

    public void expirySeconds(long seconds) {
        expirySeconds = seconds;
    }

    /** Epoch ms since when there is no connection, -1 while there is one. */
    public long disconnectedAt() {
        return disconnectedAt;
    }

    public void disconnectedAt(long epochMillis) {
        disconnectedAt = epochMillis;
    }

    /** Its subscriptions; an immutable snapshot. */
    public Collection<StoredSubscription> subscriptions() {
        return subscriptions.all();
    }

    /** Notes a subscription; answers the one with the same filter that it replaces. */
    public @Nullable StoredSubscription subscribed(StoredSubscription subscription) {
        StoredSubscription old = subscriptions.get(subscription.topicFilter());
        subscriptions = subscriptions.with(subscription);
        return old;
    }

    /** Forgets a subscription; false if there was none. */
    public boolean unsubscribed(String filter) {
        if (subscriptions.get(filter) == null) {
            return false;
        }
        subscriptions = subscriptions.without(filter);
        return true;
    }

    /** True if one more subscription to this filter keeps within the limit of subscriptions per session. */
    public boolean maySubscribe(String filter) {
        SubscriptionSet now = subscriptions;
        return now.size() < limits.subscriptionsPerSession() || now.get(filter) != null;
    }

    /** True if every subscription that takes the topic is noLocal: this session must not see its own publish. */
    public boolean excludesOwn(String topic) {
        return subscriptions.excludesOwn(topic);
    }

    /** The connection is there: sends what was in flight again, then what waits in the queue. */
    public void attach(Outbound out, int receiveMaximum, @Nullable QueueFeed queueFeed) {
        window = receiveMaximum;
        disconnectedAt = -1;
        limits.resumed(queue);
        outbound = out;
        drainBacklog(out);
        feed = queueFeed;
        if (queueFeed != null) {
            queueFeed.start(window - inFlight.size(), earlier);
        }
        out.flush();
    }

    /** The connection is gone. What a durable session had in flight comes again after a reconnect. */
    public void detach() {
        Outbound out = outbound;
        if (out == null) {
            return;
        }
        outbound = null;
        out.close();
        QueueFeed old = feed;
        feed = null;
        if (old != null) {
            old.stop();
        }
        ArrayDeque<PendingMessage> later = new ArrayDeque<>();
        inFlight.drain((packetId, deliveryId, offset, message) -> {
            if (message != null) {
                later.add(message);
            } else if (old != null && deliveryId != InFlight.DIRECT) {
                old.remember(packetId, offset);
            }
        });
        earlier = old == null ? Map.of() : old.unacknowledged();
        backlog.disconnected(later, queue != null);
    }

    /** The session ends: frees what it holds. Only while offline. */
    public void end() {
        backlog.disconnected(new ArrayDeque<>(), false);
    }

    @Override
    public void deliver(DirectMessage message, SubscriberMatch match) {
        Outbound out = outbound;
        if (out == null) {
            return; // offline: QoS 0 is not kept (section 3.1.2.11.2)
        }
        if (!out.loop().inEventLoop()) {
            hop(out, message, match);
            return;
        }
        int qos = Math.min(1, Math.min(message.qos(), match.maximumQos()));
        boolean retain = match.retainAsPublished() && isRetained(message);
        offer(out, message, qos, retain, match.identifiers());
    }

    /** The usual case of a fan-out: one encoding serves all subscribers of a kind. */
    @Override
    public void deliver(DirectRun run, SubscriberMatch match) {
        Outbound out = outbound;
        if (out == null) {
            return;
        }
        if (run.subscribers() == 1
                || match.noLocal()
                || match.identifiers().length > 0
                || !backlog.isEmpty()
                || !out.isWritable()
                || !out.loop().inEventLoop()
                || !shared(out, run, match)) {
            Subscriber.super.deliver(run, match);
        }
    }

    /** False if the run does not fit this client as a whole. A run is of one route, so either all its messages are QoS 0 or none. */
    private boolean shared(Outbound out, DirectRun run, SubscriberMatch match) {
        int qos = Math.min(1, Math.min(run.message(0).qos(), match.maximumQos()));
        if (qos > 0 && (queue != null || inFlight.size() + run.size() > window)) {
            return false;
        }
        int kind = EncodedRun.kind(out.mqtt5(), qos, match.retainAsPublished());
        EncodedRun encoded = (EncodedRun) run.form(kind);
        if (encoded == null) {
            encoded = EncodedRun.encode(
                    run,
                    out.mqtt5(),
                    qos,
                    match.retainAsPublished(),
                    FIELDS.get(),
                    clock.epochMillis(),
                    out.channel().alloc());
            run.keep(kind, encoded);
        }
        if (encoded.largest() > out.maxPacketBytes()) {
            return false;
        }
        if (qos == 0) {
            out.shared(encoded.packets());
        } else {
            out.copied(encoded, inFlight);
        }
        limits.countDelivered(encoded.size());
        limits.countDropped(encoded.skipped());
        return true;
    }

    /** A table of routes may still name the loop of an earlier connection. */
    private void hop(Outbound out, DirectMessage message, SubscriberMatch match) {
        message.retain();
        out.loop().execute(() -> {
            try {
                deliver(message, match);
                flush();
            } finally {
                message.release();
            }
        });
    }

    /** Hands over a retained message after a subscribe (section 3.8.4): RETAIN is set. */
    public void deliverRetained(DirectMessage message, int maximumQos, int identifier) {
        Outbound out = outbound;
        if (out != null) {
            int[] identifiers = identifier == 0 ? Outbound.noIdentifiers() : new int[] {identifier};
            offer(out, message, Math.min(1, Math.min(message.qos(), maximumQos)), true, identifiers);
        }
    }

    private static boolean isRetained(DirectMessage message) {
        if (message instanceof MqttMessage own) {
            return own.retained();
        }
        RecordView record = FIELDS.get().record();
        message.record(record);
        return record.findHeader(io.sluice.message.MessageHeaders.RETAIN);
    }

    private void offer(Outbound out, DirectMessage message, int qos, boolean retain, int[] identifiers) {
        if (!backlog.isEmpty() || !hasRoom(out, qos)) {
            backlog.add(message, qos, retain, identifiers, sizeOf(message));
            if (qos > 0 && feed != null) {
                reclaim(out, feed);
            }
            return;
        }
        int packetId = 0;
        if (qos > 0) {
            PendingMessage keep =
                    queue == null ? null : new PendingMessage(Backlog.own(message), qos, retain, identifiers, 0);
            packetId = inFlight.add(InFlight.DIRECT, -1, keep);
        }
        send(out, message, qos, retain, identifiers, packetId, false);
    }

    private boolean hasRoom(Outbound out, int qos) {
        if (qos > 0 && inFlight.size() + (feed == null ? 0 : feed.credit()) >= window) {
            return false;
        }
        if (out.isWritable()) {
            return true;
        }
        out.flush();
        return out.isWritable();
    }

    /** The queue holds the whole window as credit: takes the unused part back, so that a retained message gets its turn. */
    private void reclaim(Outbound out, QueueFeed from) {
        from.reclaim(() -> {
            if (outbound == out) {
                drainBacklog(out);
                from.grant(window - inFlight.size());
                out.flush();
            }
        });
    }

    private static int sizeOf(DirectMessage message) {
        if (message instanceof MqttMessage own) {
            return own.payloadLength() + own.properties().readableBytes();
        }
        RecordView record = FIELDS.get().record();
        message.record(record);
        return record.end() - record.keyStart();
    }

    /** Room again: acknowledgements came or the channel became writable. */
    private void drainBacklog(Outbound out) {
        PendingMessage next = backlog.peek();
        while (next != null && hasRoom(out, next.qos())) {
            backlog.poll();
            boolean resent = next.bytes() == 0; // was in flight on the last connection
            int packetId = 0;
            boolean kept = next.qos() > 0 && queue != null;
            if (next.qos() > 0) {
                PendingMessage keep = kept
                        ? new PendingMessage(next.message(), next.qos(), next.retainFlag(), next.identifiers(), 0)
                        : null;
                packetId = inFlight.add(InFlight.DIRECT, -1, keep);
            }
            send(out, next.message(), next.qos(), next.retainFlag(), next.identifiers(), packetId, resent);
            if (!kept) {
                next.message().release();
            }
            next = backlog.peek();
        }
    }

    private void send(
            Outbound out,
            DirectMessage message,
            int qos,
            boolean retain,
            int[] identifiers,
            int packetId,
            boolean resent) {
        int flags = (qos << 1) | (retain ? 1 : 0) | (resent && qos > 0 ? 8 : 0);
        PublishFields fields = FIELDS.get();
        if (fields.read(message, out.mqtt5(), clock.epochMillis())
                && out.publish(fields, flags, packetId, identifiers)) {
            limits.countDelivered(1);
        } else {
            skip(packetId);
        }
    }

    /** Expired, or larger than the client takes (section 3.1.2.11.4): as if it had been sent. */
    private void skip(int packetId) {
        limits.countDropped(1);
        if (packetId != 0) {
            releaseKept(inFlight.remove(packetId));
        }
    }

    private static void releaseKept(@Nullable PendingMessage kept) {
        if (kept != null) {
            kept.message().release();
        }
    }

    /** Deliveries of the queue; takes over the batch. */
    void deliverQueued(QueueFeed from, DeliveryBatch batch) {
        try {
            Outbound out = outbound;
            if (out == null || feed != from) {
                return; // cancelled meanwhile: the queue has them back
            }
            PublishFields fields = FIELDS.get();
            SubscriptionSet matching = subscriptions.needsMatching() ? subscriptions : null;
            long now = clock.epochMillis();
            for (int i = 0; i < batch.size(); i++) {
                batch.record(i, fields.record());
                deliverQueued(out, from, fields, batch, i, matching, now);
            }
            from.flush();
            out.flush();
        } finally {
            batch.release();
        }
    }

    private void deliverQueued(
            Outbound out,
            QueueFeed from,
            PublishFields fields,
            DeliveryBatch batch,
            int i,
            @Nullable SubscriptionSet matching,
            long now) {
        long deliveryId = batch.deliveryId(i);
        long offset = batch.offset(i);
        boolean again = batch.redelivered(i);
        int earlier = again ? from.earlierPacketId(offset) : 0;
        int packetId = earlier;
        if (packetId == 0 || !inFlight.addAs(earlier, deliveryId, offset, null)) {
            packetId = inFlight.add(deliveryId, offset, null);
        }
        boolean sent = fields.readRecord(out.mqtt5(), null, now);
        if (sent) {
            int[] identifiers = Outbound.noIdentifiers();
            boolean retain = false;
            if (matching != null) {
                String topic = new String(fields.topic(), UTF_8);
                identifiers = out.mqtt5() ? matching.identifiers(topic) : identifiers;
                retain = fields.retained() && matching.retainAsPublished(topic);
            }
            sent = out.publish(fields, 2 | (again ? 8 : 0) | (retain ? 1 : 0), packetId, identifiers);
        }
        if (sent) {
            limits.countDelivered(1);
        } else {
            skip(packetId);
            from.settle(deliveryId);
            from.grant(1);
        }
    }

    /** A PUBACK came (section 4.3.2); unknown identifiers are ignored. {@link #settled} follows at the end of the read. */
    public void acknowledged(int packetId) {
        if (!inFlight.contains(packetId)) {
            return;
        }
        long deliveryId = inFlight.deliveryId(packetId);
        releaseKept(inFlight.remove(packetId));
        QueueFeed from = feed;
        if (from != null) {
            if (deliveryId != InFlight.DIRECT) {
                from.settle(deliveryId);
            }
            if (backlog.isEmpty()) {
                from.grant(1);
            }
        }
    }

    /** After all acknowledgements of a read, or when the channel became writable: sends what waits. */
    public void settled() {
        Outbound out = outbound;
        if (out == null) {
            return;
        }
        if (!backlog.isEmpty()) {
            drainBacklog(out);
            if (backlog.isEmpty() && feed != null) {
                feed.grant(window - inFlight.size() - feed.credit());
            }
        }
        if (feed != null) {
            feed.flush();
        }
    }

    @Override
    public void flush() {
        Outbound out = outbound;
        if (out != null && out.loop().inEventLoop()) {
            out.flushLater();
        }
    }
}
