package io.sluice.routing.catalog;

import io.netty.buffer.ByteBuf;
import io.sluice.access.Caller;
import io.sluice.engine.LogEngine;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.MessageSelector;
import io.sluice.queue.QueueBrowser;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.QueueStats;
import io.sluice.queue.Queues;
import io.sluice.queue.Republisher;
import io.sluice.queue.TargetSet;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import io.sluice.shard.Transaction;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/** A shard, queues and an engine without storage, for tests of the catalog's rules. */
final class FakeCore implements ShardProxy, Queues, AutoCloseable {
    final List<PublishBatch> appended = new ArrayList<>();
    private final Queue<PublishBatch> submitted = new ConcurrentLinkedQueue<>();
    final AtomicReference<LogException> refuseNext = new AtomicReference<>();
    final Map<QueueId, QueueRef> open = new ConcurrentHashMap<>();
    final Map<StreamId, StreamInfo> streams;
    private final Disk disk;

    /** What outlives a broker: streams, and the messages that queues were given. */
    static final class Disk {
        final Map<StreamId, StreamInfo> streams = new ConcurrentHashMap<>();
        final Map<PartitionId, FakeLog> logs = new ConcurrentHashMap<>();
        final Map<Long, List<ByteBuf>> queued = new ConcurrentHashMap<>();
        /** Messages that may still be stored until the power goes. */
        volatile int untilCrash = Integer.MAX_VALUE;
    }

    FakeCore() {
        this(new Disk());
    }

    FakeCore(Disk disk) {
        this.disk = disk;
        this.streams = disk.streams;
    }

    final Clock clock = new Clock() {
        @Override
        public long epochMillis() {
            return 1_000_000;
        }

        @Override
        public long nanoTime() {
            return 0;
        }
    };
    private final ExecutorService thread = Executors.newSingleThreadExecutor();
    volatile Republisher republisher;
    private volatile Thread shardThread;

    RoutingBroker broker() {
        return RoutingBroker.open(engine(), this, this, clock);
    }

    LogEngine engine() {
        InvocationHandler handler = (proxy, method, args) -> switch (method.getName()) {
            case "clusterId" -> "test";
            case "createStream" -> {
                StreamInfo info =
                        new StreamInfo((StreamId) args[0], (String) args[1], (Integer) args[2], (StreamConfig) args[3]);
                streams.putIfAbsent(info.id(), info);
                yield CompletableFuture.completedFuture(streams.get(info.id()));
            }
            case "addPartitions" -> {
                StreamInfo old = streams.get(args[0]);
                StreamInfo info = new StreamInfo(old.id(), old.name(), (Integer) args[1], old.config());
                streams.put(info.id(), info);
                yield CompletableFuture.completedFuture(info);
            }
            case "deleteStream" -> {
                streams.remove(args[0]);
                yield CompletableFuture.completedFuture(null);
            }
            case "stream" -> streams.get(args[0]);
            case "streams" -> streams.values();
            case "partition" -> log((PartitionId) args[0]).partition();
            case "onDiskState" -> null;
            default -> throw new UnsupportedOperationException(method.getName());
        };
        return (LogEngine)
                Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {LogEngine.class}, handler);
    }

    FakeLog log(PartitionId id) {
        return disk.logs.computeIfAbsent(id, FakeLog::new);
    }

    @Override
    public void execute(Runnable task) {
        if (thread.isShutdown()) {
            return;
        }
        thread.execute(() -> {
            shardThread = Thread.currentThread();
            task.run();
        });
    }

    @Override
    public boolean submit(PublishBatch batch) {
        submitted.add(batch);
        if (thread.isShutdown()) {
            batch.releaseBuffer();
        }
        execute(() -> {
            LogException refusal = refuseNext.getAndSet(null);
            if (refusal != null) {
                batch.releaseBuffer();
            } else {
                if (disk.untilCrash-- <= 0) {
                    return; // nothing of it was stored, nobody is told
                }
                appended.add(batch);
                store(batch);
                if (disk.untilCrash <= 0) {
                    return; // stored, but nobody is told
                }
            }
            batch.completion().executor().execute(() -> batch.completion().completed(batch, refusal));
        });
        return true;
    }

    private void store(PublishBatch batch) {
        Set<FakeLog> grown = new LinkedHashSet<>();
        for (int i = 0; i < batch.size(); i++) {
            TargetSet targets = batch.targets(i);
            for (int q = 0; q < targets.queueCount(); q++) {
                disk.queued
                        .computeIfAbsent(targets.queue(q).id().value(), id -> new CopyOnWriteArrayList<>())
                        .add(FakeLog.copy(batch, i));
            }
            for (int t = 0; t < targets.streamCount(); t++) {
                FakeLog log = log(targets.stream(t).partition(batch.orderHash(i)));
                log.append(batch, i);
                grown.add(log);
            }
        }
        batch.releaseBuffer();
        grown.forEach(FakeLog::advance);
    }

    /** The broker's process is gone: nothing of it runs again. */
    void kill() {
        thread.shutdownNow();
        disk.logs.values().forEach(FakeLog::dropListeners);
        try {
            if (!thread.awaitTermination(10, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the shard goes on after its end");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        submitted.forEach(PublishBatch::releaseBuffer);
    }

    @Override
    public void commit(Transaction transaction) {
        throw new AssertionError("no transaction was expected");
    }

    @Override
    public boolean produce(Caller caller, PartitionId p, ByteBuf b, Durability d, ProduceCompletion completion) {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean isCongested() {
        return false;
    }

    @Override
    public void onReady(Executor executor, Runnable ready) {
        executor.execute(ready);
    }

    @Override
    public boolean inShard() {
        return Thread.currentThread() == shardThread;
    }

    @Override
    public CompletionStage<QueueRef> open(QueueSpec spec) {
        QueueRef ref = new FakeQueue(spec);
        open.put(spec.id(), ref);
        return CompletableFuture.completedFuture(ref);
    }

    @Override
    public void onExpired(Consumer<QueueSpec> listener) {}

    @Override
    public CompletionStage<Integer> dropUnopened() {
        return CompletableFuture.completedFuture(0);
    }

    @Override
    public CompletionStage<Long> delete(QueueId id) {
        open.remove(id);
        return CompletableFuture.completedFuture(0L);
    }

    @Override
    public QueueRef find(QueueId id) {
        return open.get(id);
    }

    @Override
    public void republisher(Republisher target) {
        republisher = target;
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }

    @Override
    public void reconfigure(QueueId id, QueuePolicy policy) {
        if (open.get(id) instanceof FakeQueue queue) {
            queue.spec = queue.spec.with(policy);
        }
    }

    private static final class FakeQueue implements QueueRef {
        private volatile QueueSpec spec;

        FakeQueue(QueueSpec spec) {
            this.spec = spec;
        }

        @Override
        public QueueSpec spec() {
            return spec;
        }

        @Override
        public QueueId id() {
            return spec.id();
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public CompletionStage<QueueStats> currentStats() {
            return CompletableFuture.completedFuture(stats());
        }

        @Override
        public int publishPauseMillis() {
            return 0;
        }

        @Override
        public QueueStats stats() {
            return new QueueStats(0, 0, 0);
        }

        @Override
        public QueueConsumer attach(Caller caller, ConsumerSpec consumer, DeliverySink sink) {
            throw new UnsupportedOperationException();
        }

        @Override
        public QueueBrowser browse(
                Caller caller, MessageSelector selector, int credit, DeliverySink sink, Runnable ended) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void touch() {}

        @Override
        public CompletionStage<Long> purge(Caller caller) {
            return CompletableFuture.completedFuture(0L);
        }
    }
}
