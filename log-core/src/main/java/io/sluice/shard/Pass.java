package io.sluice.shard;

import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What is committed together: open batches per partition, and in publish order the messages that queues will refer to.
 * Reused. Shard thread.
 */
final class Pass {
    final ArrayList<PublishBatch> publishes = new ArrayList<>();
    final ArrayList<ProduceTask> produces = new ArrayList<>();
    final ArrayList<Runnable> followers = new ArrayList<>();
    final @Nullable OpenBatch[] home;
    final ArrayList<StreamBatch> streams = new ArrayList<>();

    @Nullable
    OpenBatch state;

    @Nullable
    MemoryBatch memory;

    @Nullable
    LogException error;

    /** Told whether the pass has their journal record. */
    final ArrayList<Consumer<@Nullable LogException>> journaled = new ArrayList<>(0);

    /** Why the pass has no journal record; null if it has all. */
    @Nullable
    LogException stateError;

    long number;
    long bytes;
    long publishBytes;

    // messages for queues, in publish order; a null source = the memory batch
    int messages;

    @Nullable
    TargetSet[] targets = new TargetSet[64];

    @Nullable
    OpenBatch[] sources = new OpenBatch[64];

    int[] records = new int[64];
    int[] sizes = new int[64];

    /** A produced batch and what became of it. */
    record ProduceTask(ShardProxy.ProduceCompletion completion, LogPartition.Appended appended) {}

    /** The open batch of a bound stream's partition. */
    record StreamBatch(StreamTarget target, int partition, OpenBatch batch) {}

    Pass(int homePartitions) {
        home = new OpenBatch[homePartitions];
    }

    boolean isEmpty() {
        return publishes.isEmpty() && produces.isEmpty() && followers.isEmpty() && state == null;
    }

    void add(TargetSet target, @Nullable OpenBatch source, int record, int size) {
        if (messages == records.length) {
            int capacity = messages * 2;
            targets = Arrays.copyOf(targets, capacity);
            sources = Arrays.copyOf(sources, capacity);
            records = Arrays.copyOf(records, capacity);
            sizes = Arrays.copyOf(sizes, capacity);
        }
        targets[messages] = target;
        sources[messages] = source;
        records[messages] = record;
        sizes[messages] = size;
        messages++;
    }

    /** Makes the object ready for the next pass. */
    void reset() {
        publishes.clear();
        produces.clear();
        followers.clear();
        journaled.clear();
        stateError = null;
        Arrays.fill(home, null);
        streams.clear();
        state = null;
        memory = null;
        error = null;
        number = 0;
        bytes = 0;
        publishBytes = 0;
        Arrays.fill(targets, 0, messages, null);
        Arrays.fill(sources, 0, messages, null);
        messages = 0;
    }
}
