package io.sluice.bench;

import io.sluice.access.Caller;
import io.sluice.io.SystemClock;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.routing.DirectMessage;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.Subscriber;
import io.sluice.routing.SubscriberMatch;
import io.sluice.routing.Subscription;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.catalog.RoutingBroker;
import io.sluice.shard.Core;
import io.sluice.shard.CoreSettings;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** Virtual host {@code /} of a whole broker without network: engine, core shard, catalog. */
final class RoutingHost implements AutoCloseable {
    private static final Caller CALLER = Caller.broker("/");

    private final DataDirectory data = new DataDirectory();
    private final Core core;
    private final RoutingBroker broker;
    private final VirtualHost host;

    RoutingHost() {
        SystemClock clock = new SystemClock();
        core = Core.start(data.engine(), clock, CoreSettings.DEFAULT);
        broker = RoutingBroker.open(data.engine(), core.shard(), core.queues(), clock);
        VirtualHost found = broker.virtualHost("/");
        if (found == null) {
            throw new IllegalStateException("no virtual host /");
        }
        host = found;
    }

    RoutingTable table() {
        return host.table();
    }

    /** Declares the exchange and its transient queues, and binds them. */
    void bind(Shape shape, int bindings) {
        List<CompletionStage<?>> changes = new ArrayList<>(bindings);
        changes.add(host.declareExchange(CALLER, shape.exchange()));
        for (int i = 0; i < Math.min(bindings, Shape.MOST_QUEUES); i++) {
            changes.add(host.declareQueue(
                    CALLER, new QueueDeclaration(Shape.queue(i), false, false, false, QueuePolicy.NONE, Map.of())));
        }
        await(changes);
        for (int i = 0; i < bindings; i++) {
            changes.add(host.bind(CALLER, shape.binding(i)));
        }
        await(changes);
    }

    /** Subscribes online clients of clean sessions, one per filter. */
    void subscribe(Filters form, int filters) {
        List<CompletionStage<?>> changes = new ArrayList<>(filters);
        for (int i = 0; i < filters; i++) {
            Subscriber subscriber = new Client("client-" + i);
            changes.add(host.subscribe(CALLER, new Subscription(subscriber, form.filter(i), 1, false, false, 0, 0)));
        }
        await(changes);
    }

    private static void await(List<CompletionStage<?>> changes) {
        for (CompletionStage<?> change : changes) {
            change.toCompletableFuture().join();
        }
        changes.clear();
    }

    @Override
    public void close() {
        broker.close();
        core.close();
        data.close();
    }

    /** Only routed to: one executor stands for the event loop of all. */
    private record Client(String clientId) implements Subscriber {
        private static final Executor LOOP = Runnable::run;

        @Override
        public Executor executor() {
            return LOOP;
        }

        @Override
        public @Nullable QueueRef queue() {
            return null;
        }

        @Override
        public void deliver(DirectMessage message, SubscriberMatch match) {
            throw new IllegalStateException("nothing is published");
        }

        @Override
        public void flush() {
            throw new IllegalStateException("nothing is published");
        }
    }
}
