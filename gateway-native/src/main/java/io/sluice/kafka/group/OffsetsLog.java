package io.sluice.kafka.group;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.engine.LogEngine;
import io.sluice.engine.ShardId;
import io.sluice.engine.ShardLease;
import io.sluice.log.AdvanceListener;
import io.sluice.log.Durability;
import io.sluice.log.Isolation;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.KafkaStorageException;
import org.apache.kafka.common.errors.NotLeaderOrFollowerException;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.coordinator.common.runtime.CoordinatorLoader;
import org.apache.kafka.coordinator.common.runtime.CoordinatorPlayback;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.common.runtime.Deserializer;
import org.apache.kafka.coordinator.common.runtime.PartitionWriter;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.VerificationGuard;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code __consumer_offsets} as the coordinator reads and writes it. The lease of shard {@code groups} is used by one thread
 * of this class only; the coordinator's event thread hands an append over and waits until it is staged (never for the disk),
 * since its interface is synchronous. The high watermark follows when the pass is durable.
 */
final class OffsetsLog implements PartitionWriter, CoordinatorLoader<CoordinatorRecord> {
    private static final Logger LOG = LoggerFactory.getLogger(OffsetsLog.class);
    private static final int LOAD_BYTES = 1 << 20;

    private final LogEngine engine;
    private final StreamId stream;
    private final LogConfig config;
    private final Deserializer<CoordinatorRecord> deserializer;
    private final ExecutorService shard;
    private final Map<Listening, AdvanceListener> listeners = new ConcurrentHashMap<>();
    private final AtomicBoolean pollDue = new AtomicBoolean();
    private @Nullable ShardLease lease;

    private record Listening(TopicPartition partition, Listener listener) {}

    OffsetsLog(LogEngine engine, StreamId stream, int maxBatchBytes, Deserializer<CoordinatorRecord> deserializer) {
        this.engine = engine;
        this.stream = stream;
        this.config = new LogConfig(
                Map.of("max.message.bytes", Integer.toString(maxBatchBytes), "cleanup.policy", "compact"));
        this.deserializer = deserializer;
        this.shard = Executors.newSingleThreadExecutor(task -> {
            Thread thread = new Thread(task, "sluice-groups");
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Becomes the writer. */
    void open() {
        onShard(() -> lease = engine.acquire(ShardId.GROUPS));
    }

    private PartitionId id(TopicPartition partition) {
        return new PartitionId(stream, partition.partition());
    }

    private LogPartition partition(TopicPartition partition) {
        LogPartition found = engine.partition(id(partition));
        if (found == null) {
            throw new NotLeaderOrFollowerException("no partition " + partition);
        }
        return found;
    }

    @Override
    public void registerListener(TopicPartition partition, Listener listener) {
        AdvanceListener advance = (log, highWatermark) -> listener.onHighWatermarkUpdated(partition, highWatermark);
        listeners.put(new Listening(partition, listener), advance);
        partition(partition).addAdvanceListener(advance);
    }

    @Override
    public void deregisterListener(TopicPartition partition, Listener listener) {
        AdvanceListener advance = listeners.remove(new Listening(partition, listener));
        if (advance != null) {
            partition(partition).removeAdvanceListener(advance);
        }
    }

    @Override
    public LogConfig config(TopicPartition partition) {
        return config;
    }

    @Override
    public long append(TopicPartition partition, VerificationGuard guard, MemoryRecords records, short version) {
        // The coordinator uses its buffer again at once, the log keeps its own until it is synced.
        ByteBuffer bytes = records.buffer();
        ByteBuf copy = PooledByteBufAllocator.DEFAULT.directBuffer(bytes.remaining());
        copy.writeBytes(bytes.duplicate());
        long[] end = new long[1];
        onShard(() -> end[0] = stage(partition, copy));
        return end[0];
    }

    private long stage(TopicPartition partition, ByteBuf records) {
        ShardLease writer = lease();
        LogPartition log = writer.writable(id(partition));
        if (log == null) {
            records.release();
            throw new NotLeaderOrFollowerException("no partition " + partition);
        }
        LogPartition.Appended appended = log.append(records, Durability.GROUP);
        writer.commit(this::pollLater);
        return appended.lastOffset() + 1;
    }

    private void pollLater() {
        if (pollDue.compareAndSet(false, true)) {
            try {
                shard.execute(this::poll);
            } catch (RejectedExecutionException e) {
                LOG.debug("groups are closed: a finished pass is taken up at the next start");
            }
        }
    }

    private void poll() {
        pollDue.set(false);
        try {
            lease().poll();
        } catch (LogException e) {
            LOG.error("committed offsets can no longer be stored: {}", e.getMessage());
        }
    }

    private ShardLease lease() {
        ShardLease current = lease;
        if (current == null) {
            throw new NotLeaderOrFollowerException("consumer groups are closed");
        }
        return current;
    }

    @Override
    public CompletableFuture<VerificationGuard> maybeStartTransactionVerification(
            TopicPartition partition, String transactionalId, long producerId, short producerEpoch, int version) {
        return CompletableFuture.failedFuture(new KafkaException("transactions are not available"));
    }

    @Override
    public CompletableFuture<Void> deleteRecords(TopicPartition partition, long before) {
        return CompletableFuture.runAsync(
                () -> {
                    LogPartition log = lease().writable(id(partition));
                    if (log != null) {
                        log.truncatePrefix(before);
                    }
                },
                shard);
    }

    @Override
    public CompletableFuture<LoadSummary> load(
            TopicPartition partition, CoordinatorPlayback<CoordinatorRecord> playback) {
        long asked = Time.SYSTEM.milliseconds();
        return CompletableFuture.supplyAsync(() -> replay(partition, playback, asked), engine.readerPool());
    }

    private LoadSummary replay(TopicPartition partition, CoordinatorPlayback<CoordinatorRecord> playback, long asked) {
        long start = Time.SYSTEM.milliseconds();
        LogPartition log = partition(partition);
        long offset = log.logStartOffset();
        long records = 0;
        long bytes = 0;
        boolean more = true;
        while (more) {
            ByteBuffer chunk = read(log, offset);
            long next = offset;
            for (RecordBatch batch : MemoryRecords.readableRecords(chunk).batches()) {
                records += replay(batch, playback);
                bytes += batch.sizeInBytes();
                next = batch.nextOffset();
                playback.updateLastWrittenOffset(next);
                playback.updateLastCommittedOffset(Math.min(next, log.highWatermark()));
            }
            more = next > offset;
            offset = next;
        }
        return new LoadSummary(asked, Time.SYSTEM.milliseconds(), start - asked, records, bytes);
    }

    private int replay(RecordBatch batch, CoordinatorPlayback<CoordinatorRecord> playback) {
        int records = 0;
        if (!batch.isControlBatch()) {
            // in its place the log marks what belongs together
            long producer = batch.hasProducerId() ? batch.producerId() : RecordBatch.NO_PRODUCER_ID;
            for (Record record : batch) {
                playback.replay(
                        record.offset(),
                        producer,
                        batch.producerEpoch(),
                        deserializer.deserialize(record.key(), record.value()));
                records++;
            }
        }
        return records;
    }

    private static ByteBuffer read(LogPartition log, long offset) {
        LogSlice slice = log.read(offset, LOAD_BYTES, Isolation.LOG_END);
        try {
            ByteBuffer bytes = ByteBuffer.allocate(slice.sizeInBytes());
            slice.readFully(0, bytes);
            return bytes.flip();
        } catch (IOException e) {
            throw new KafkaStorageException("cannot read committed offsets at " + offset, e);
        } finally {
            slice.release();
        }
    }

    /** Runs on the writer's thread and waits; failures come back in Kafka's terms. */
    private void onShard(Runnable task) {
        Future<?> done;
        try {
            done = shard.submit(task);
        } catch (RejectedExecutionException e) {
            throw new NotLeaderOrFollowerException("consumer groups are closed");
        }
        try {
            done.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new KafkaException("interrupted", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof KafkaException kafka) {
                throw kafka;
            }
            throw new KafkaStorageException("committed offsets cannot be stored", e.getCause());
        }
    }

    @Override
    public void close() {
        if (!shard.isShutdown()) {
            onShard(() -> {
                ShardLease current = lease;
                lease = null;
                if (current != null) {
                    current.release();
                }
            });
            shard.shutdown();
        }
    }
}
