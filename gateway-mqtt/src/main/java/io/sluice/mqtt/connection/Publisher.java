package io.sluice.mqtt.connection;

import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.FastThreadLocal;
import io.sluice.access.Caller;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.mqtt.codec.PacketWriter;
import io.sluice.mqtt.codec.PropertyReader;
import io.sluice.mqtt.codec.ProtocolViolation;
import io.sluice.mqtt.codec.PublishReader;
import io.sluice.mqtt.codec.ReasonCode;
import io.sluice.mqtt.codec.Topics;
import io.sluice.mqtt.convert.MqttMessage;
import io.sluice.mqtt.convert.PublishToRecord;
import io.sluice.mqtt.session.Outbound;
import io.sluice.mqtt.session.Session;
import io.sluice.mqtt.session.SessionLimits;
import io.sluice.queue.QueueRef;
import io.sluice.queue.TargetSet;
import io.sluice.routing.DirectDispatch;
import io.sluice.routing.HeaderScratch;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingException;
import io.sluice.routing.Sessions;
import io.sluice.routing.VirtualHost;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The publishes of one connection: routes each, collects what one read brought into one batch for the shard and one direct
 * dispatch, and answers QoS 1 in order when it is stored. Confined to the connection's event loop.
 */
final class Publisher implements PublishBatch.Completion {
    /** What the publisher needs of its connection. */
    interface Host {
        /** The shard is overloaded, or too many publishes wait for their PUBACK: stop or go on reading. */
        void hold(boolean hold);

        /** Ends the connection. */
        void fail(int reason, String message);
    }

    private static final Logger LOG = LoggerFactory.getLogger(Publisher.class);

    /** One for all publishers of a loop: what its pass reads from many of them travels together. */
    private static final FastThreadLocal<DirectDispatch> DISPATCH = new FastThreadLocal<>() {
        @Override
        protected DirectDispatch initialValue() {
            return new DirectDispatch();
        }
    };

    private final Host host;
    private final Caller caller;
    private final VirtualHost vhost;
    private final ShardProxy shard;
    private final io.sluice.io.Clock clock;
    private final Outbound out;
    private final Session session;
    private final SessionLimits limits;
    private final int maxQueued;
    private final DirectDispatch dispatch;
    private final Durability durability;
    private final boolean mqtt5;
    private final int receiveMaximum;
    private final int aliasMaximum;
    private final TopicCache topics = new TopicCache();
    private final AckQueue acks = new AckQueue();
    private TopicCache.Entry @Nullable [] aliases;

    private @Nullable PublishBatch batch;
    private @Nullable HeaderScratch scratch;
    private @Nullable PublishBatch refused;
    private int batchBytesHint = 256;
    private long batchNumber;
    private long completed;
    private boolean holding;
    private boolean closed;
    private boolean warnedRefused;
    private boolean promised;
    /** Publishes since the last {@link #flush}. */
    private int received;

    Publisher(
            Host host,
            Caller caller,
            VirtualHost vhost,
            MqttContext context,
            Outbound out,
            Session session,
            boolean mqtt5) {
        this.host = host;
        this.caller = caller;
        this.vhost = vhost;
        this.shard = context.broker().shard();
        this.clock = context.broker().clock();
        this.out = out;
        this.session = session;
        this.limits = context.limits();
        this.maxQueued = context.settings().maxQueued();
        this.dispatch = DISPATCH.get();
        this.durability = context.settings().durability();
        this.receiveMaximum = context.settings().receiveMaximum();
        this.aliasMaximum = context.settings().topicAliasMaximum();
        this.mqtt5 = mqtt5;
    }

    /**
     * Takes a received PUBLISH.
     *
     * @throws ProtocolViolation if the connection must end
     */
    void publish(PublishReader p) {
        received++;
        TopicCache.Entry topic = topic(p);
        if (p.qos() > 0 && mqtt5 && acks.size() >= receiveMaximum) {
            throw new ProtocolViolation(
                    ReasonCode.RECEIVE_MAXIMUM_EXCEEDED, "more than " + receiveMaximum + " publishes in flight");
        }
        if (topic.reserved) {
            refuse(p, topic.name, ReasonCode.TOPIC_NAME_INVALID, "topics that start with $ are the broker's own");
            return;
        }
        if (!topic.mayPublish(caller)) {
            refuse(p, topic.name, ReasonCode.NOT_AUTHORIZED, "the user may not publish to it");
            return;
        }
        PublishToRecord.Origin origin =
                p.hasProperties() ? PublishToRecord.origin(p.properties(), p.buffer()) : PublishToRecord.Origin.NONE;
        long now = clock.epochMillis();
        long expiresAt = p.expirySeconds() < 0 ? 0 : now + Math.max(1, p.expirySeconds() * 1000);
        if (origin.delay() != 0 || topic.delayMillis > 0) {
            delay(p, topic, origin, now, expiresAt);
            return;
        }
        Route route;
        try {
            route = topic.route(vhost.table(), p.qos(), p.retain());
            if (route.isByMessage()) {
                route = vhost.table().routeTopic(topic.name, p.qos(), p.retain(), headers(p));
            }
        } catch (RoutingException e) {
            refuse(p, topic.name, ReasonCode.IMPLEMENTATION_SPECIFIC, String.valueOf(e.getMessage()));
            return;
        }
        TargetSet stored = targets(topic.name, route.stored());
        if (!stored.isEmpty()) {
            long timeToLive = expiresAt == 0 ? PublishBatch.FOREVER : expiresAt - now;
            store(p, topic, origin, stored, now, expiresAt, timeToLive, p.qos() == 0 ? Durability.MEMORY : durability);
        }
        if (route.direct().length > 0) {
            MqttMessage message = new MqttMessage(
                    topic.name,
                    topic.bytes,
                    p.buffer().retain(),
                    p.payloadStart(),
                    p.payloadLength(),
                    p.forwardedProperties(),
                    p.qos(),
                    p.retain(),
                    now,
                    expiresAt,
                    session.clientId());
            dispatch.add(message, route);
            message.release();
            promised |= p.qos() > 0;
        }
        if (p.qos() > 0) {
            acknowledge(p.packetId(), !stored.isEmpty() && (stored.hasDurable() || stored.mayRefuse()));
        }
    }

    /** Keeps the message until it is due; then it is routed by the subscriptions and bindings of that time. */
    private void delay(
            PublishReader p, TopicCache.Entry topic, PublishToRecord.Origin origin, long now, long expiresAt) {
        long delay = topic.delayMillis > 0 ? topic.delayMillis : origin.delay();
        if (delay == PublishToRecord.Origin.BAD_DELAY) {
            refuse(
                    p,
                    topic.name,
                    ReasonCode.IMPLEMENTATION_SPECIFIC,
                    "its user property x-delay is not a number of milliseconds up to ten years");
            return;
        }
        // what waits for long waits on disk
        Durability level = p.qos() == 0 ? Durability.OS : durability;
        store(p, topic, origin, vhost.delayed(), now, expiresAt, delay, level);
        if (p.qos() > 0) {
            acknowledge(p.packetId(), true);
        }
    }

    /** The headers of the message, for exchanges that look at them. */
    private RecordView headers(PublishReader p) {
        HeaderScratch record = scratch;
        if (record == null) {
            record = new HeaderScratch();
            scratch = record;
        }
        ByteBuf out = record.begin();
        PropertyReader properties = p.hasProperties() ? p.properties() : null;
        return record.end(PublishToRecord.headers(
                out,
                p.qos(),
                p.retain(),
                0,
                p.buffer(),
                properties == null ? 0 : properties.start(),
                properties == null ? 0 : properties.end()));
    }

    private TopicCache.Entry topic(PublishReader p) {
        TopicCache.Entry entry = null;
        if (p.topicLength() > 0) {
            entry = topics.find(p.buffer(), p.topicStart(), p.topicLength());
            if (entry == null) {
                if (!Topics.isName(p.buffer(), p.topicStart(), p.topicLength())) {
                    throw new ProtocolViolation(ReasonCode.TOPIC_NAME_INVALID, "PUBLISH to an invalid topic name");
                }
                entry = topics.add(p.buffer(), p.topicStart(), p.topicLength());
            }
        }
        if (p.alias() != 0) {
            entry = aliased(p.alias(), entry);
        }
        if (entry == null) {
            throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "PUBLISH without a topic");
        }
        return entry;
    }

    /** Topic aliases (section 3.3.2.3.4): sets one if a topic came with it, else looks it up. */
    private TopicCache.Entry aliased(int alias, TopicCache.@Nullable Entry given) {
        if (alias > aliasMaximum) {
            throw new ProtocolViolation(
                    ReasonCode.TOPIC_ALIAS_INVALID, "topic alias " + alias + ", maximum is " + aliasMaximum);
        }
        TopicCache.Entry[] known = aliases;
        if (known == null) {
            known = new TopicCache.Entry[aliasMaximum + 1];
            aliases = known;
        }
        if (given != null) {
            known[alias] = given;
            return given;
        }
        TopicCache.Entry entry = known[alias];
        if (entry == null) {
            throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "topic alias " + alias + " is not set");
        }
        return entry;
    }

    /** QoS 1 gets its reason in MQTT 5.0; MQTT 3.1.1 has none and is acknowledged (section 3.3.5). */
    private void refuse(PublishReader p, String topic, int reason, String why) {
        if (!warnedRefused) {
            warnedRefused = true;
            LOG.warn(
                    "{}: publish of user {} to {} refused: {}; further refusals are not logged",
                    caller.connection(),
                    caller.principal().name(),
                    topic,
                    why);
        }
        if (p.qos() > 0) {
            acks.add(p.packetId(), batchNumber, false, mqtt5 ? reason : 0);
        }
    }

    /**
     * The stored targets without the own queue where all subscriptions that match are noLocal (section 3.8.3.1), and without
     * queues of sessions that hold as much as they may.
     */
    private TargetSet targets(String topic, TargetSet routed) {
        TargetSet targets = routed;
        for (int i = 0; i < routed.queueCount(); i++) {
            QueueRef queue = routed.queue(i);
            if (queue.stats().ready() >= maxQueued && Sessions.isSessionQueue(queue)) {
                limits.queueFull(queue, maxQueued);
                targets = without(targets, queue);
            }
        }
        QueueRef own = session.queue();
        if (own != null && routed.queueCount() > 0 && session.excludesOwn(topic)) {
            targets = without(targets, own);
        }
        return targets;
    }

    private static TargetSet without(TargetSet targets, QueueRef queue) {
        List<QueueRef> queues = new ArrayList<>();
        for (int i = 0; i < targets.queueCount(); i++) {
            if (targets.queue(i).id().value() != queue.id().value()) {
                queues.add(targets.queue(i));
            }
        }
        List<io.sluice.queue.StreamTarget> streams = new ArrayList<>();
        for (int i = 0; i < targets.streamCount(); i++) {
            streams.add(targets.stream(i));
        }
        return new TargetSet(queues, streams);
    }

    /**
     * Adds the message to the batch.
     *
     * @param expiresAt epoch ms, 0 = never
     * @param timeToLive how long it may stay in the queues it goes to, ms
     */
    private void store(
            PublishReader p,
            TopicCache.Entry topic,
            PublishToRecord.Origin origin,
            TargetSet targets,
            long now,
            long expiresAt,
            long timeToLive,
            Durability level) {
        PublishBatch b = batch;
        if (b == null) {
            b = new PublishBatch(caller, this, out.channel().alloc(), batchBytesHint);
            batch = b;
            batchNumber++;
        }
        ByteBuf to = b.buffer();
        int begin = to.writerIndex();
        b.begin();
        int orderHash = topic.orderHash;
        int count;
        ByteBuf in = p.buffer();
        byte[] key = p.retain() ? null : origin.key();
        RecordFields.writeBytes(to, key == null ? topic.bytes : key);
        if (p.retain() && p.payloadLength() == 0) {
            RecordFields.writeVarint(to, -1); // clears the retained message: a tombstone
        } else {
            RecordFields.writeVarint(to, p.payloadLength());
            to.writeBytes(in, p.payloadStart(), p.payloadLength());
        }
        b.headers();
        try {
            if (p.hasProperties()) {
                PropertyReader properties = p.properties();
                count = PublishToRecord.headers(
                        to, p.qos(), p.retain(), expiresAt, in, properties.start(), properties.end());
            } else {
                count = PublishToRecord.headers(to, p.qos(), p.retain(), expiresAt, in, 0, 0);
            }
        } catch (ProtocolViolation e) {
            to.writerIndex(begin); // the batch goes on without it
            throw e;
        }
        if (key != null) {
            RecordFields.writeHeader(to, io.sluice.message.MessageHeaders.TOPIC, topic.bytes);
            count++;
            orderHash = java.util.Arrays.hashCode(key);
        }
        // an expiry counts from the publish, and readers take it from the record's time
        long timestamp = origin.seconds() < 0 || expiresAt > 0 ? now : origin.seconds() * 1000;
        b.options(origin.priority(), timeToLive);
        b.end(count, targets, orderHash, timestamp, level, p.packetId());
    }

    private void acknowledge(int packetId, boolean stored) {
        if (!stored && acks.size() == 0) {
            PacketWriter.puback(out.reserve(5), packetId, 0, mqtt5);
            return;
        }
        acks.add(packetId, batchNumber, stored, 0);
    }

    /** The end of a read: hands everything over. */
    void flush() {
        if (received > 0) {
            limits.countReceived(received);
            received = 0;
        }
        PublishBatch b = batch;
        if (b != null) {
            batch = null;
            if (b.size() == 0) {
                b.releaseBuffer();
                batchDone(b, null);
            } else {
                batchBytesHint = Math.min(64 * 1024, Math.max(256, b.sizeInBytes() + b.sizeInBytes() / 4));
                submit(b);
            }
        }
        if (promised) {
            promised = false;
            dispatch.flush(); // before the PUBACK: what its reader publishes then must come after this
        } else {
            dispatch.flushLater(out.loop());
        }
        sendAcks();
        checkHold();
    }

    private void submit(PublishBatch b) {
        if (shard.submit(b)) {
            return;
        }
        refused = b;
        shard.onReady(out.loop(), this::offerAgain);
    }

    private void offerAgain() {
        PublishBatch b = refused;
        if (b == null) {
            return;
        }
        refused = null;
        if (closed) {
            // The peer was never told that it is stored, but the publish was complete: it still counts.
            if (!shard.submit(b)) {
                b.releaseBuffer();
            }
            return;
        }
        submit(b);
        checkHold();
    }

    @Override
    public Executor executor() {
        return out.loop();
    }

    @Override
    public void completed(PublishBatch done, @Nullable LogException error) {
        if (error != null) {
            LOG.warn("{}: {} publishes were not stored: {}", caller.connection(), done.size(), error.getMessage());
        }
        if (!closed) {
            batchDone(done, error);
            out.flush();
            checkHold();
        }
    }

    private void batchDone(PublishBatch done, @Nullable LogException error) {
        completed++;
        if (error != null && !mqtt5) {
            closed = true;
            host.fail(ReasonCode.UNSPECIFIED, "publish could not be stored: " + error.reason());
            return;
        }
        int reason = error == null ? 0 : reasonOf(error);
        int message = 0;
        while (acks.isReady(completed)) {
            boolean own = acks.ownResult() && acks.batch() == completed;
            int result = own ? reason : acks.reason();
            if (own && done.anyRefused()) {
                // acks and messages are in the same order; not every message has an ack of its own
                while (message < done.size() && done.tag(message) != acks.packetId()) {
                    message++;
                }
                // MQTT 3.1.1 has no reason codes and is acknowledged (section 3.3.5)
                result = message < done.size() && done.isRefused(message++) ? ReasonCode.QUOTA_EXCEEDED : 0;
            }
            PacketWriter.puback(out.reserve(5), acks.packetId(), result, mqtt5);
            acks.remove();
        }
    }

    private static int reasonOf(LogException error) {
        return switch (error.reason()) {
            case DISK_FULL, OVERLOADED -> ReasonCode.QUOTA_EXCEEDED;
            case BATCH_TOO_LARGE -> ReasonCode.PACKET_TOO_LARGE;
            default -> ReasonCode.IMPLEMENTATION_SPECIFIC;
        };
    }

    private void sendAcks() {
        while (acks.isReady(completed)) {
            PacketWriter.puback(out.reserve(5), acks.packetId(), acks.reason(), mqtt5);
            acks.remove();
        }
    }

    /** Reading stops while the shard is congested, and for MQTT 3.1.1, which has no receive maximum, at our own. */
    private void checkHold() {
        boolean congested = shard.isCongested();
        boolean hold = refused != null || congested || (!mqtt5 && acks.size() >= receiveMaximum);
        if (hold != holding) {
            holding = hold;
            host.hold(hold);
        }
        if (hold && congested && refused == null) {
            shard.onReady(out.loop(), () -> {
                if (!closed) {
                    checkHold();
                }
            });
        }
    }

    /** The connection is gone; what was read completely is still published. */
    void close() {
        PublishBatch b = batch;
        batch = null;
        closed = true;
        if (b != null) {
            if (b.size() == 0 || !shard.submit(b)) {
                b.releaseBuffer();
            }
        }
        dispatch.flush();
    }
}
