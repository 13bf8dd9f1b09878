package io.sluice.routing.catalog;

import static io.sluice.routing.catalog.Names.permit;
import static io.sluice.routing.catalog.Names.refuse;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamInfo;
import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.RoutingException;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.catalog.CatalogRecord.Bound;
import io.sluice.routing.catalog.CatalogRecord.DeclaredExchange;
import io.sluice.routing.catalog.HostTable.QueueEntry;
import io.sluice.routing.catalog.HostTable.StreamEntry;
import io.sluice.routing.exchange.BindingId;
import io.sluice.routing.exchange.Exchange;
import io.sluice.routing.replay.InternalStreams;
import io.sluice.routing.topic.PersistentMap;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Changes of bindings, as parts of a transaction, and what follows when an end of one goes. */
final class BindingChanges {
    private final Catalog catalog;
    private final String vhost;

    BindingChanges(Catalog catalog, String vhost) {
        this.catalog = catalog;
        this.vhost = vhost;
    }

    void bind(Transaction tx, Caller caller, Binding asked) {
        Binding binding = normal(asked);
        HostEdit host = tx.host(vhost);
        checkEnds(host, caller, binding, false);
        if (isThereOrRefused(host, binding)) {
            return;
        }
        boolean durable = isDurable(host, binding.source()) && isDurable(host, binding.destination());
        if (binding.source().kind() == Binding.Kind.STREAM) {
            tx.put(new Bound(vhost, binding, tx.nextId(), ends(host, binding.source())), durable);
        } else {
            tx.put(new Bound(vhost, binding, 0, List.of()), durable);
        }
    }

    /** Refuses what {@link #bind} would refuse once missing queues and streams are there; changes nothing. */
    void check(Transaction tx, Caller caller, Binding asked) {
        Binding binding = normal(asked);
        HostEdit host = tx.host(vhost);
        checkEnds(host, caller, binding, true);
        isThereOrRefused(host, binding);
    }

    private static boolean isThereOrRefused(HostEdit host, Binding binding) {
        if (host.bindings.containsKey(BindingId.of(binding))) {
            return true;
        }
        String cycle = BindingCycle.closedBy(host, binding);
        if (cycle != null) {
            throw refuse(Reason.CYCLE, "binding would close the cycle " + cycle);
        }
        return false;
    }

    void unbind(Transaction tx, Caller caller, Binding asked) {
        Binding binding = normal(asked);
        HostEdit host = tx.host(vhost);
        permit(
                caller,
                Operation.READ,
                resource(binding.source()),
                binding.source().name());
        permit(
                caller,
                Operation.WRITE,
                resource(binding.destination()),
                binding.destination().name());
        Bound present = host.bindings.get(BindingId.of(binding));
        if (present == null) {
            return;
        }
        if (present.binding().origin() == Binding.Origin.CONFIG && asked.origin() != Binding.Origin.CONFIG) {
            throw refuse(
                    Reason.ACCESS_REFUSED,
                    "binding of " + BindingCycle.word(binding.source()) + " to "
                            + BindingCycle.word(binding.destination()) + " is set in the configuration file");
        }
        remove(tx, present);
    }

    /** Removes the bindings that begin or end here, and exchanges that are deleted with their last binding. */
    void removeAllOf(Transaction tx, Binding.End end) {
        HostEdit host = tx.host(vhost);
        List<Bound> gone = new ArrayList<>();
        PersistentMap<BindingId, Bound> from = host.bySource.get(end);
        PersistentMap<BindingId, Bound> to = host.byDestination.get(end);
        if (from != null) {
            gone.addAll(from.values());
        }
        if (to != null) {
            gone.addAll(to.values());
        }
        gone.forEach(bound -> {
            if (host.bindings.containsKey(BindingId.of(bound.binding()))) {
                remove(tx, bound);
            }
        });
    }

    void removeExchange(Transaction tx, ExchangeInfo info) {
        Binding.End end = new Binding.End(Binding.Kind.EXCHANGE, info.name());
        HostEdit host = tx.host(vhost);
        // Bindings first would delete an auto-delete exchange from under its own removal: take the exchange out last,
        // once.
        removeAllOf(tx, end);
        if (host.exchanges.containsKey(info.name())) {
            tx.remove(new DeclaredExchange(vhost, info, io.sluice.access.Principal.BROKER), info.durable());
        }
    }

    private void remove(Transaction tx, Bound bound) {
        HostEdit host = tx.host(vhost);
        Binding binding = bound.binding();
        tx.remove(bound, isDurable(host, binding.source()) && isDurable(host, binding.destination()));
        if (binding.source().kind() == Binding.Kind.EXCHANGE && !host.bySource.containsKey(binding.source())) {
            Exchange source = host.exchanges.get(binding.source().name());
            if (source != null && source.info().autoDelete()) {
                removeExchange(tx, source.info());
            }
        }
    }

    private void checkEnds(HostEdit host, Caller caller, Binding binding, boolean createsMissing) {
        Binding.End source = binding.source();
        Binding.End destination = binding.destination();
        if (source.kind() == Binding.Kind.QUEUE) {
            throw refuse(Reason.PRECONDITION_FAILED, "a queue cannot be the source of a binding");
        }
        if (source.kind() == Binding.Kind.STREAM && destination.kind() != Binding.Kind.EXCHANGE) {
            throw refuse(Reason.PRECONDITION_FAILED, "a stream can be bound to an exchange only");
        }
        for (Binding.End end : List.of(source, destination)) {
            if (end.kind() == Binding.Kind.EXCHANGE && end.name().isEmpty()) {
                throw refuse(Reason.ACCESS_REFUSED, "operation not permitted on the default exchange");
            }
            boolean mayBeMissing = createsMissing && end.kind() != Binding.Kind.EXCHANGE;
            if (!mayBeMissing && !exists(host, end)) {
                throw refuse(Reason.NOT_FOUND, "no " + BindingCycle.word(end) + " in vhost '" + vhost + "'");
            }
            if (end.kind() == Binding.Kind.STREAM && InternalStreams.isReserved(end.name())) {
                throw refuse(Reason.ACCESS_REFUSED, BindingCycle.word(end) + " is reserved for the broker");
            }
        }
        permit(caller, Operation.READ, resource(source), source.name());
        permit(caller, Operation.WRITE, resource(destination), destination.name());
        askSource(host, binding);
    }

    private static void askSource(HostEdit host, Binding binding) {
        Exchange exchange = host.exchanges.get(binding.source().name());
        RoutingException refusal =
                exchange == null || binding.source().kind() != Binding.Kind.EXCHANGE ? null : exchange.refusal(binding);
        if (refusal != null) {
            throw refusal;
        }
    }

    /** Streams have no keys: a binding of one is the same binding whatever key it was asked for with. */
    static Binding normal(Binding binding) {
        return binding.source().kind() == Binding.Kind.STREAM
                ? new Binding(binding.source(), binding.destination(), "", Map.of(), binding.origin())
                : binding;
    }

    private static boolean exists(HostEdit host, Binding.End end) {
        return switch (end.kind()) {
            case EXCHANGE -> host.exchanges.containsKey(end.name());
            case QUEUE -> host.queues.containsKey(end.name());
            case STREAM -> host.streams.containsKey(end.name());
        };
    }

    private static boolean isDurable(HostEdit host, Binding.End end) {
        return switch (end.kind()) {
            case EXCHANGE -> {
                Exchange exchange = host.exchanges.get(end.name());
                yield exchange != null && exchange.info().durable();
            }
            case QUEUE -> {
                QueueEntry queue = host.queues.get(end.name());
                yield queue != null && queue.ref().spec().durable();
            }
            case STREAM -> true;
        };
    }

    private static Resource.Kind resource(Binding.End end) {
        return switch (end.kind()) {
            case EXCHANGE -> Resource.Kind.EXCHANGE;
            case QUEUE -> Resource.Kind.QUEUE;
            case STREAM -> Resource.Kind.STREAM;
        };
    }

    /** Where a new bridge begins: the ends of the stream's partitions now. */
    private List<Long> ends(HostEdit host, Binding.End source) {
        StreamEntry stream = host.streams.get(source.name());
        @Nullable StreamInfo info = stream == null ? null : stream.info();
        List<Long> ends = new ArrayList<>();
        for (int i = 0; info != null && i < info.partitions(); i++) {
            LogPartition partition = catalog.engine.partition(new PartitionId(info.id(), i));
            ends.add(partition == null ? 0L : partition.highWatermark());
        }
        return ends;
    }
}
