package io.sluice.kafka.produce;

import io.netty.buffer.ByteBuf;
import io.sluice.access.Caller;
import io.sluice.kafka.connection.Request;
import io.sluice.log.Durability;
import io.sluice.log.PartitionId;
import io.sluice.shard.ShardProxy;
import java.util.ArrayDeque;

/**
 * Appends of a connection that the shard has not taken yet, in order. While there are any, the connection is not read: what
 * waits is bounded by what one read brought. Confined to the loop.
 */
final class ProduceQueue {
    /** An append on its way to the shard; owns one reference of {@code batches}. */
    record Append(
            Caller caller, PartitionId partition, ByteBuf batches, Durability durability, PartitionAppend completion) {}

    private final ShardProxy shard;
    private final Request connection;
    private final ArrayDeque<Append> waiting = new ArrayDeque<>();
    private boolean closed;

    ProduceQueue(ShardProxy shard, Request connection) {
        this.shard = shard;
        this.connection = connection;
        connection.state().onClose(this::close);
    }

    void offer(Append append) {
        if (waiting.isEmpty() && handOver(append)) {
            return;
        }
        waiting.add(append);
        if (waiting.size() == 1) {
            connection.pauseReading();
            shard.onReady(connection.loop(), this::ready);
        }
    }

    private void ready() {
        if (closed) {
            return;
        }
        Append next = waiting.peek();
        while (next != null && handOver(next)) {
            waiting.poll();
            next = waiting.peek();
        }
        if (next == null) {
            connection.resumeReading();
        } else {
            shard.onReady(connection.loop(), this::ready);
        }
    }

    private boolean handOver(Append append) {
        if (append.completion().isExpired()) {
            // the producer was told that it is not stored: it will not be
            append.batches().release();
            return true;
        }
        return shard.produce(
                append.caller(), append.partition(), append.batches(), append.durability(), append.completion());
    }

    private void close() {
        closed = true;
        for (Append append : waiting) {
            append.batches().release();
        }
        waiting.clear();
    }
}
