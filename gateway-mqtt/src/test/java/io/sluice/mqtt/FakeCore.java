package io.sluice.mqtt;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.access.Caller;
import io.sluice.engine.LogEngine;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliverySink;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.QueueStats;
import io.sluice.queue.Queues;
import io.sluice.queue.Republisher;
import io.sluice.routing.catalog.RoutingBroker;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/** A shard thread with queues in memory and no log: enough to drive the gateway through real routing. */
final class FakeCore implements ShardProxy, Queues, AutoCloseable {
    final List<RecordView> stored = new java.util.concurrent.CopyOnWriteArrayList<>();
    final AtomicReference<LogException> refuseNext = new AtomicReference<>();
    private final Map<QueueId, FakeQueue> open = new ConcurrentHashMap<>();
    private final Map<StreamId, StreamInfo> streams = new ConcurrentHashMap<>();
    private final ExecutorService thread = Executors.newSingleThreadExecutor();
    private volatile Thread shardThread;
    private long nextOffset;

    final Clock clock = new Clock() {
        @Override
        public long epochMillis() {
            return System.currentTimeMillis();
        }

        @Override
        public long nanoTime() {
            return System.nanoTime();
        }
    };

    RoutingBroker broker() {
        return RoutingBroker.open(engine(), this, this, clock);
    }

    private LogEngine engine() {
        InvocationHandler handler = (proxy, method, args) -> switch (method.getName()) {
            case "clusterId" -> "test";
            case "createStream" -> {
                StreamInfo info =
                        new StreamInfo((StreamId) args[0], (String) args[1], (Integer) args[2], (StreamConfig) args[3]);
                streams.putIfAbsent(info.id(), info);
                yield CompletableFuture.completedFuture(streams.get(info.id()));
            }
            case "stream" -> streams.get(args[0]);
            case "streams" -> streams.values();
            case "partition" -> partition((PartitionId) args[0]);
            case "onDiskState" -> null;
            default -> throw new UnsupportedOperationException(method.getName());
        };
        return (LogEngine)
                Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {LogEngine.class}, handler);
    }

    private static LogPartition partition(PartitionId id) {
        InvocationHandler handler = (proxy, method, args) -> switch (method.getName()) {
            case "logStartOffset", "highWatermark", "logEndOffset", "lastStableOffset" -> 0L;
            case "addAdvanceListener", "removeAdvanceListener" -> null;
            case "id" -> id;
            default -> throw new UnsupportedOperationException(method.getName());
        };
        return (LogPartition)
                Proxy.newProxyInstance(FakeCore.class.getClassLoader(), new Class<?>[] {LogPartition.class}, handler);
    }

    @Override
    public void execute(Runnable task) {
        thread.execute(() -> {
            shardThread = Thread.currentThread();
            task.run();
        });
    }

    @Override
    public boolean submit(PublishBatch batch) {
        execute(() -> {
            LogException refusal = refuseNext.getAndSet(null);
            if (refusal == null) {
                store(batch);
            }
            batch.releaseBuffer();
            batch.completion().executor().execute(() -> batch.completion().completed(batch, refusal));
        });
        return true;
    }

    private void store(PublishBatch batch) {
        for (int i = 0; i < batch.size(); i++) {
            ByteBuf fields = Unpooled.buffer();
            fields.writeBytes(batch.buffer(), batch.start(i), batch.headerStart(i) - batch.start(i));
            RecordFields.writeVarint(fields, batch.headerCount(i));
            fields.writeBytes(batch.buffer(), batch.headerStart(i), batch.end(i) - batch.headerStart(i));
            OneRecord record = new OneRecord(fields, nextOffset++, batch.timestamp(i));
            RecordView view = new RecordView();
            record.record(record.baseOffset(), view);
            stored.add(view);
            for (int q = 0; q < batch.targets(i).queueCount(); q++) {
                FakeQueue queue = open.get(batch.targets(i).queue(q).id());
                if (queue != null) {
                    queue.ready.put(record.baseOffset(), new Ready(record, false));
                    queue.pump();
                }
            }
        }
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
        FakeQueue ref = new FakeQueue(spec);
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
    public void republisher(Republisher republisher) {}

    @Override
    public void close() {
        thread.shutdown();
        try {
            if (!thread.awaitTermination(5, java.util.concurrent.TimeUnit.SECONDS)) {
                throw new IllegalStateException("shard thread does not end");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private record Ready(OneRecord record, boolean redelivered) {}

    /** One consumer, credit, returns to the old place. */
    private final class FakeQueue implements QueueRef {
        private final QueueSpec spec;
        private final TreeMap<Long, Ready> ready = new TreeMap<>();
        private FakeConsumer consumer;

        FakeQueue(QueueSpec spec) {
            this.spec = spec;
        }

        void pump() {
            FakeConsumer c = consumer;
            if (c == null || c.credit <= 0 || ready.isEmpty()) {
                return;
            }
            DeliveryBatch batch = new DeliveryBatch();
            Iterator<Map.Entry<Long, Ready>> it = ready.entrySet().iterator();
            while (it.hasNext() && c.credit > 0) {
                Map.Entry<Long, Ready> next = it.next();
                it.remove();
                c.credit--;
                long id = c.nextId++;
                c.unsettled.put(id, next.getValue());
                batch.add(
                        id,
                        next.getValue().record(),
                        next.getKey(),
                        0,
                        next.getValue().redelivered());
            }
            c.sink.executor().execute(() -> c.sink.deliver(batch));
        }

        @Override
        public QueueConsumer attach(Caller caller, ConsumerSpec how, DeliverySink sink) {
            FakeConsumer c = new FakeConsumer(this, sink, how.initialCredit());
            execute(() -> {
                consumer = c;
                pump();
            });
            return c;
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
            return true;
        }

        @Override
        public CompletionStage<QueueStats> currentStats() {
            return CompletableFuture.completedFuture(stats());
        }

        @Override
        public QueueStats stats() {
            return new QueueStats(ready.size(), 0, consumer == null ? 0 : 1);
        }

        @Override
        public void touch() {}

        @Override
        public CompletionStage<Long> purge(Caller caller) {
            return CompletableFuture.completedFuture(0L);
        }
    }

    private final class FakeConsumer implements QueueConsumer {
        private final FakeQueue queue;
        private final DeliverySink sink;
        private final Map<Long, Ready> unsettled = new TreeMap<>();
        private int credit;
        private long nextId = 1;

        FakeConsumer(FakeQueue queue, DeliverySink sink, int credit) {
            this.queue = queue;
            this.sink = sink;
            this.credit = credit;
        }

        @Override
        public void credit(int n) {
            execute(() -> {
                credit += n;
                queue.pump();
            });
        }

        @Override
        public void ack(long deliveryId) {
            execute(() -> unsettled.remove(deliveryId));
        }

        @Override
        public void release(long deliveryId, boolean failed) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void reject(long deliveryId) {
            ack(deliveryId);
        }

        @Override
        public void flush() {}

        @Override
        public void barrier(Runnable applied) {
            execute(applied);
        }

        @Override
        public void stop() {
            execute(() -> credit = 0);
        }

        @Override
        public void drain(Runnable drained) {
            execute(() -> {
                queue.pump();
                credit = 0;
                sink.executor().execute(drained);
            });
        }

        @Override
        public void cancel() {
            execute(() -> {
                for (Ready r : new ArrayList<>(new ArrayDeque<>(unsettled.values()))) {
                    queue.ready.put(r.record().baseOffset(), new Ready(r.record(), true));
                }
                unsettled.clear();
                if (queue.consumer == this) {
                    queue.consumer = null;
                }
                queue.pump();
            });
        }
    }

    private static final class OneRecord extends AbstractReferenceCounted implements BatchView {
        private final ByteBuf fields;
        private final long offset;
        private final long timestamp;

        OneRecord(ByteBuf fields, long offset, long timestamp) {
            this.fields = fields;
            this.offset = offset;
            this.timestamp = timestamp;
        }

        @Override
        public long baseOffset() {
            return offset;
        }

        @Override
        public long lastOffset() {
            return offset;
        }

        @Override
        public int recordCount() {
            return 1;
        }

        @Override
        public boolean record(long wanted, RecordView into) {
            into.wrap(fields, 0, offset, timestamp);
            return wanted == offset;
        }

        @Override
        public void recordAt(int index, RecordView into) {
            record(offset, into);
        }

        @Override
        public BatchView retain() {
            super.retain();
            return this;
        }

        @Override
        protected void deallocate() {}

        @Override
        public ReferenceCounted touch(Object hint) {
            return this;
        }
    }
}
