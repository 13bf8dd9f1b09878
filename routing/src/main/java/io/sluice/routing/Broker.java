package io.sluice.routing;

import io.sluice.engine.LogEngine;
import io.sluice.io.Clock;
import io.sluice.queue.Queues;
import io.sluice.shard.ShardProxy;
import java.util.Collection;
import org.jspecify.annotations.Nullable;

/** What a gateway is given: the virtual hosts and the core below them. Thread-safe. */
public interface Broker {
    /** The virtual host of this name, null if there is none. */
    @Nullable
    VirtualHost virtualHost(String name);

    Collection<VirtualHost> virtualHosts();

    /** Where routed messages and produced batches are handed over. */
    ShardProxy shard();

    LogEngine engine();

    Queues queues();

    Clock clock();

    /**
     * Runs {@code listener} on the shard thread whenever streams of any virtual host came, went or grew: after the change is
     * visible and before whoever asked for it is answered. It must not block. Listeners stay for the life of the broker.
     */
    void onStreamsChanged(Runnable listener);
}
