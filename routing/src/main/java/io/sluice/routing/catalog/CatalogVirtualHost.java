package io.sluice.routing.catalog;

import io.sluice.access.Caller;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.TargetSet;
import io.sluice.routing.Binding;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.RetainedMessages;
import io.sluice.routing.RoutingException.Reason;
import io.sluice.routing.RoutingTable;
import io.sluice.routing.Sessions;
import io.sluice.routing.Subscriber;
import io.sluice.routing.Subscription;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.catalog.HostTable.SessionEntry;
import io.sluice.routing.catalog.HostTable.StreamEntry;
import io.sluice.routing.policy.Policy;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** A virtual host of the catalog: hands changes to it and answers lookups from the newest table. */
final class CatalogVirtualHost implements VirtualHost, Sessions {
    private final Catalog catalog;
    private final String name;
    private final RetainedMessages retained;
    private final TargetSet delayed;
    private final BindingChanges bindingChanges;
    private final ObjectChanges objects;
    private final StreamChanges streams;
    private final SessionChanges sessionChanges;
    private final PolicyChanges policies;
    private final HostTable empty;

    CatalogVirtualHost(Catalog catalog, String name, RetainedMessages retained, TargetSet delayed) {
        this.delayed = delayed;
        this.catalog = catalog;
        this.name = name;
        this.retained = retained;
        bindingChanges = new BindingChanges(catalog, name);
        objects = new ObjectChanges(catalog, name, bindingChanges);
        streams = new StreamChanges(catalog, name, bindingChanges);
        sessionChanges = new SessionChanges(name, objects);
        policies = new PolicyChanges(name);
        empty = new HostEdit(catalog.engine, catalog.queues, name).freeze();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Description description() {
        return hostTable().description;
    }

    @Override
    public RoutingTable table() {
        return hostTable();
    }

    @Override
    public TargetSet delayed() {
        return delayed;
    }

    @Override
    public CompletionStage<ExchangeInfo> declareExchange(Caller caller, ExchangeInfo exchange) {
        return catalog.submit(tx -> objects.declareExchange(tx, caller, exchange));
    }

    @Override
    public CompletionStage<Boolean> deleteExchange(Caller caller, String exchange, boolean ifUnused) {
        return catalog.submit(tx -> objects.deleteExchange(tx, caller, exchange, ifUnused));
    }

    @Override
    public CompletionStage<QueueRef> declareQueue(Caller caller, QueueDeclaration declaration) {
        return catalog.submit(tx -> objects.declareQueue(tx, caller, declaration));
    }

    @Override
    public CompletionStage<QueueRef> declareQueue(
            Caller caller, QueueDeclaration declaration, CompletionStage<?> before) {
        CompletableFuture<?> earlier = before.toCompletableFuture();
        return catalog.submit(tx -> {
            // changes run in the order in which a thread submits them, so that is known by now
            if (earlier.isCompletedExceptionally()) {
                throw Names.refuse(Reason.UNAVAILABLE, "a change before it failed");
            }
            return objects.declareQueue(tx, caller, declaration);
        });
    }

    @Override
    public CompletionStage<Long> deleteQueue(Caller caller, String queue, boolean ifUnused, boolean ifEmpty) {
        return catalog.submit(tx -> objects.deleteQueue(tx, caller, queue, ifUnused, ifEmpty))
                .thenCompose(catalog.queues::delete);
    }

    /** Deletes a queue that nobody used for as long as it may be unused, unless somebody came meanwhile. */
    void expire(QueueSpec queue) {
        catalog.submit(tx -> objects.expireQueue(tx, queue)).thenAccept(id -> {
            if (id != null) {
                catalog.queues.delete(id);
            }
        });
    }

    @Override
    public CompletionStage<StreamInfo> declareStream(
            Caller caller, String stream, int partitions, StreamConfig config, Map<String, String> kafkaConfigs) {
        return catalog.submit(tx -> streams.declare(tx, caller, stream, partitions, config, kafkaConfigs));
    }

    @Override
    public CompletionStage<Void> deleteStream(Caller caller, String stream) {
        return catalog.submit(tx -> streams.delete(tx, caller, stream))
                .thenCompose(catalog.engine::deleteStream)
                .thenRunAsync(() -> {}, catalog.shard);
    }

    @Override
    public CompletionStage<StreamInfo> addPartitions(Caller caller, String stream, int partitions) {
        return catalog.submit(tx -> streams.addPartitions(tx, caller, stream, partitions));
    }

    @Override
    public CompletionStage<StreamInfo> alterStream(
            Caller caller, String stream, StreamConfig config, Map<String, String> kafkaConfigs) {
        return catalog.submit(tx -> streams.alter(tx, caller, stream, config, kafkaConfigs));
    }

    @Override
    public Map<String, String> streamConfigs(String stream) {
        StreamEntry entry = hostTable().streams.get(stream);
        return entry == null ? Map.of() : entry.configs();
    }

    @Override
    public CompletionStage<Void> checkBinding(Caller caller, Binding binding) {
        return change(tx -> bindingChanges.check(tx, caller, binding));
    }

    @Override
    public CompletionStage<Void> bind(Caller caller, Binding binding) {
        return change(tx -> bindingChanges.bind(tx, caller, binding));
    }

    @Override
    public CompletionStage<Void> unbind(Caller caller, Binding binding) {
        return change(tx -> bindingChanges.unbind(tx, caller, binding));
    }

    @Override
    public CompletionStage<Void> subscribe(Caller caller, Subscription subscription) {
        return change(tx -> sessionChanges.subscribe(tx, caller, subscription));
    }

    @Override
    public CompletionStage<Void> unsubscribe(Caller caller, Subscriber subscriber, String topicFilter) {
        return change(tx -> sessionChanges.unsubscribe(tx, subscriber, topicFilter));
    }

    @Override
    public CompletionStage<Boolean> setPolicy(Caller caller, boolean operator, Policy policy) {
        return catalog.submit(tx -> CompletableFuture.completedFuture(policies.set(tx, caller, operator, policy)));
    }

    @Override
    public CompletionStage<Boolean> removePolicy(Caller caller, boolean operator, String policy) {
        return catalog.submit(tx -> CompletableFuture.completedFuture(policies.remove(tx, caller, operator, policy)));
    }

    @Override
    public RetainedMessages retained() {
        return retained;
    }

    @Override
    public Sessions sessions() {
        return this;
    }

    @Override
    public List<Binding> bindings() {
        List<Binding> bindings = new ArrayList<>();
        hostTable().bindings.forEach((id, bound) -> bindings.add(bound.binding()));
        return bindings;
    }

    @Override
    public @Nullable String streamName(StreamId id) {
        return hostTable().streamNames.get(id);
    }

    @Override
    public @Nullable SessionInfo find(String clientId) {
        SessionEntry session = hostTable().sessions.get(clientId);
        return session == null ? null : session.info();
    }

    @Override
    public Collection<SessionInfo> all() {
        List<SessionInfo> all = new ArrayList<>();
        hostTable().sessions.forEach((clientId, session) -> all.add(session.info()));
        return all;
    }

    @Override
    public CompletionStage<SessionInfo> open(Caller caller, String clientId, long expirySeconds) {
        return catalog.submit(tx -> sessionChanges.open(tx, caller, clientId, expirySeconds));
    }

    @Override
    public CompletionStage<Void> update(Caller caller, String clientId, long expirySeconds, long disconnectedAt) {
        return change(tx -> sessionChanges.update(tx, caller, clientId, expirySeconds, disconnectedAt));
    }

    @Override
    public CompletionStage<Void> keepWill(Caller caller, String clientId, StoredWill will) {
        return change(tx -> sessionChanges.keepWill(tx, caller, clientId, will));
    }

    @Override
    public CompletionStage<Void> forgetWill(Caller caller, String clientId, StoredWill will) {
        return change(tx -> sessionChanges.forgetWill(tx, clientId, will));
    }

    @Override
    public CompletionStage<Void> delete(Caller caller, String clientId) {
        return catalog.submit(tx -> CompletableFuture.completedFuture(sessionChanges.delete(tx, caller, clientId)))
                .thenCompose(queue -> queue == null
                        ? CompletableFuture.<Void>completedFuture(null)
                        : catalog.queues.delete(queue).<Void>thenApply(count -> null));
    }

    @Override
    public void restore(Function<SessionInfo, Subscriber> subscriberOf) {
        this.change(tx -> sessionChanges.restore(tx, subscriberOf))
                .toCompletableFuture()
                .join();
    }

    /** Once it is deleted there is nothing in it, for connections that do not know yet. */
    private HostTable hostTable() {
        HostTable table = catalog.table(name);
        return table == null ? empty : table;
    }

    private CompletionStage<Void> change(Consumer<Transaction> change) {
        return catalog.submit(tx -> {
            change.accept(tx);
            return CompletableFuture.completedFuture(null);
        });
    }
}
