package io.sluice.routing;

import io.sluice.access.Caller;
import io.sluice.engine.LogEngine;
import io.sluice.io.Clock;
import io.sluice.queue.Queues;
import io.sluice.shard.ShardProxy;
import java.util.Collection;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What a gateway is given: the virtual hosts and the core below them. Thread-safe. */
public interface Broker {
    /** The virtual host of this name, null if there is none. */
    @Nullable
    VirtualHost virtualHost(String name);

    Collection<VirtualHost> virtualHosts();

    /**
     * Makes a virtual host, or describes the one that is there. Completes with true if there was none; fails with a {@link
     * RoutingException}.
     */
    CompletionStage<Boolean> describeVirtualHost(Caller caller, String name, VirtualHost.Description description);

    /**
     * Deletes a virtual host with all that is in it; clients that are in it see an empty one until their gateway ends their
     * connections. Completes once it is durable that it goes: with false if there was none. The default one cannot go.
     */
    CompletionStage<Boolean> deleteVirtualHost(Caller caller, String name);

    /** Runs {@code listener} on the shard thread with the name of each virtual host that is deleted; must not block. */
    void onVirtualHostDeleted(Consumer<String> listener);

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
