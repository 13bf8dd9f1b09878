package io.sluice.routing.republish;

import io.sluice.log.LogException;
import io.sluice.queue.Republisher;
import io.sluice.shard.PublishBatch;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** Tells the core what became of the copy that it asked for, on the shard thread. */
record CopyCompletion(Executor executor, Republisher.Outcome outcome) implements PublishBatch.Completion {
    @Override
    public void completed(PublishBatch batch, @Nullable LogException error) {
        if (error == null) {
            outcome.settled();
        } else {
            outcome.failed(error);
        }
    }
}
