package io.sluice.shard;

import io.sluice.access.Caller;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.MessageSelector;
import io.sluice.queue.QueueBrowser;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.QueueStats;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** A queue as other threads see it. */
final class QueueHandle implements QueueRef {
    private final ShardLoop loop;
    private final DeliveryQueue queue;
    private volatile QueueSpec spec;
    private volatile boolean open = true;
    private volatile QueueStats stats = QueueStats.NONE;
    private volatile int publishPause;

    QueueHandle(QueueSpec spec, ShardLoop loop, DeliveryQueues queues) {
        this.spec = spec;
        this.loop = loop;
        this.queue = new DeliveryQueue(this, queues);
    }

    DeliveryQueue queue() {
        return queue;
    }

    /** Shard thread. */
    void policy(QueuePolicy policy) {
        spec = spec.with(policy);
    }

    /** Shard thread. */
    void publish(long ready, long unacked, int consumers) {
        QueueStats before = stats;
        if (before.ready() != ready || before.unacked() != unacked || before.consumers() != consumers) {
            QueueStats now = new QueueStats(ready, unacked, consumers);
            stats = now.equals(QueueStats.NONE) ? QueueStats.NONE : now;
        }
    }

    /** Shard thread. */
    void publishPause(int millis) {
        if (publishPause != millis) {
            publishPause = millis;
        }
    }

    /** Shard thread. */
    void close() {
        open = false;
    }

    @Override
    public QueueId id() {
        return spec.id();
    }

    @Override
    public QueueSpec spec() {
        return spec;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public QueueStats stats() {
        return stats;
    }

    @Override
    public int publishPauseMillis() {
        return publishPause;
    }

    @Override
    public CompletionStage<QueueStats> currentStats() {
        CompletableFuture<QueueStats> current = new CompletableFuture<>();
        loop.put((Runnable) () -> queue.currentStats(current));
        return current;
    }

    @Override
    public QueueConsumer attach(Caller caller, ConsumerSpec consumer, DeliverySink sink) {
        ConsumerHandle handle = new ConsumerHandle(loop, queue, consumer, sink);
        loop.put((Runnable) () -> queue.attach(handle));
        return handle;
    }

    @Override
    public QueueBrowser browse(
            Caller caller, @Nullable MessageSelector selector, int credit, DeliverySink sink, Runnable ended) {
        Browse browse = new Browse(loop, queue, selector, credit, sink, ended);
        loop.put((Runnable) () -> queue.browse(browse));
        return browse;
    }

    @Override
    public void touch() {
        if (spec.policy().expires() >= 0) {
            loop.put((Runnable) queue::touch);
        }
    }

    @Override
    public CompletionStage<Long> purge(Caller caller) {
        CompletableFuture<Long> purged = new CompletableFuture<>();
        loop.put((Runnable) () -> queue.purge(purged));
        return purged;
    }
}
