package io.sluice.shard;

import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.DeliverySink;
import java.util.ArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All that one pass has to tell one event loop: confirms, then deliveries, then the rest. Filled by the shard, run by the loop. */
final class LoopTask implements Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(LoopTask.class);

    private final Executor executor;
    private final ArrayList<PublishBatch> published = new ArrayList<>();
    private final ArrayList<@Nullable LogException> publishErrors = new ArrayList<>();
    private final ArrayList<Produced> produced = new ArrayList<>();
    private final ArrayList<DeliverySink> sinks = new ArrayList<>();
    private final ArrayList<DeliveryBatch> deliveries = new ArrayList<>();
    private final ArrayList<Runnable> others = new ArrayList<>();

    private record Produced(
            ShardProxy.ProduceCompletion completion,
            LogPartition.@Nullable Appended appended,
            @Nullable LogException error) {}

    LoopTask(Executor executor) {
        this.executor = executor;
    }

    Executor executor() {
        return executor;
    }

    void published(PublishBatch batch, @Nullable LogException error) {
        published.add(batch);
        publishErrors.add(error);
    }

    void produced(
            ShardProxy.ProduceCompletion completion,
            LogPartition.@Nullable Appended appended,
            @Nullable LogException error) {
        produced.add(new Produced(completion, appended, error));
    }

    void deliver(DeliverySink sink, DeliveryBatch batch) {
        sinks.add(sink);
        deliveries.add(batch);
    }

    void then(Runnable other) {
        others.add(other);
    }

    /** Hands the task to its executor; one that is shut down has no connection left to tell. */
    void post() {
        try {
            executor.execute(this);
        } catch (RejectedExecutionException e) {
            for (DeliveryBatch batch : deliveries) {
                batch.release();
            }
        }
    }

    @Override
    public void run() {
        for (int i = 0; i < published.size(); i++) {
            try {
                PublishBatch batch = published.get(i);
                batch.completion().completed(batch, publishErrors.get(i));
            } catch (RuntimeException e) {
                LOG.error("A publish completion failed", e);
            }
        }
        for (Produced done : produced) {
            try {
                done.completion().completed(done.appended(), done.error());
            } catch (RuntimeException e) {
                LOG.error("A produce completion failed", e);
            }
        }
        for (int i = 0; i < sinks.size(); i++) {
            handOver(sinks.get(i), deliveries.get(i));
        }
        for (Runnable other : others) {
            try {
                other.run();
            } catch (RuntimeException e) {
                LOG.error("A consumer notice failed", e);
            }
        }
    }

    private static void handOver(DeliverySink sink, DeliveryBatch batch) {
        try {
            sink.deliver(batch);
        } catch (RuntimeException e) {
            LOG.error("A consumer failed to take its deliveries; its connection is closed", e);
            try {
                sink.failed(e);
            } catch (RuntimeException again) {
                LOG.error("A consumer that failed could not be closed", again);
            }
        }
    }
}
