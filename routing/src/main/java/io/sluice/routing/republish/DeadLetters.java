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
import io.sluice.queue.DeathReason;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Republisher;
import io.sluice.queue.TargetSet;
import io.sluice.routing.DirectDispatch;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.replay.RecordAddress;
import io.sluice.routing.topic.TopicNames;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.util.concurrent.Executor;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Publishes dead letters to the target of their queue's policy, with the death added to their history (see {@link Deaths}).
 * The original is settled when the copy is stored; a message that nothing takes is settled at once. What the shard refuses is
 * reported as failed, and the core tries again. Confined to the shard thread.
 */
public final class DeadLetters implements Republisher {
    private final ShardProxy shard;
    private final Clock clock;
    private final Function<String, @Nullable RoutingTable> tables;
    private final DirectDispatch dispatch = new DirectDispatch();
    private final RecordView record = new RecordView();

    /**
     * Creates the republisher.
     *
     * @param tables newest table of a virtual host, null if it is gone
     */
    public DeadLetters(ShardProxy shard, Clock clock, Function<String, @Nullable RoutingTable> tables) {
        this.shard = shard;
        this.clock = clock;
        this.tables = tables;
    }

    @Override
    public void deadLetter(
            QueueSpec queue, BatchView source, long offset, DeathReason reason, int deliveryCount, Outcome outcome) {
        String exchange = queue.policy().deadLetterExchange();
        RoutingTable table = tables.apply(queue.vhost());
        if (exchange == null || table == null || table.exchange(exchange) == null || !source.record(offset, record)) {
            outcome.settled();
            return;
        }
        String oldKey = RecordAddress.routingKey(record);
        String key =
                queue.policy().deadLetterKey() != null ? queue.policy().deadLetterKey() : oldKey == null ? "" : oldKey;
        Route route = table.route(exchange, key, 1, record);
        if (route.direct().length > 0) {
            String topic = RecordAddress.topic(record);
            StoredMessage message =
                    new StoredMessage(topic == null ? TopicNames.topicOfKey(key) : topic, source, offset);
            dispatch.add(message, route);
            dispatch.flush();
            message.release();
        }
        if (route.stored().isEmpty()) {
            outcome.settled();
            return;
        }
        PublishBatch copy = copy(queue, exchange, key, oldKey, reason, route.stored(), outcome);
        if (!shard.submit(copy)) {
            copy.releaseBuffer();
            outcome.failed(new LogException(Reason.OVERLOADED, "the shard's inbox is full"));
        }
    }

    private PublishBatch copy(
            QueueSpec queue,
            String exchange,
            String key,
            @Nullable String oldKey,
            DeathReason reason,
            TargetSet targets,
            Outcome outcome) {
        int size = record.end() - record.keyStart() + 256;
        PublishBatch batch =
                new PublishBatch(Caller.broker(queue.vhost()), new Copy(outcome), PooledByteBufAllocator.DEFAULT, size);
        String oldExchange = record.findHeader(MessageHeaders.EXCHANGE) ? headerText() : "";
        boolean persistent = record.findHeader(MessageHeaders.DURABLE) && record.headerAsLong(0) == 1
                || record.findHeader(MessageHeaders.QOS) && record.headerAsLong(0) > 0;
        Deaths.Death death = new Deaths.Death(
                reason.text(), queue.name(), 1, clock.epochMillis(), oldExchange, oldKey == null ? "" : oldKey);
        batch.begin();
        ByteBuf out = batch.buffer();
        RecordCopy.fields(out, record);
        batch.headers();
        int headers = RecordCopy.headers(out, record);
        headers += RecordCopy.address(out, record, exchange, key);
        headers += Deaths.read(record).with(death).write(out);
        // As durable as the original: a transient message may be lost in a restart wherever it is.
        Durability durability = queue.durable() && persistent ? Durability.GROUP : Durability.MEMORY;
        int order = exchange.isEmpty() ? key.hashCode() : exchange.hashCode();
        batch.end(headers, targets, order, record.timestamp(), durability, 0);
        return batch;
    }

    private String headerText() {
        byte[] value = record.headerValue();
        return value == null ? "" : new String(value, UTF_8);
    }

    private final class Copy implements PublishBatch.Completion {
        private final Outcome outcome;

        Copy(Outcome outcome) {
            this.outcome = outcome;
        }

        @Override
        public Executor executor() {
            return shard;
        }

        @Override
        public void completed(PublishBatch batch, @Nullable LogException error) {
            if (error == null) {
                outcome.settled();
            } else {
                outcome.failed(error);
            }
        }
    }
}
