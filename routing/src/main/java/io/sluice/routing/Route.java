package io.sluice.routing;

import io.sluice.queue.TargetSet;
import java.util.concurrent.Executor;

/**
 * Where a message goes: stored targets and direct subscribers. Immutable and shared.
 *
 * @param stored queues and streams
 * @param direct subscribers served loop to loop, grouped by their loop
 */
@SuppressWarnings("ArrayRecordComponent") // shared immutable route data; compared by identity only
public record Route(TargetSet stored, DirectGroup[] direct) {
    private static final DirectGroup[] NO_GROUPS = {};

    /** Nothing takes the message. */
    public static final Route NONE = new Route(TargetSet.EMPTY, NO_GROUPS);

    /** Subscribers of one event loop. */
    @SuppressWarnings("ArrayRecordComponent")
    public record DirectGroup(Executor executor, SubscriberMatch[] matches) {}

    public boolean isEmpty() {
        return stored.isEmpty() && direct.length == 0;
    }
}
