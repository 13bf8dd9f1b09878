package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.sluice.access.Caller;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * The only way to a shard from another thread: messages to its bounded inbox. Every {@code submit} says whether it was taken;
 * a refusal is counted and means the shard is overloaded: the caller stops reading its connection and offers again when {@link
 * #onReady} runs. {@link #execute} is for control work and always accepted.
 */
public interface ShardProxy extends Executor {
    /** Hands over routed messages. On true the shard owns the batch. */
    boolean submit(PublishBatch batch);

    /**
     * Commits a transaction: the completion of its batch tells, once everything is durable, or that nothing of it has happened; then
     * deliveries that it was to settle are with their consumers or, if the log refused late, back at their places. Always taken: who
     * collects transactions bounds them.
     */
    void commit(Transaction transaction);

    /**
     * Hands over batches that a Kafka client produced for one partition (already validated). Takes over one reference on true.
     */
    boolean produce(
            Caller caller, PartitionId partition, ByteBuf batches, Durability durability, ProduceCompletion completion);

    /** True while the inbox or the memory of unfinished publishes is above its bound: stop reading publishers. */
    boolean isCongested();

    /** Runs {@code ready} once on {@code executor} as soon as the shard is no longer congested. */
    void onReady(Executor executor, Runnable ready);

    /** True on the shard's own thread. */
    boolean inShard();

    /** Told about a {@link #produce}; completions of one executor share one task per pass. */
    interface ProduceCompletion {
        Executor executor();

        /** Runs on {@link #executor}: exactly one of the two arguments is null. */
        void completed(LogPartition.@Nullable Appended appended, @Nullable LogException error);
    }
}
