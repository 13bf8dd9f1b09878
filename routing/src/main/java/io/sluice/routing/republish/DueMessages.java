package io.sluice.routing.republish;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.record.BatchView;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordView;
import io.sluice.message.RoutingKeys;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Republisher;
import io.sluice.routing.DirectDispatch;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.replay.RecordAddress;
import io.sluice.routing.topic.TopicNames;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes delayed messages that have fallen due to the exchange (or MQTT topic) that they were published to, by the bindings of
 * this moment, as RabbitMQ's delayed message exchange does. The delayed one is settled in the pass that stores the copy; one
 * that nothing takes is settled at once. What the shard refuses is reported as failed, and the core tries again. Confined to
 * the shard thread.
 */
public final class DueMessages {
    private static final Logger LOG = LoggerFactory.getLogger(DueMessages.class);

    private final ShardProxy shard;
    private final Clock clock;
    private final Function<String, @Nullable RoutingTable> tables;
    private final DirectDispatch dispatch = new DirectDispatch();
    private final RecordView record = new RecordView();

    /**
     * Creates the publisher.
     *
     * @param tables newest table of a virtual host, null if it is gone
     */
    public DueMessages(ShardProxy shard, Clock clock, Function<String, @Nullable RoutingTable> tables) {
        this.shard = shard;
        this.clock = clock;
        this.tables = tables;
    }

    /** See {@link Republisher#due}. */
    public void publish(QueueSpec queue, BatchView source, long offset, Republisher.Outcome outcome) {
        RoutingTable table = tables.apply(queue.vhost());
        if (table == null || !source.record(offset, record)) {
            outcome.settled();
            return;
        }
        long expiresAt = RecordCopy.expiresAt(record);
        long now = clock.epochMillis();
        if (expiresAt >= 0 && expiresAt < now) {
            outcome.settled();
            return;
        }
        String exchange = record.findHeader(MessageHeaders.EXCHANGE) ? headerText() : "";
        boolean mqtt = exchange.isEmpty() && record.findHeader(MessageHeaders.QOS) && RecordAddress.hasTopic(record);
        String topic = mqtt ? RecordAddress.topic(record) : null;
        String key = RecordAddress.routingKey(record);
        long qos = mqtt ? number(MessageHeaders.QOS, 0) : 1;
        Route route;
        if (topic != null) {
            route = table.routeTopic(topic, (int) qos, number(MessageHeaders.RETAIN, 0) == 1, record);
        } else if (exchange.isEmpty() || table.exchange(exchange) != null) {
            route = route(table, exchange, key == null ? "" : key);
        } else {
            LOG.debug("A delayed message is dropped: exchange '{}' is gone", exchange);
            route = Route.NONE;
        }
        CopyCompletion completion = new CopyCompletion(shard, dispatch, route, outcome);
        if (route.direct().length > 0) {
            completion.direct(new StoredMessage(
                    topic != null ? topic : TopicNames.topicOfKey(key == null ? "" : key), source, offset));
        }
        if (route.stored().isEmpty()) {
            completion.completed(null);
            return;
        }
        boolean persistent = mqtt ? qos > 0 : number(MessageHeaders.DURABLE, 0) == 1;
        String order = topic != null ? topic : exchange.isEmpty() && key != null ? key : exchange;
        PublishBatch batch = new PublishBatch(
                Caller.broker(queue.vhost()),
                completion,
                PooledByteBufAllocator.DEFAULT,
                record.end() - record.keyStart() + 64);
        batch.inPlaceOf(outcome);
        batch.begin();
        ByteBuf out = batch.buffer();
        RecordCopy.fields(out, record);
        batch.headers();
        int headers = RecordCopy.dueHeaders(out, record);
        batch.options(RecordCopy.priority(record), expiresAt < 0 ? PublishBatch.FOREVER : expiresAt - now);
        batch.end(
                headers,
                route.stored(),
                order.hashCode(),
                record.timestamp(),
                persistent ? Durability.GROUP : Durability.MEMORY,
                0);
        if (!shard.submit(batch)) {
            batch.releaseBuffer();
            completion.completed(new LogException(Reason.OVERLOADED, "the shard's inbox is full"));
        }
    }

    private Route route(RoutingTable table, String exchange, String key) {
        List<String> keys = new ArrayList<>();
        keys.add(key);
        RoutingKeys.read(record, MessageHeaders.COPIES, keys);
        RoutingKeys.read(record, MessageHeaders.BLIND_COPIES, keys);
        return keys.size() == 1 ? table.route(exchange, key, 1, record) : table.route(exchange, keys, 1, record);
    }

    private long number(byte[] header, long absent) {
        return record.findHeader(header) ? record.headerAsLong(absent) : absent;
    }

    private String headerText() {
        byte[] value = record.headerValue();
        return value == null ? "" : new String(value, UTF_8);
    }
}
