package io.sluice.queue;

import java.nio.charset.StandardCharsets;
import java.util.UUID;

/**
 * Identity of a queue. Given by the catalog, persisted, never reused, and positive; negative for the queue that holds the
 * delayed messages of a virtual host, which needs no catalog.
 */
public record QueueId(long value) {
    /** The queue for delayed messages of a virtual host. */
    public static QueueId ofDelayed(String vhost) {
        long hash = UUID.nameUUIDFromBytes(("delayed:" + vhost).getBytes(StandardCharsets.UTF_8))
                .getLeastSignificantBits();
        return new QueueId(hash | Long.MIN_VALUE);
    }

    /** True if the id is one of {@link #ofDelayed}. */
    public static boolean isOfDelayed(long id) {
        return id < 0;
    }
}
