package io.sluice.kafka.produce;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.engine.LogEngine;
import io.sluice.io.Clock;
import io.sluice.kafka.connection.ApiHandler;
import io.sluice.kafka.connection.Request;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.message.RecordFields;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.routing.replay.LogScan;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import org.apache.kafka.common.message.InitProducerIdResponseData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.InitProducerIdRequest;
import org.apache.kafka.common.requests.InitProducerIdResponse;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * InitProducerId for idempotent producers. Ids are handed out from blocks (as Kafka's controller does), and a block is used
 * only once its end is synced in the compacted stream {@code __producer_ids}: whatever stops the broker, no id comes twice.
 * Record: key {@code version(1)=1}, value {@code version(1)=1 nextProducerId(8)}. Transactions are not offered. Thread-safe.
 */
public final class ProducerIds implements ApiHandler {
    /** Name of the stream that remembers which ids are taken. */
    public static final String STREAM = "__producer_ids";

    private static final Logger LOG = LoggerFactory.getLogger(ProducerIds.class);
    private static final StreamId ID = InternalStreams.id(STREAM);
    private static final TargetSet TARGET = new TargetSet(List.of(), List.of(new StreamTarget(ID, 1)));
    private static final byte VERSION = 1;
    private static final int VALUE_BYTES = 9;
    private static final int BLOCK = 1_000;

    private final LogEngine engine;
    private final ShardProxy shard;
    private final Clock clock;

    // guarded by this
    private final ArrayDeque<Request> waiting = new ArrayDeque<>();
    private long next;
    private long end;
    private boolean allocating;

    public ProducerIds(LogEngine engine, ShardProxy shard, Clock clock) {
        this.engine = engine;
        this.shard = shard;
        this.clock = clock;
    }

    /** Reads what is taken. Blocks; before listeners open. */
    public void start() {
        engine.createStream(ID, STREAM, 1, StreamConfig.STATE)
                .toCompletableFuture()
                .join();
        LogPartition partition = engine.partition(new PartitionId(ID, 0));
        if (partition == null) {
            throw new IllegalStateException("stream " + STREAM + " has no partition");
        }
        long[] taken = {0};
        LogScan.readAll(partition, record -> {
            ByteBuf value = record.buffer();
            int at = record.valueStart();
            if (record.valueLength() != VALUE_BYTES || value.getByte(at) != VERSION) {
                throw new IllegalStateException("a record of " + STREAM + " is not of version " + VERSION);
            }
            taken[0] = Math.max(taken[0], value.getLong(at + 1));
        });
        synchronized (this) {
            next = taken[0];
            end = taken[0];
        }
    }

    @Override
    public void handle(Request request) {
        if (request.body(InitProducerIdRequest.class).data().transactionalId() != null) {
            request.respond(refusal(Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
            return;
        }
        long id = -1;
        boolean allocate = false;
        synchronized (this) {
            if (next < end) {
                id = next++;
            } else {
                waiting.add(request);
                allocate = !allocating;
                allocating = true;
            }
        }
        if (id >= 0) {
            request.respond(answer(id));
        } else if (allocate) {
            allocate(request.loop());
        }
    }

    private void allocate(Executor executor) {
        long start;
        synchronized (this) {
            start = end;
        }
        Block block = new Block(start, executor);
        PublishBatch batch = new PublishBatch(Caller.broker("/"), block, PooledByteBufAllocator.DEFAULT, 32);
        batch.begin();
        ByteBuf out = batch.buffer();
        RecordFields.writeBytes(out, new byte[] {VERSION});
        RecordFields.writeVarint(out, VALUE_BYTES);
        out.writeByte(VERSION).writeLong(start + BLOCK);
        batch.headers();
        batch.end(0, TARGET, 0, clock.epochMillis(), Durability.GROUP, 0);
        offer(batch, executor);
    }

    private void offer(PublishBatch batch, Executor executor) {
        if (!shard.submit(batch)) {
            shard.onReady(executor, () -> offer(batch, executor));
        }
    }

    /** Serves who waited; true if there are more than the block had ids for. */
    private boolean allocated(long start, @Nullable LogException error) {
        List<Request> refused = List.of();
        List<Request> served = new ArrayList<>();
        long first = start;
        boolean again = false;
        synchronized (this) {
            if (error != null) {
                allocating = false;
                refused = List.copyOf(waiting);
                waiting.clear();
            } else {
                next = start;
                end = start + BLOCK;
                while (next < end && !waiting.isEmpty()) {
                    served.add(waiting.poll());
                    next++;
                }
                again = !waiting.isEmpty();
                allocating = again;
            }
        }
        for (int i = 0; i < served.size(); i++) {
            served.get(i).respond(answer(first + i));
        }
        if (error != null) {
            LOG.warn("No producer ids can be handed out: {}", error.getMessage());
            // as Kafka while it has no block: clients come again
            refused.forEach(request -> request.respond(refusal(Errors.COORDINATOR_LOAD_IN_PROGRESS)));
        }
        return again;
    }

    private static InitProducerIdResponse answer(long id) {
        return new InitProducerIdResponse(
                new InitProducerIdResponseData().setProducerId(id).setProducerEpoch((short) 0));
    }

    private static InitProducerIdResponse refusal(Errors error) {
        return new InitProducerIdResponse(new InitProducerIdResponseData()
                .setErrorCode(error.code())
                .setProducerId(-1)
                .setProducerEpoch((short) -1));
    }

    /** A block on its way to the log. */
    private final class Block implements PublishBatch.Completion {
        private final long start;
        private final Executor executor;

        Block(long start, Executor executor) {
            this.start = start;
            this.executor = executor;
        }

        @Override
        public Executor executor() {
            return executor;
        }

        @Override
        public void completed(PublishBatch batch, @Nullable LogException error) {
            if (allocated(start, error)) {
                allocate(executor);
            }
        }
    }
}
