package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.sluice.access.Caller;
import io.sluice.engine.LogEngine;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.engine.ShardLease;
import io.sluice.io.Clock;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.queue.index.BlockStore;
import io.sluice.queue.state.RecoveredState;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The core shard: one thread that writes home partitions, streams and the queue journal, and runs all queues. A turn takes up
 * the inbox, ends the pass, feeds and dispatches queues, journals, and only then posts one task per event loop: nobody learns
 * of a delivery that the journal does not know.
 */
final class CoreShard implements ShardProxy, ShardLoop.Handler {
    private static final Logger LOG = LoggerFactory.getLogger(CoreShard.class);
    private static final long PAUSE_NANOS = 100_000;

    private final ShardLease lease;
    private final CoreSettings settings;
    private final ShardLoop loop;
    private final Runnable idle;
    private final LoopTasks out = new LoopTasks();
    private final DeliveryQueues queues;
    private final PublishPipeline pipeline;
    private final AtomicLong unfinishedBytes = new AtomicLong();
    private final ConcurrentLinkedQueue<Waiter> waiters = new ConcurrentLinkedQueue<>();
    private volatile boolean diskFull;
    private volatile boolean closed;

    private record Produce(
            PartitionId partition, ByteBuf batches, Durability durability, ProduceCompletion completion) {}

    private record Waiter(Executor executor, Runnable ready) {}

    CoreShard(
            LogEngine engine,
            ShardLease lease,
            LogPartition[] home,
            LogPartition state,
            RecoveredState recovered,
            BlockStore blocks,
            Clock clock,
            CoreSettings settings,
            @Nullable Runnable idle) {
        this.idle = idle == null ? CoreShard::pause : idle;
        this.lease = lease;
        this.settings = settings;
        loop = new ShardLoop("sluice-core", settings.inboxCapacity(), idle != null, this);
        MemoryLog memory = new MemoryLog();
        queues = new DeliveryQueues(clock, out, memory, home, recovered, engine.recovered(), blocks);
        pipeline = new PublishPipeline(
                lease,
                home,
                state,
                memory,
                clock,
                settings,
                queues,
                out,
                loop::signal,
                () -> diskFull,
                bytes -> unfinishedBytes.addAndGet(-bytes),
                recovered.nextOrder());
        queues.connect(loop, pipeline, new QueueJournal(state, pipeline, clock, settings), this);
        diskFull = engine.diskState() == DiskState.FULL;
        engine.onDiskState(this::diskChanged);
    }

    DeliveryQueues queues() {
        return queues;
    }

    /**
     * Writes the recovered state down before anything new is stored, so that no journal entry about an offset that the log
     * lost can ever meet a new message with this offset; then starts the thread.
     */
    void start() {
        boolean written = queues.checkpoint(idle);
        LogException failure = pipeline.failure();
        if (failure != null) {
            throw failure;
        }
        if (!written) {
            throw new LogException(Reason.DISK_FULL, "no space to write the queues down");
        }
        loop.start();
    }

    boolean isFailed() {
        return pipeline.failure() != null;
    }

    boolean step() {
        return loop.step();
    }

    void close() {
        closed = true;
        loop.stop();
    }

    @Override
    public boolean submit(PublishBatch batch) {
        long size = batch.sizeInBytes();
        unfinishedBytes.addAndGet(size);
        if (closed || !loop.offer(batch)) {
            unfinishedBytes.addAndGet(-size);
            if (!closed) {
                return false;
            }
            refuse(batch);
        }
        return true;
    }

    @Override
    public void commit(Transaction transaction) {
        unfinishedBytes.addAndGet(transaction.publishes().sizeInBytes());
        loop.put(transaction);
    }

    @Override
    public boolean produce(
            Caller caller,
            PartitionId partition,
            ByteBuf batches,
            Durability durability,
            ProduceCompletion completion) {
        Produce produce = new Produce(partition, batches, durability, completion);
        if (closed) {
            refuse(produce);
            return true;
        }
        int size = batches.readableBytes();
        if (unfinishedBytes.get() >= settings.unfinishedBytes()) {
            return false;
        }
        unfinishedBytes.addAndGet(size);
        if (!loop.offer(produce)) {
            unfinishedBytes.addAndGet(-size);
            return false;
        }
        return true;
    }

    @Override
    public boolean isCongested() {
        return unfinishedBytes.get() >= settings.unfinishedBytes() || loop.waiting() >= loop.capacity() / 2;
    }

    @Override
    public void onReady(Executor executor, Runnable ready) {
        waiters.add(new Waiter(executor, ready));
        loop.signal();
    }

    @Override
    public boolean inShard() {
        return loop.inLoop();
    }

    @Override
    public void execute(Runnable command) {
        loop.put(command);
    }

    @Override
    public void handle(Object message) {
        if (message instanceof PublishBatch batch) {
            pipeline.publish(batch);
        } else if (message instanceof ConsumerHandle.Flush flush) {
            flush.consumer.queue().apply(flush);
        } else if (message instanceof Transaction transaction) {
            pipeline.commit(transaction);
        } else if (message instanceof Produce produce) {
            pipeline.produce(produce.partition(), produce.batches(), produce.durability(), produce.completion());
        } else if (message instanceof Runnable command) {
            try {
                command.run();
            } catch (RuntimeException e) {
                LOG.error("Work given to the shard failed", e);
            }
        } else {
            throw new IllegalStateException("unknown message " + message.getClass());
        }
    }

    @Override
    public boolean endTurn() {
        queues.tick();
        pipeline.endTurn();
        boolean more = queues.endTurn();
        out.post();
        if (!waiters.isEmpty() && !isCongested()) {
            tellWaiters();
        }
        return more;
    }

    @Override
    public void failed(Throwable error) {
        LOG.error("The core shard met a broken invariant", error);
        LogException failure = new LogException(Reason.FENCED, "the shard stopped after an internal error: " + error);
        pipeline.failAll(failure);
        queues.endBarriers(failure);
        out.post();
    }

    @Override
    public long idleNanos() {
        return queues.idleNanos();
    }

    @Override
    public void stopped() {
        try {
            pipeline.drain(idle);
            queues.endTurn();
            if (pipeline.failure() == null) {
                queues.checkpoint(idle);
            }
        } catch (RuntimeException e) {
            LOG.error("The queues are not written down at the stop; the next start replays the journal", e);
        }
        pipeline.failAll(stopping());
        out.post();
        queues.stop();
        tellWaiters();
        lease.release();
    }

    /** Commands run, since they may hold what must be let go; nothing can be stored any more, which is what they find. */
    @Override
    public void late(Object message) {
        if (message instanceof PublishBatch batch) {
            refuse(batch);
        } else if (message instanceof Transaction transaction) {
            refuse(transaction.publishes());
        } else if (message instanceof Produce produce) {
            refuse(produce);
        } else if (message instanceof Runnable command) {
            command.run();
            out.post();
        }
    }

    private static void refuse(PublishBatch batch) {
        batch.releaseBuffer();
        batch.completion().executor().execute(() -> batch.completion().completed(batch, stopping()));
    }

    private static void refuse(Produce produce) {
        produce.batches().release();
        produce.completion().executor().execute(() -> produce.completion().completed(null, stopping()));
    }

    private void tellWaiters() {
        Waiter waiter;
        while ((waiter = waiters.poll()) != null) {
            try {
                waiter.executor().execute(waiter.ready());
            } catch (RejectedExecutionException e) {
                LOG.debug("A connection went before the shard was ready for it", e);
            }
        }
    }

    private void diskChanged(DiskState now) {
        diskFull = now == DiskState.FULL;
        loop.signal();
    }

    private static LogException stopping() {
        return new LogException(Reason.CLOSED, "the broker is stopping");
    }

    private static void pause() {
        LockSupport.parkNanos(PAUSE_NANOS);
    }
}
