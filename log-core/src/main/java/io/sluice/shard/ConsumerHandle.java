package io.sluice.shard;

import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueRef.ConsumerSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** A consumer's end of a queue: gathers settlements on its event loop and hands them over in one message per flush. */
final class ConsumerHandle implements QueueConsumer {
    static final int ACK = 0;
    static final int RELEASE = 1;
    static final int FAILED = 2;
    static final int REJECT = 3;
    /** The time follows. */
    static final int RELEASE_UNTIL = 4;

    static final int FAILED_UNTIL = 5;
    static final int RENEW = 6;
    static final int KIND_BITS = 3;

    static boolean hasTime(int kind) {
        return kind == RELEASE_UNTIL || kind == FAILED_UNTIL;
    }

    private static final int FIRST_CAPACITY = 16;

    private final ShardLoop loop;
    private final DeliveryQueue queue;
    private final ConsumerSpec spec;
    private final DeliverySink sink;

    // event loop
    private long[] settlements = new long[FIRST_CAPACITY];
    private int count;
    private int credit;

    // shard
    int slot = -1;

    @Nullable
    DeliveryBatch open;

    final List<Runnable> draining = new ArrayList<>(0);

    /** Settlements and credit of one flush: each settlement is delivery id times eight plus the kind, and a time for some kinds. */
    static final class Flush {
        final ConsumerHandle consumer;
        final long[] settlements;
        final int count;
        final int credit;
        /** Who wants to know what is refused. */
        final @Nullable CompletableFuture<long[]> refused;

        Flush(
                ConsumerHandle consumer,
                long[] settlements,
                int count,
                int credit,
                @Nullable CompletableFuture<long[]> refused) {
            this.consumer = consumer;
            this.settlements = settlements;
            this.count = count;
            this.credit = credit;
            this.refused = refused;
        }
    }

    ConsumerHandle(ShardLoop loop, DeliveryQueue queue, ConsumerSpec spec, DeliverySink sink) {
        this.loop = loop;
        this.queue = queue;
        this.spec = spec;
        this.sink = sink;
    }

    DeliveryQueue queue() {
        return queue;
    }

    ConsumerSpec spec() {
        return spec;
    }

    DeliverySink sink() {
        return sink;
    }

    @Override
    public void credit(int n) {
        if (n > 0) {
            credit = n > Integer.MAX_VALUE - credit ? Integer.MAX_VALUE : credit + n;
        }
    }

    @Override
    public void ack(long deliveryId) {
        settle(deliveryId, ACK);
    }

    @Override
    public void release(long deliveryId, boolean failed) {
        settle(deliveryId, failed ? FAILED : RELEASE);
    }

    @Override
    public void releaseUntil(long deliveryId, boolean failed, long due) {
        settle(deliveryId, failed ? FAILED_UNTIL : RELEASE_UNTIL);
        add(due);
    }

    @Override
    public void reject(long deliveryId) {
        settle(deliveryId, REJECT);
    }

    @Override
    public void renew(long deliveryId) {
        settle(deliveryId, RENEW);
    }

    @Override
    public void flush() {
        handOver(null);
    }

    @Override
    public CompletionStage<long[]> flushAnswered() {
        CompletableFuture<long[]> refused = new CompletableFuture<>();
        handOver(refused);
        return refused;
    }

    private void handOver(@Nullable CompletableFuture<long[]> refused) {
        if (count > 0 || credit > 0 || refused != null) {
            Flush flush = new Flush(this, settlements, count, credit, refused);
            if (count > 0) {
                settlements = new long[Math.max(FIRST_CAPACITY, Math.min(1024, count))];
                count = 0;
            }
            credit = 0;
            loop.put(flush);
        }
    }

    @Override
    public CompletionStage<@Nullable Void> barrier() {
        flush();
        CompletableFuture<@Nullable Void> applied = new CompletableFuture<>();
        loop.put((Runnable) () -> queue.barrier(applied));
        return applied;
    }

    @Override
    public void stop() {
        flush();
        loop.put((Runnable) () -> queue.stop(this));
    }

    @Override
    public void retire() {
        flush();
        loop.put((Runnable) () -> queue.retire(this));
    }

    @Override
    public void drain(Runnable drained) {
        flush();
        loop.put((Runnable) () -> queue.drain(this, drained));
    }

    @Override
    public void cancel() {
        flush();
        loop.put((Runnable) () -> queue.cancel(this));
    }

    private void settle(long deliveryId, int kind) {
        add(deliveryId << KIND_BITS | kind);
    }

    private void add(long value) {
        if (count == settlements.length) {
            settlements = Arrays.copyOf(settlements, count * 2);
        }
        settlements[count++] = value;
    }
}
