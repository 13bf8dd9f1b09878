package io.sluice.routing;

import io.sluice.access.Caller;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.queue.QueueRef;
import io.sluice.queue.TargetSet;
import io.sluice.routing.policy.Policy;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;

/**
 * A name space of exchanges, queues and streams. Lookups read an immutable table; changes go through the log-backed catalog
 * and complete on the shard thread once they are durable (as far as their object is) and visible in {@link #table}; callers
 * hop. A failed change completes with a {@link RoutingException}. Every change asks the caller's authorizer. Thread-safe.
 */
public interface VirtualHost {
    String name();

    /** What its administrators say of it. */
    Description description();

    /** Words about a virtual host that mean nothing to the broker. */
    record Description(String text, List<String> tags) {
        public static final Description NONE = new Description("", List.of());
    }

    /** The names and routes of this moment. Compare by identity to know that nothing changed. */
    RoutingTable table();

    /**
     * Where a message goes that is to be delivered later, instead of its route: published with the delay as time to live ({@code
     * PublishBatch.options}) and with its address in its headers, it is routed when that time is over, by the bindings of then.
     */
    TargetSet delayed();

    /** Declares; equal redeclaration succeeds, unequal fails with PRECONDITION_FAILED. */
    CompletionStage<ExchangeInfo> declareExchange(Caller caller, ExchangeInfo exchange);

    /** Completes with false if it was not there. IN_USE if {@code ifUnused} and it is a source of bindings. */
    CompletionStage<Boolean> deleteExchange(Caller caller, String name, boolean ifUnused);

    /** Declares a queue; equal redeclaration answers the present one. Streams and queues share one name space. */
    CompletionStage<QueueRef> declareQueue(Caller caller, QueueDeclaration declaration);

    /**
     * As {@link #declareQueue(Caller, QueueDeclaration)}, and without waiting for {@code before}: if that change, which the same
     * thread asked for earlier, fails, nothing is declared. Both become durable together.
     */
    CompletionStage<QueueRef> declareQueue(Caller caller, QueueDeclaration declaration, CompletionStage<?> before);

    /** Completes with the number of ready messages deleted. */
    CompletionStage<Long> deleteQueue(Caller caller, String name, boolean ifUnused, boolean ifEmpty);

    /** Declares a stream; an existing one of the same name is answered if {@code partitions} agrees. */
    CompletionStage<StreamInfo> declareStream(
            Caller caller, String name, int partitions, StreamConfig config, Map<String, String> kafkaConfigs);

    CompletionStage<Void> deleteStream(Caller caller, String name);

    /** Raises the number of partitions of a stream. */
    CompletionStage<StreamInfo> addPartitions(Caller caller, String name, int partitions);

    CompletionStage<StreamInfo> alterStream(
            Caller caller, String name, StreamConfig config, Map<String, String> kafkaConfigs);

    /** Config names and values that were set explicitly on a stream, as Kafka names them. */
    Map<String, String> streamConfigs(String name);

    /** Fails as {@link #bind} would if queues and streams that are missing were there, and changes nothing. */
    CompletionStage<Void> checkBinding(Caller caller, Binding binding);

    /** Adds a binding; an equal one is left alone. NOT_FOUND if an end is missing, CYCLE if it closes a stream cycle. */
    CompletionStage<Void> bind(Caller caller, Binding binding);

    CompletionStage<Void> unbind(Caller caller, Binding binding);

    /**
     * Subscribes an MQTT session: from now on {@code subscriber} is part of every route whose topic matches. A second
     * subscription with the same filter replaces the first. Durable if the subscriber has a durable queue. Completes when
     * visible; the retained messages are asked for separately.
     */
    CompletionStage<Void> subscribe(Caller caller, Subscription subscription);

    CompletionStage<Void> unsubscribe(Caller caller, Subscriber subscriber, String topicFilter);

    /**
     * Sets a policy, or replaces the one of its name; it applies to all queues and exchanges that are there, and to later ones, when
     * the stage completes.
     *
     * @param operator true for one of operators
     * @return true if there was none of this name
     */
    CompletionStage<Boolean> setPolicy(Caller caller, boolean operator, Policy policy);

    /** Removes a policy: what it applied to is as without it. Completes with false if there was none. */
    CompletionStage<Boolean> removePolicy(Caller caller, boolean operator, String name);

    /** Retained messages of this virtual host. */
    RetainedMessages retained();

    /** Durable MQTT sessions of this virtual host, by client id. */
    Sessions sessions();

    /** All bindings, for listings. */
    List<Binding> bindings();

    /** Name of a stream by its id, null if unknown. */
    @org.jspecify.annotations.Nullable
    String streamName(StreamId id);
}
