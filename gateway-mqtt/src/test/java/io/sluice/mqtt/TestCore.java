package io.sluice.mqtt;

import io.netty.buffer.ByteBuf;
import io.sluice.access.Caller;
import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.Clock;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.SystemClock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.PartitionId;
import io.sluice.routing.catalog.RoutingBroker;
import io.sluice.shard.Core;
import io.sluice.shard.CoreSettings;
import io.sluice.shard.PublishBatch;
import io.sluice.shard.ShardProxy;
import io.sluice.shard.Transaction;
import java.nio.file.Path;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicReference;

/** The real log and core in a directory, which can be told to refuse a publish. */
final class TestCore implements AutoCloseable {
    /** Given instead of storing the next batch; then empty again. */
    final AtomicReference<LogException> refuseNext = new AtomicReference<>();

    private final Clock clock = new SystemClock();
    private final LocalLogEngine engine;
    private final Core core;

    TestCore(Path directory) {
        LocalLogSettings log = LocalLogSettings.DEFAULT;
        engine = LocalLogEngine.open(
                directory,
                new LocalLogSettings(
                        log.nodeId(),
                        4 << 20,
                        log.checkpointMillis(),
                        log.checkpointBytes(),
                        log.tailCacheBytes(),
                        log.decodedCacheBytes(),
                        log.maxDecodedBytes(),
                        log.openFiles(),
                        log.readerThreads(),
                        log.warmBytes(),
                        log.retentionMillis(),
                        log.compactionBytes(),
                        log.producerIdleMillis(),
                        log.diskCheckMillis(),
                        1 << 20,
                        2 << 20),
                new DiskFileSystem(),
                clock);
        core = Core.start(engine, clock, CoreSettings.DEFAULT);
    }

    RoutingBroker broker() {
        return RoutingBroker.open(engine, new Refusing(core.shard()), core.queues(), clock);
    }

    @Override
    public void close() {
        core.close();
        engine.close();
    }

    private final class Refusing implements ShardProxy {
        private final ShardProxy shard;

        Refusing(ShardProxy shard) {
            this.shard = shard;
        }

        @Override
        public boolean submit(PublishBatch batch) {
            LogException refusal = refuseNext.getAndSet(null);
            if (refusal == null) {
                return shard.submit(batch);
            }
            batch.releaseBuffer();
            batch.completion().executor().execute(() -> batch.completion().completed(batch, refusal));
            return true;
        }

        @Override
        public void commit(Transaction transaction) {
            shard.commit(transaction);
        }

        @Override
        public boolean produce(
                Caller caller,
                PartitionId partition,
                ByteBuf batches,
                Durability durability,
                ProduceCompletion completion) {
            return shard.produce(caller, partition, batches, durability, completion);
        }

        @Override
        public boolean isCongested() {
            return shard.isCongested();
        }

        @Override
        public void onReady(Executor executor, Runnable ready) {
            shard.onReady(executor, ready);
        }

        @Override
        public boolean inShard() {
            return shard.inShard();
        }

        @Override
        public void execute(Runnable command) {
            shard.execute(command);
        }
    }
}
