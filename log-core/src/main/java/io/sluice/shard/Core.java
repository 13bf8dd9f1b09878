package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.sluice.engine.LogEngine;
import io.sluice.engine.ShardId;
import io.sluice.engine.ShardLease;
import io.sluice.io.Clock;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;
import io.sluice.queue.Queues;
import io.sluice.queue.index.BlockStore;
import io.sluice.queue.index.SpillingBlocks;
import io.sluice.queue.state.RecoveredState;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The running core: the shard that stores messages, and the queues on it. */
public final class Core implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Core.class);
    private static final int HOME_PARTITIONS = 8;

    /** Stream in which messages of queues are stored. */
    public static final StreamId HOME = internal("__home");

    /** Stream of the queue journal. */
    public static final StreamId STATE = internal("__state");

    private final CoreShard shard;

    private Core(CoreShard shard) {
        this.shard = shard;
    }

    /** Identity of an internal stream: derived from its name, so that it needs no catalog. */
    public static StreamId internal(String name) {
        return new StreamId(UUID.nameUUIDFromBytes(("sluice:" + name).getBytes(StandardCharsets.UTF_8)));
    }

    /**
     * Recovers the queues and starts the shard. Blocks for as long as recovery takes; which is bounded by the distance of
     * checkpoints.
     *
     * @throws LogException if the engine refuses, or the journal is damaged
     */
    public static Core start(LogEngine engine, Clock clock, CoreSettings settings) {
        return start(engine, clock, settings, null);
    }

    /** As above; with {@code idle} the shard has no thread: {@link #step} turns it, and where it waits it runs {@code idle}. */
    static Core start(LogEngine engine, Clock clock, CoreSettings settings, @Nullable Runnable idle) {
        engine.createStream(HOME, "__home", HOME_PARTITIONS, StreamConfig.HOME)
                .toCompletableFuture()
                .join();
        engine.createStream(STATE, "__state", 1, StreamConfig.JOURNAL)
                .toCompletableFuture()
                .join();
        ShardLease lease = engine.acquire(ShardId.CORE);
        boolean started = false;
        try {
            Core core = start(engine, lease, clock, settings, idle);
            started = true;
            return core;
        } finally {
            if (!started) {
                lease.release();
            }
        }
    }

    private static Core start(
            LogEngine engine, ShardLease lease, Clock clock, CoreSettings settings, @Nullable Runnable idle) {
        LogPartition[] home = new LogPartition[HOME_PARTITIONS];
        for (int i = 0; i < HOME_PARTITIONS; i++) {
            home[i] = writable(lease, new PartitionId(HOME, i));
        }
        LogPartition state = writable(lease, new PartitionId(STATE, 0));
        long before = clock.nanoTime();
        BlockStore blocks = new SpillingBlocks(
                engine.scratch(), settings.indexBytes(), settings.indexFileBytes(), settings.indexBlock());
        RecoveredState recovered = recover(home, state, blocks);
        CoreShard shard = new CoreShard(engine, lease, home, state, recovered, blocks, clock, settings, idle);
        int queues = recovered.size();
        shard.start();
        if (queues > 0) {
            LOG.info("Recovered {} queues in {} ms", queues, (clock.nanoTime() - before) / 1_000_000);
        }
        return new Core(shard);
    }

    public ShardProxy shard() {
        return shard;
    }

    public Queues queues() {
        return shard.queues();
    }

    /** True if nothing is stored any more until a restart. */
    boolean failed() {
        return shard.isFailed();
    }

    /** One turn of a shard without a thread; true if there is more to do at once. */
    boolean step() {
        return shard.step();
    }

    /** Completes what was taken up, writes the queues down and gives the lease back. The engine stays open. */
    @Override
    public void close() {
        shard.close();
    }

    private static RecoveredState recover(LogPartition[] home, LogPartition state, BlockStore blocks) {
        RecoveredState recovered = new RecoveredState(home.length, blocks);
        RecordView record = new RecordView();
        BatchScan.scan(state, state.logStartOffset(), batch -> {
            for (int i = 0; i < batch.recordCount(); i++) {
                batch.recordAt(i, record);
                ByteBuf value = record.valueSlice();
                recovered.apply(value);
            }
        });
        long[] start = new long[home.length];
        long[] end = new long[home.length];
        for (int p = 0; p < home.length; p++) {
            start[p] = home[p].logStartOffset();
            end[p] = home[p].logEndOffset();
            int partition = p;
            long from = Math.max(start[p], recovered.fedBelow(p));
            BatchScan.scan(home[p], from, batch -> replay(recovered, partition, from, batch, record));
        }
        recovered.finish(start, end);
        return recovered;
    }

    private static void replay(RecoveredState recovered, int partition, long from, BatchView batch, RecordView record) {
        for (int i = 0; i < batch.recordCount(); i++) {
            batch.recordAt(i, record);
            if (record.offset() >= from) {
                recovered.replay(partition, record, record.end() - record.keyStart());
            }
        }
    }

    private static LogPartition writable(ShardLease lease, PartitionId id) {
        LogPartition partition = lease.writable(id);
        if (partition == null) {
            throw new LogException(
                    LogException.Reason.STREAM_NOT_FOUND,
                    "internal partition " + id.index() + " of " + id.stream().uuid() + " is missing");
        }
        return partition;
    }
}
