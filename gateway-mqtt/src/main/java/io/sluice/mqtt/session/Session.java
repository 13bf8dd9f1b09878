package io.sluice.mqtt.session;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.FastThreadLocal;
import io.sluice.access.Principal;
import io.sluice.io.Clock;
import io.sluice.message.RecordView;
import io.sluice.mqtt.codec.Topics;
import io.sluice.mqtt.convert.MqttMessage;
import io.sluice.mqtt.convert.RecordToPublish;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.QueueRef;
import io.sluice.routing.DirectMessage;
import io.sluice.routing.Sessions.StoredSubscription;
import io.sluice.routing.Subscriber;
import io.sluice.routing.SubscriberMatch;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Session state (MQTT 5.0 section 4.1) and the way to its client. A session without a queue lives as long as its connection;
 * one with a durable queue outlives it.
 *
 * <p>States: offline (no {@link Outbound}) and online. {@link #attach} and {@link #detach} lead from one to the other; both run
 * on the loop of the connection concerned, and a new connection attaches only after the old one is detached. While online all
 * other methods run on that loop, except the identity methods and {@link #deliver}, which hops if it has to.
 */
public final class Session implements Subscriber {
    private static final Logger LOG = LoggerFactory.getLogger(Session.class);
    private static final Executor INLINE = Runnable::run;
    private static final FastThreadLocal<Scratch> SCRATCH = new FastThreadLocal<>() {
        @Override
        protected Scratch initialValue() {
            return new Scratch();
        }
    };

    private final String vhost;
    private final String clientId;
    private final Principal owner;
    private final @Nullable QueueRef queue;
    private final SessionLimits limits;
    private final Clock clock;

    private volatile @Nullable Outbound outbound;
    private volatile Map<String, StoredSubscription> subscriptions = Map.of();
    private volatile long expirySeconds;
    private volatile long disconnectedAt = -1;

    private final InFlight inFlight = new InFlight();
    private int window;
    private @Nullable ArrayDeque<PendingMessage> pending;
    private long pendingBytes;
    private long droppedHere;
    private @Nullable QueueFeed feed;
    private @Nullable QueueFeed lastFeed;

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
        return subscriptions.values();
    }

    /** Notes a subscription; answers the one with the same filter that it replaces. */
    public @Nullable StoredSubscription subscribed(StoredSubscription subscription) {
        Map<String, StoredSubscription> next = new LinkedHashMap<>(subscriptions);
        StoredSubscription old = next.put(subscription.topicFilter(), subscription);
        subscriptions = next;
        return old;
    }

    /** Forgets a subscription; false if there was none. */
    public boolean unsubscribed(String filter) {
        if (!subscriptions.containsKey(filter)) {
            return false;
        }
        Map<String, StoredSubscription> next = new LinkedHashMap<>(subscriptions);
        next.remove(filter);
        subscriptions = next;
        return true;
    }

    /** True if every subscription that takes the topic is noLocal: this session must not see its own publish. */
    public boolean excludesOwn(String topic) {
        boolean matched = false;
        for (StoredSubscription s : subscriptions.values()) {
            if (Topics.matches(s.topicFilter(), topic)) {
                if (!s.noLocal()) {
                    return false;
                }
                matched = true;
            }
        }
        return matched;
    }

    /** The connection is there: sends what was in flight again, then what waits in the queue. */
    public void attach(Outbound out, int receiveMaximum, @Nullable QueueFeed queueFeed) {
        window = receiveMaximum;
        disconnectedAt = -1;
        outbound = out;
        resendDirect(out);
        feed = queueFeed;
        if (queueFeed != null) {
            queueFeed.start(window - inFlight.size(), lastFeed);
            lastFeed = queueFeed;
        }
        out.flush();
    }

    private void resendDirect(Outbound out) {
        ArrayDeque<PendingMessage> again = pending;
        if (again == null || again.isEmpty()) {
            return;
        }
        drainPending(out);
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
        releasePending(later);
    }

    private void releasePending(ArrayDeque<PendingMessage> unacknowledged) {
        ArrayDeque<PendingMessage> waiting = pending;
        pending = null;
        if (waiting != null) {
            for (PendingMessage p : waiting) {
                if (queue != null && p.qos() > 0) {
                    unacknowledged.add(p);
                } else {
                    p.message().release();
                    limits.left(p.bytes());
                    pendingBytes -= p.bytes();
                }
            }
        }
        if (queue == null) {
            for (PendingMessage p : unacknowledged) {
                p.message().release();
            }
        } else if (!unacknowledged.isEmpty()) {
            pending = unacknowledged;
        }
    }

    /** The session ends: frees what it holds. Only while offline. */
    public void end() {
        ArrayDeque<PendingMessage> waiting = pending;
        pending = null;
        if (waiting != null) {
            for (PendingMessage p : waiting) {
                p.message().release();
                limits.left(p.bytes());
            }
        }
        pendingBytes = 0;
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
        Scratch scratch = SCRATCH.get();
        message.record(scratch.record);
        return scratch.record.findHeader(io.sluice.message.MessageHeaders.RETAIN);
    }

    private void offer(Outbound out, DirectMessage message, int qos, boolean retain, int[] identifiers) {
        boolean held = pending != null && !pending.isEmpty();
        if (held || !hasRoom(out, qos)) {
            hold(message, qos, retain, identifiers);
            if (qos > 0 && feed != null) {
                reclaim(out, feed);
            }
            return;
        }
        int packetId = 0;
        if (qos > 0) {
            PendingMessage keep = queue == null ? null : keep(message, qos, retain, identifiers);
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
                drainPending(out);
                from.grant(window - inFlight.size());
                out.flush();
            }
        });
    }

    private PendingMessage keep(DirectMessage message, int qos, boolean retain, int[] identifiers) {
        DirectMessage own = message instanceof MqttMessage m ? m.compact() : (DirectMessage) message.retain();
        return new PendingMessage(own, qos, retain, identifiers, 0);
    }

    private void hold(DirectMessage message, int qos, boolean retain, int[] identifiers) {
        ArrayDeque<PendingMessage> waiting = pending;
        if (waiting == null) {
            waiting = new ArrayDeque<>();
            pending = waiting;
        }
        int bytes = 64 + sizeOf(message);
        if (!limits.admit(waiting.size(), pendingBytes, bytes)) {
            limits.countDropped();
            if (droppedHere++ == 0) {
                LOG.warn(
                        "MQTT session {} is too slow: {} messages, {} bytes wait; newer ones are dropped",
                        clientId,
                        waiting.size(),
                        pendingBytes);
            }
            return;
        }
        pendingBytes += bytes;
        DirectMessage own = message instanceof MqttMessage m ? m.compact() : (DirectMessage) message.retain();
        waiting.add(new PendingMessage(own, qos, retain, identifiers, bytes));
    }

    private static int sizeOf(DirectMessage message) {
        if (message instanceof MqttMessage own) {
            return own.payloadLength() + own.properties().length;
        }
        Scratch scratch = SCRATCH.get();
        message.record(scratch.record);
        return scratch.record.end() - scratch.record.keyStart();
    }

    /** Room again: acknowledgements came or the channel became writable. */
    private void drainPending(Outbound out) {
        ArrayDeque<PendingMessage> waiting = pending;
        if (waiting == null) {
            return;
        }
        PendingMessage next = waiting.peek();
        while (next != null && hasRoom(out, next.qos())) {
            waiting.poll();
            pendingBytes -= next.bytes();
            limits.left(next.bytes());
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
            next = waiting.peek();
        }
        if (waiting.isEmpty()) {
            pending = null;
            if (droppedHere > 0) {
                LOG.info("MQTT session {} caught up; {} messages were dropped", clientId, droppedHere);
                droppedHere = 0;
            }
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
        boolean sent;
        if (message instanceof MqttMessage own) {
            long left = remainingSeconds(own.expiresAt());
            ByteBuf properties = own.properties().length == 0 || !out.mqtt5()
                    ? Unpooled.EMPTY_BUFFER
                    : Unpooled.wrappedBuffer(own.properties());
            sent = left != 0
                    && out.publish(
                            flags,
                            own.topicBytes(),
                            packetId,
                            properties,
                            left,
                            identifiers,
                            own.source(),
                            own.payloadStart(),
                            own.payloadLength());
        } else {
            Scratch scratch = SCRATCH.get();
            message.record(scratch.record);
            sent = sendRecord(out, scratch, message.topic(), flags, packetId, identifiers);
        }
        if (sent) {
            limits.countDelivered(1);
        } else {
            skip(packetId);
        }
    }

    /** Expired, or larger than the client takes (section 3.1.2.11.4): as if it had been sent. */
    private void skip(int packetId) {
        limits.countDropped();
        if (packetId != 0) {
            releaseKept(inFlight.remove(packetId));
        }
    }

    private static void releaseKept(@Nullable PendingMessage kept) {
        if (kept != null) {
            kept.message().release();
        }
    }

    private boolean sendRecord(
            Outbound out, Scratch scratch, @Nullable String topic, int flags, int packetId, int[] identifiers) {
        RecordView record = scratch.record;
        RecordToPublish publish = scratch.publish;
        publish.read(record, out.mqtt5(), topic);
        long left = remainingSeconds(publish.expiresAt());
        if (left == 0 || publish.topic().length == 0 || publish.topic().length > Topics.MAX_LENGTH) {
            return false;
        }
        return out.publish(
                flags,
                publish.topic(),
                packetId,
                publish.properties(),
                left,
                identifiers,
                record.buffer(),
                record.valueStart(),
                Math.max(0, record.valueLength()));
    }

    /** Seconds left, rounded up; 0 = expired, -1 = no expiry. */
    private long remainingSeconds(long expiresAt) {
        if (expiresAt <= 0) {
            return -1;
        }
        long left = expiresAt - clock.epochMillis();
        return left <= 0 ? 0 : Math.min(0xFFFF_FFFFL, (left + 999) / 1000);
    }

    /** Deliveries of the queue; takes over the batch. */
    void deliverQueued(QueueFeed from, DeliveryBatch batch) {
        try {
            Outbound out = outbound;
            if (out == null || feed != from) {
                return; // cancelled meanwhile: the queue has them back
            }
            Scratch scratch = SCRATCH.get();
            for (int i = 0; i < batch.size(); i++) {
                batch.record(i, scratch.record);
                deliverQueued(out, from, scratch, batch, i);
            }
            from.flush();
            out.flush();
        } finally {
            batch.release();
        }
    }

    private void deliverQueued(Outbound out, QueueFeed from, Scratch scratch, DeliveryBatch batch, int i) {
        long deliveryId = batch.deliveryId(i);
        long offset = batch.offset(i);
        boolean again = batch.redelivered(i);
        int earlier = again ? from.earlierPacketId(offset) : 0;
        int packetId = earlier;
        if (packetId == 0 || !inFlight.addAs(earlier, deliveryId, offset, null)) {
            packetId = inFlight.add(deliveryId, offset, null);
        }
        int[] identifiers = Outbound.noIdentifiers();
        boolean retain = false;
        if (needsMatching()) {
            scratch.publish.read(scratch.record, false, null);
            String topic = new String(scratch.publish.topic(), java.nio.charset.StandardCharsets.UTF_8);
            identifiers = identifiersFor(topic);
            retain = scratch.publish.retain() && retainAsPublished(topic);
        }
        int flags = 2 | (again ? 8 : 0) | (retain ? 1 : 0);
        if (sendRecord(out, scratch, null, flags, packetId, identifiers)) {
            limits.countDelivered(1);
        } else {
            skip(packetId);
            from.settle(deliveryId);
            from.grant(1);
        }
    }

    private boolean needsMatching() {
        for (StoredSubscription s : subscriptions.values()) {
            if (s.identifier() != 0 || s.retainAsPublished()) {
                return true;
            }
        }
        return false;
    }

    private int[] identifiersFor(String topic) {
        int[] found = Outbound.noIdentifiers();
        for (StoredSubscription s : subscriptions.values()) {
            if (s.identifier() != 0 && Topics.matches(s.topicFilter(), topic)) {
                found = Arrays.copyOf(found, found.length + 1);
                found[found.length - 1] = s.identifier();
            }
        }
        return found;
    }

    private boolean retainAsPublished(String topic) {
        for (StoredSubscription s : subscriptions.values()) {
            if (s.retainAsPublished() && Topics.matches(s.topicFilter(), topic)) {
                return true;
            }
        }
        return false;
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
            if (pending == null) {
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
        if (pending != null) {
            drainPending(out);
            if (pending == null && feed != null) {
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
            out.flush();
        }
    }

    /** Reused by all sessions of a thread. */
    private static final class Scratch {
        final RecordView record = new RecordView();
        final RecordToPublish publish = new RecordToPublish();
    }
}
