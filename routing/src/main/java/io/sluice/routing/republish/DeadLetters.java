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
import io.sluice.queue.DeathReason;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Republisher;
import io.sluice.queue.Republisher.Outcome;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import io.sluice.routing.DirectDispatch;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.replay.RecordAddress;
import io.sluice.routing.topic.TopicNames;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes dead letters to the target of their queue's policy, with the death added to their history (see {@link Deaths}) and
 * without their time to live. A queue that a message would reach again without anybody rejecting it is left out of the targets.
 * The original is settled in the pass that stores the copy; a message that nothing takes is settled at once. What the shard refuses is
 * reported as failed, and the core tries again. Confined to the shard thread.
 */
public final class DeadLetters {
    private static final Logger LOG = LoggerFactory.getLogger(DeadLetters.class);
    /** Cycles that are remembered as logged. */
    private static final int MAX_CYCLES = 1_000;

    private final ShardProxy shard;
    private final Clock clock;
    private final Function<String, @Nullable RoutingTable> tables;
    private final DirectDispatch dispatch = new DirectDispatch();
    private final RecordView record = new RecordView();
    private final Set<String> cycles = new HashSet<>();

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

    /** See {@link Republisher#deadLetter}. */
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
        List<String> keys = new ArrayList<>();
        keys.add(key);
        if (queue.policy().deadLetterKey() == null) {
            RoutingKeys.read(record, MessageHeaders.COPIES, keys); // as RabbitMQ: those of blind copies are not kept
        }
        Route route = keys.size() == 1 ? table.route(exchange, key, 1, record) : table.route(exchange, keys, 1, record);
        if (route.isEmpty()) {
            outcome.settled();
            return;
        }
        Deaths deaths = Deaths.read(record).with(death(queue, oldKey, reason));
        TargetSet stored = withoutCycles(route.stored(), deaths);
        if (stored.isEmpty() && route.direct().length == 0) {
            outcome.settled();
            return;
        }
        String topic = key.equals(oldKey) ? RecordAddress.topic(record) : null;
        CopyCompletion completion = new CopyCompletion(shard, dispatch, route, outcome);
        PublishBatch copy = copy(queue, exchange, key, deaths, stored, completion);
        if (route.direct().length > 0) {
            completion.direct(CopiedMessage.of(copy, topic == null ? TopicNames.topicOfKey(key) : topic));
        }
        if (stored.isEmpty()) {
            copy.releaseBuffer();
            completion.completed(null);
        } else if (!shard.submit(copy)) {
            copy.releaseBuffer();
            completion.completed(new LogException(Reason.OVERLOADED, "the shard's inbox is full"));
        }
    }

    private Deaths.Death death(QueueSpec queue, @Nullable String oldKey, DeathReason reason) {
        String oldExchange = record.findHeader(MessageHeaders.EXCHANGE) ? headerText() : "";
        long expiresAt = RecordCopy.expiresAt(record);
        List<String> copies = new ArrayList<>();
        RoutingKeys.read(record, MessageHeaders.COPIES, copies);
        return new Deaths.Death(
                reason.text(),
                queue.name(),
                1,
                clock.epochMillis(),
                oldExchange,
                oldKey == null ? "" : oldKey,
                expiresAt < 0 ? -1 : Math.max(0, expiresAt - record.timestamp()),
                copies);
    }

    /** The targets without the queues to which the message would come back on its own (see {@link Deaths#isCycle}). */
    private TargetSet withoutCycles(TargetSet routed, Deaths deaths) {
        List<QueueRef> queues = new ArrayList<>();
        for (int i = 0; i < routed.queueCount(); i++) {
            QueueRef target = routed.queue(i);
            if (deaths.isCycle(target.spec().name())) {
                warnOfCycle(target.spec(), deaths);
            } else {
                queues.add(target);
            }
        }
        if (queues.size() == routed.queueCount()) {
            return routed;
        }
        List<StreamTarget> streams = new ArrayList<>();
        for (int i = 0; i < routed.streamCount(); i++) {
            streams.add(routed.stream(i));
        }
        return new TargetSet(queues, streams);
    }

    private void warnOfCycle(QueueSpec target, Deaths deaths) {
        List<String> cycle = new ArrayList<>(deaths.queues());
        cycle.add(0, target.name());
        if (cycles.size() < MAX_CYCLES && cycles.add(target.vhost() + cycle)) {
            LOG.warn(
                    "A dead letter would go round without end and is dropped, vhost '{}', queues from the last to the first: {};"
                            + " not logged again",
                    target.vhost(),
                    cycle);
        }
    }

    private PublishBatch copy(
            QueueSpec queue, String exchange, String key, Deaths deaths, TargetSet targets, CopyCompletion completion) {
        int size = record.end() - record.keyStart() + 256;
        PublishBatch batch =
                new PublishBatch(Caller.broker(queue.vhost()), completion, PooledByteBufAllocator.DEFAULT, size);
        batch.inPlaceOf(completion.outcome());
        boolean persistent = record.findHeader(MessageHeaders.DURABLE) && record.headerAsLong(0) == 1
                || record.findHeader(MessageHeaders.QOS) && record.headerAsLong(0) > 0;
        batch.begin();
        batch.options(RecordCopy.priority(record), PublishBatch.FOREVER);
        ByteBuf out = batch.buffer();
        RecordCopy.fields(out, record);
        batch.headers();
        int headers = RecordCopy.headers(out, record);
        headers += RecordCopy.address(out, record, exchange, key);
        headers += deaths.write(out);
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
}
