package io.sluice.mqtt.connection;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.message.RecordFields;
import io.sluice.mqtt.convert.MqttMessage;
import io.sluice.mqtt.convert.PublishToRecord;
import io.sluice.routing.DirectDispatch;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingException;
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

    private final ConnectRequest.Will will;
    private final String clientId;
    private final Caller caller;
    private final VirtualHost vhost;
    private final MqttContext context;

    WillPublish(ConnectRequest.Will will, String clientId, Caller caller, VirtualHost vhost, MqttContext context) {
        this.will = will;
        this.clientId = clientId;
        this.caller = caller;
        this.vhost = vhost;
        this.context = context;
    }

    @Override
    public void run() {
        if (!caller.may(Operation.WRITE, Resource.Kind.TOPIC, will.topic())) {
            LOG.warn("{}: user may not publish its will to {}", caller.connection(), will.topic());
            return;
        }
        Route route;
        try {
            route = vhost.table().routeTopic(will.topic(), will.qos(), will.retain());
        } catch (RoutingException e) {
            LOG.warn("{}: will to {} not routed: {}", caller.connection(), will.topic(), e.getMessage());
            return;
        }
        long now = context.broker().clock().epochMillis();
        long expiresAt = will.expirySeconds() < 0 ? 0 : now + Math.max(1, will.expirySeconds() * 1000);
        byte[] topic = will.topic().getBytes(UTF_8);
        if (!route.stored().isEmpty()) {
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
    }

    private void store(Route route, byte[] topic, long now, long expiresAt) {
        PublishBatch batch = new PublishBatch(
                caller, this, UnpooledByteBufAllocator.DEFAULT, topic.length + will.payload().length + 64);
        batch.begin();
        RecordFields.writeBytes(batch.buffer(), topic);
        boolean clears = will.retain() && will.payload().length == 0;
        RecordFields.writeBytes(batch.buffer(), clears ? null : will.payload());
        batch.headers();
        int count = PublishToRecord.headers(
                batch.buffer(),
                will.qos(),
                will.retain(),
                expiresAt,
                Unpooled.wrappedBuffer(will.properties()),
                0,
                will.properties().length);
        Durability durability =
                will.qos() == 0 ? Durability.MEMORY : context.settings().durability();
        batch.end(count, route.stored(), will.topic().hashCode(), now, durability, 0);
        submit(batch);
    }

    private void submit(PublishBatch batch) {
        ShardProxy shard = context.broker().shard();
        if (!shard.submit(batch)) {
            shard.onReady(shard, () -> submit(batch));
        }
    }

    @Override
    public Executor executor() {
        return context.broker().shard();
    }

    @Override
    public void completed(PublishBatch batch, @Nullable LogException error) {
        if (error != null) {
            LOG.warn("{}: will to {} was not stored: {}", caller.connection(), will.topic(), error.getMessage());
        }
    }
}
