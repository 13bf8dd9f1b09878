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

    /** Where the message goes depends on more than its address: ask again with its headers. */
    public static final Route BY_MESSAGE = new Route(TargetSet.EMPTY, NO_GROUPS);

    /** Subscribers of one event loop. */
    @SuppressWarnings("ArrayRecordComponent")
    public record DirectGroup(Executor executor, SubscriberMatch[] matches) {}

    /** True for {@link #BY_MESSAGE}. */
    @SuppressWarnings("ReferenceEquality") // a marker
    public boolean isByMessage() {
        return this == BY_MESSAGE;
    }

    public boolean isEmpty() {
        return stored.isEmpty() && direct.length == 0;
    }
}
