package io.sluice.mqtt.connection;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.message.RecordFields;
import io.sluice.mqtt.codec.PropertyReader;
import io.sluice.mqtt.convert.MqttMessage;
import io.sluice.mqtt.convert.PublishToRecord;
import io.sluice.routing.Broker;
import io.sluice.routing.DirectDispatch;
import io.sluice.routing.HeaderScratch;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingException;
import io.sluice.routing.Sessions.StoredWill;
import io.sluice.routing.VirtualHost;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Publishes the will of a client that is gone (MQTT 5.0 section 3.1.2.5). Any thread. */
final class WillPublish implements PublishBatch.Completion, Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(WillPublish.class);

    private final StoredWill will;
    private final String clientId;
    private final Caller caller;
    private final VirtualHost vhost;
    private final Broker broker;
    private final Durability durability;
    private final Runnable done;

    /**
     * Prepares a publish.
     *
     * @param done runs after it, when a stored will is stored; any thread
     */
    WillPublish(
            StoredWill will,
            String clientId,
            Caller caller,
            VirtualHost vhost,
            Broker broker,
            Durability durability,
            Runnable done) {
        this.will = will;
        this.clientId = clientId;
        this.caller = caller;
        this.vhost = vhost;
        this.broker = broker;
        this.durability = durability;
        this.done = done;
    }

    @Override
    public void run() {
        Route route;
        try {
            HeaderScratch headers = new HeaderScratch();
            ByteBuf properties = Unpooled.wrappedBuffer(will.properties());
            int count = PublishToRecord.headers(
                    headers.begin(), will.qos(), will.retain(), 0, properties, 0, properties.writerIndex());
            route = vhost.table().routeTopic(will.topic(), will.qos(), will.retain(), headers.end(count));
        } catch (RoutingException e) {
            LOG.warn("{}: will to {} not routed: {}", caller.connection(), will.topic(), e.getMessage());
            done.run();
            return;
        }
        long now = broker.clock().epochMillis();
        long expiresAt = will.expirySeconds() < 0 ? 0 : now + Math.max(1, will.expirySeconds() * 1000);
        byte[] topic = will.topic().getBytes(UTF_8);
        boolean stored = !route.stored().isEmpty();
        if (stored) {
            store(route, topic, now, expiresAt);
        }
        if (route.direct().length > 0) {
            ByteBuf payload = Unpooled.wrappedBuffer(will.payload());
            MqttMessage message = new MqttMessage(
                    will.topic(),
                    topic,
                    payload,
                    0,
                    payload.readableBytes(),
                    will.properties(),
                    will.qos(),
                    will.retain(),
                    now,
                    expiresAt,
                    clientId);
            DirectDispatch dispatch = new DirectDispatch();
            dispatch.add(message, route);
            message.release();
            dispatch.flush();
        }
        if (!stored) {
            done.run();
        }
    }

    private void store(Route route, byte[] topic, long now, long expiresAt) {
        PublishBatch batch = new PublishBatch(
                caller, this, UnpooledByteBufAllocator.DEFAULT, topic.length + will.payload().length + 64);
        batch.begin();
        RecordFields.writeBytes(batch.buffer(), topic);
        boolean clears = will.retain() && will.payload().length == 0;
        RecordFields.writeBytes(batch.buffer(), clears ? null : will.payload());
        batch.headers();
        ByteBuf properties = Unpooled.wrappedBuffer(will.properties());
        int count = PublishToRecord.headers(
                batch.buffer(), will.qos(), will.retain(), expiresAt, properties, 0, properties.writerIndex());
        int priority = PublishToRecord.origin(PropertyReader.of(properties, 0, properties.writerIndex()), properties)
                .priority();
        batch.options(priority, expiresAt == 0 ? PublishBatch.FOREVER : expiresAt - now);
        Durability level = will.qos() == 0 ? Durability.MEMORY : durability;
        batch.end(count, route.stored(), will.topic().hashCode(), now, level, 0);
        submit(batch);
    }

    private void submit(PublishBatch batch) {
        ShardProxy shard = broker.shard();
        if (!shard.submit(batch)) {
            shard.onReady(shard, () -> submit(batch));
        }
    }

    @Override
    public Executor executor() {
        return broker.shard();
    }

    @Override
    public void completed(PublishBatch batch, @Nullable LogException error) {
        if (error != null) {
            LOG.warn("{}: will to {} was not stored: {}", caller.connection(), will.topic(), error.getMessage());
        }
        done.run();
    }
}
