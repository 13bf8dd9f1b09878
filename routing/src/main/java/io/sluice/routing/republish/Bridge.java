package io.sluice.routing.republish;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.io.Clock;
import io.sluice.log.AdvanceListener;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.record.BatchView;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.routing.DirectDispatch;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.replay.LogScan;
import io.sluice.routing.replay.RecordAddress;
import io.sluice.routing.topic.TopicNames;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Passes the records of one partition of a stream on to an exchange. Each step publishes the copies of at most one batch
 * together with the cursor behind them, in one pass of the shard, so that after any crash the stored copies and the cursor
 * agree: every record is passed on to queues and streams exactly once. Direct subscribers get theirs when the step is stored.
 * A record that asks to be delivered later waits with the delayed messages, and goes to the exchange when it is due.
 * One step is in flight at a time. Confined to the shard thread.
 *
 * <p>States: idle (all read) → reading → publishing → idle or reading; waiting (refused for overload or a full disk) →
 * reading; stopped (closed, or the log is fenced).
 */
final class Bridge implements AdvanceListener {
    private static final Logger LOG = LoggerFactory.getLogger(Bridge.class);

    private static final byte[] DURABLE = {'1'};

    /** Longest delay, ms: ten years, as at the doors. */
    private static final long MAX_DELAY = 315_360_000_000L;

    /** Bytes of copies after which a step ends. */
    private static final int STEP_BYTES = 1 << 20;

    private final BridgeSpec spec;
    private final LogPartition partition;
    private final ShardProxy shard;
    private final Clock clock;
    private final Supplier<@Nullable RoutingTable> table;
    private final Route later;
    private final Caller caller;
    private final byte[] cursorKey;
    private final DirectDispatch dispatch = new DirectDispatch();
    private final RecordView record = new RecordView();

    private long next;
    private boolean busy;
    private boolean stopped;
    private boolean oneByOne;

    Bridge(
            BridgeSpec spec,
            LogPartition partition,
            long next,
            ShardProxy shard,
            Clock clock,
            Supplier<@Nullable RoutingTable> table,
            Route later) {
        this.spec = spec;
        this.partition = partition;
        this.next = Math.max(next, partition.logStartOffset());
        this.shard = shard;
        this.clock = clock;
        this.table = table;
        this.later = later;
        this.caller = Caller.broker(spec.vhost());
        this.cursorKey = new BridgeCursors.Key(spec.number(), partition.id().index()).encode();
    }

    void start() {
        partition.addAdvanceListener(this);
        pump();
    }

    /** Stops without a trace: the cursor stays where it is. */
    void stop() {
        stopped = true;
        partition.removeAdvanceListener(this);
    }

    @Override
    public void advanced(LogPartition advanced, long highWatermark) {
        pump();
    }

    /** Reads and publishes the next step unless one is on its way. */
    void pump() {
        if (busy || stopped || next >= partition.lastStableOffset()) {
            return;
        }
        busy = true;
        if (next < partition.logStartOffset()) {
            LOG.warn(
                    "bridge from stream '{}' to exchange '{}': offsets {} to {} were deleted by retention before they were"
                            + " passed on",
                    spec.streamName(),
                    spec.exchange(),
                    next,
                    partition.logStartOffset());
            next = partition.logStartOffset();
        }
        BatchView cached = partition.cachedBatch(next);
        if (cached != null) {
            publish(cached);
            return;
        }
        partition.loadBatch(next, shard).whenComplete((batch, error) -> {
            if (stopped) {
                if (batch != null) {
                    batch.release();
                }
            } else if (error != null) {
                fail("cannot read offset " + next, error);
            } else if (batch != null) {
                publish(batch);
            } else {
                skipGap();
            }
        });
    }

    private void skipGap() {
        long base = LogScan.firstBatch(partition, next);
        next = base > next ? base : next + 1;
        busy = false;
        pump();
    }

    /** Takes over one reference of {@code source}. */
    private void publish(BatchView source) {
        RoutingTable now = table.get();
        if (now == null || now.exchange(spec.exchange()) == null) {
            source.release();
            busy = false;
            stop(); // the binding went with its exchange; the catalog tells in a moment
            return;
        }
        long end = Math.min(source.lastOffset() + 1, partition.lastStableOffset());
        Step step = new Step(source);
        PublishBatch batch = new PublishBatch(caller, step, PooledByteBufAllocator.DEFAULT, 1024);
        boolean stored = false;
        step.next = end;
        for (int i = 0; i < source.recordCount(); i++) {
            source.recordAt(i, record);
            long offset = record.offset();
            if (offset < next || offset >= end) {
                continue;
            }
            stored |= route(now, batch, step, offset);
            if (oneByOne || batch.sizeInBytes() >= STEP_BYTES) {
                step.next = offset + 1;
                break;
            }
        }
        appendCursor(batch, step.next, stored ? Durability.GROUP : Durability.OS);
        offer(batch);
    }

    private boolean route(RoutingTable now, PublishBatch batch, Step step, long offset) {
        String key = routingKey();
        long time = clock.epochMillis();
        long wait = Math.min(MAX_DELAY, RecordCopy.dueAt(record, time) - time);
        Route route;
        try {
            route = wait > 0 ? later : now.route(spec.exchange(), key, 1, record);
        } catch (RoutingException e) {
            LOG.warn(
                    "bridge from stream '{}': offset {} is not passed on: {}",
                    spec.streamName(),
                    offset,
                    e.getMessage());
            return false;
        }
        if (route.direct().length > 0) {
            String topic = RecordAddress.isRouted(record) ? RecordAddress.topic(record) : null;
            step.messages.add(
                    new StoredMessage(topic == null ? TopicNames.topicOfKey(key) : topic, step.source, offset));
            step.routes.add(route);
        }
        if (route.stored().isEmpty()) {
            return false;
        }
        batch.begin();
        long expiresAt = RecordCopy.expiresAt(record);
        batch.options(
                RecordCopy.priority(record),
                wait > 0 ? wait : expiresAt < 0 ? PublishBatch.FOREVER : Math.max(0, expiresAt - time));
        ByteBuf out = batch.buffer();
        RecordCopy.fields(out, record);
        batch.headers();
        int headers = RecordCopy.checkedHeaders(out, record) + RecordCopy.address(out, record, spec.exchange(), key);
        if (RecordAddress.isOfProducer(record)) {
            RecordFields.writeHeader(out, MessageHeaders.DURABLE, DURABLE); // it is in a log
            headers++;
            if (record.timestamp() >= 0 && !record.findHeader(MessageHeaders.TIMESTAMP)) {
                byte[] seconds = Long.toString(record.timestamp() / 1000).getBytes(UTF_8);
                RecordFields.writeHeader(out, MessageHeaders.TIMESTAMP, seconds);
                headers++;
            }
        }
        batch.end(headers, route.stored(), spec.exchange().hashCode(), record.timestamp(), Durability.GROUP, offset);
        return true;
    }

    /** The record's own address, or for records of Kafka producers the stream's name, with the key if so configured. */
    private String routingKey() {
        if (RecordAddress.isRouted(record)) {
            String own = RecordAddress.routingKey(record);
            return own == null ? "" : own;
        }
        byte[] key = spec.suffix() ? record.keyBytes() : null;
        String topic = spec.streamName().replace('.', '/');
        return TopicNames.keyOfTopic(key == null ? topic : topic + '/' + new String(key, UTF_8));
    }

    private void appendCursor(PublishBatch batch, long offset, Durability durability) {
        batch.begin();
        RecordFields.writeBytes(batch.buffer(), cursorKey);
        RecordFields.writeBytes(batch.buffer(), BridgeCursors.value(offset));
        batch.headers();
        batch.end(0, BridgeCursors.TARGET, 0, clock.epochMillis(), durability, -1);
    }

    private void offer(PublishBatch batch) {
        if (!shard.submit(batch)) {
            shard.onReady(shard, () -> offer(batch));
        }
    }

    private void fail(String what, Throwable error) {
        LOG.error(
                "bridge from stream '{}' to exchange '{}' stopped: {}",
                spec.streamName(),
                spec.exchange(),
                what,
                error);
        busy = false;
        stop();
    }

    /** What one publish carries, until it is stored. */
    private final class Step implements PublishBatch.Completion {
        private final BatchView source;
        private final List<StoredMessage> messages = new ArrayList<>(0);
        private final List<Route> routes = new ArrayList<>(0);
        private long next;

        Step(BatchView source) {
            this.source = source;
        }

        @Override
        public Executor executor() {
            return shard;
        }

        @Override
        public void completed(PublishBatch batch, @Nullable LogException error) {
            try {
                if (error == null && !stopped) {
                    for (int i = 0; i < messages.size(); i++) {
                        dispatch.add(messages.get(i), routes.get(i));
                    }
                    dispatch.flush();
                }
            } finally {
                messages.forEach(StoredMessage::release);
                source.release();
            }
            busy = false;
            if (error == null) {
                Bridge.this.next = next;
                oneByOne = false;
                pump();
            } else {
                refused(batch.size(), error);
            }
        }

        private void refused(int messagesAndCursor, LogException error) {
            Reason reason = error.reason();
            if (reason == Reason.OVERLOADED) {
                shard.onReady(shard, Bridge.this::pump);
            } else if (reason == Reason.DISK_FULL) {
                LOG.warn("bridge from stream '{}' waits for disk space", spec.streamName());
            } else if (reason == Reason.BATCH_TOO_LARGE && messagesAndCursor > 2) {
                oneByOne = true; // find out which one it is
                pump();
            } else if (reason == Reason.BATCH_TOO_LARGE) {
                LOG.warn(
                        "bridge from stream '{}': offset {} is not passed on: {}",
                        spec.streamName(),
                        next - 1,
                        error.getMessage());
                Bridge.this.next = next;
                pump();
            } else {
                fail("not stored", error);
            }
        }
    }
}
