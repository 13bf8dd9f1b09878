package io.sluice.routing.republish;

import io.sluice.log.LogException;
import io.sluice.queue.Republisher.Outcome;
import io.sluice.routing.DirectDispatch;
import io.sluice.routing.DirectMessage;
import io.sluice.routing.Route;
import io.sluice.shard.PublishBatch;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Tells the core what became of the copy that it asked for. Direct subscribers get theirs only then: a copy that is refused is
 * asked for again, and they must not see it each time. Shard thread.
 */
final class CopyCompletion implements PublishBatch.Completion {
    private final Executor shard;
    private final DirectDispatch dispatch;
    private final Route route;
    private final Outcome outcome;
    private @Nullable DirectMessage direct;

    CopyCompletion(Executor shard, DirectDispatch dispatch, Route route, Outcome outcome) {
        this.shard = shard;
        this.dispatch = dispatch;
        this.route = route;
        this.outcome = outcome;
    }

    Outcome outcome() {
        return outcome;
    }

    /** What the route's direct subscribers get; taken over. */
    void direct(DirectMessage message) {
        direct = message;
    }

    @Override
    public Executor executor() {
        return shard;
    }

    @Override
    public void completed(PublishBatch batch, @Nullable LogException error) {
        completed(error);
    }

    /** The copy is stored, or there was nothing to store; or why it is not. */
    void completed(@Nullable LogException error) {
        DirectMessage message = direct;
        if (message != null) {
            if (error == null) {
                dispatch.add(message, route);
                dispatch.flush();
            }
            message.release();
        }
        if (error == null) {
            outcome.settled();
        } else {
            outcome.failed(error);
        }
    }
}
