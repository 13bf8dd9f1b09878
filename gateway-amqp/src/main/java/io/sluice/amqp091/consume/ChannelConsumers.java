package io.sluice.amqp091.consume;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.entity.ArgumentChecks;
import io.sluice.amqp091.session.ChannelContext;
import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.amqp091.session.DirectReplies;
import io.sluice.amqp091.session.RandomNames;
import io.sluice.amqp091.session.Refusals;
import io.sluice.amqp091.session.Session;
import io.sluice.amqp091.transaction.ChannelTransaction;
import io.sluice.log.StreamInfo;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.VirtualHost;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Consuming on one channel: consume, cancel, get, qos and settlements. What becomes of the deliveries is the part of {@link
 * ChannelDeliveries}. Confined to the loop.
 */
public final class ChannelConsumers {
    private final Session connection;
    private final ChannelContext channel;
    private final Map<String, ChannelConsumer> byTag = new HashMap<>();
    /** All that are attached: consumers, cancelled ones with open deliveries, gets. */
    private final Set<ChannelConsumer> attached = new HashSet<>();

    private final ChannelDeliveries deliveries;
    private final StreamConsumers streams;
    private final AcknowledgementTimeouts timeouts;
    private final ReplyConsumers replies;
    private int prefetch;
    private boolean released;

    public ChannelConsumers(Session connection, ChannelContext channel) {
        this.connection = connection;
        this.channel = channel;
        DeliveryWriter writer = new DeliveryWriter(connection, channel.number());
        this.deliveries = new ChannelDeliveries(connection, writer);
        this.replies = new ReplyConsumers(connection, channel, writer);
        this.streams = new StreamConsumers(connection, channel, this, writer, deliveries.unacked());
        this.timeouts = new AcknowledgementTimeouts(connection, channel.number(), writer, deliveries.unacked());
    }

    Executor executor() {
        return connection.executor();
    }

    /** Deliveries that wait for their acknowledgement. */
    public int unacked() {
        return deliveries.unacked().size();
    }

    /** Limit over all consumers, 0 = none. */
    public int prefetch() {
        return deliveries.limit();
    }

    public List<ConnectionInfo.Consumer> describe() {
        List<ConnectionInfo.Consumer> consumers = new ArrayList<>();
        for (ChannelConsumer consumer : byTag.values()) {
            consumers.add(new ConnectionInfo.Consumer(
                    consumer.tag(), consumer.queue().spec().name(), !consumer.isNoAck(), consumer.prefetch()));
        }
        streams.describe(consumers);
        return consumers;
    }

    public boolean isConsuming() {
        return !byTag.isEmpty() || !streams.isEmpty() || !replies.isEmpty() || unacked() > 0;
    }

    public void method(BasicMethod method) {
        if (method instanceof BasicMethod.Consume consume) {
            consume(consume);
        } else if (method instanceof BasicMethod.Cancel cancel) {
            cancel(cancel);
        } else if (method instanceof BasicMethod.Get get) {
            get(get);
        } else if (method instanceof BasicMethod.Qos qos) {
            qos(qos);
        } else if (method instanceof BasicMethod.Recover recover) {
            deliveries.recover(recover.requeue());
            channel.reply(new BasicMethod.RecoverOk());
        } else if (method instanceof BasicMethod.RecoverAsync recover) {
            deliveries.recover(recover.requeue());
        } else {
            throw new AmqpException(
                    ReplyCode.COMMAND_INVALID, "method " + Method.name(method.id()) + " is the broker's to send");
        }
    }

    private void qos(BasicMethod.Qos qos) {
        if (qos.prefetchSize() != 0) {
            throw new AmqpException(ReplyCode.NOT_IMPLEMENTED, "prefetch_size!=0 (" + qos.prefetchSize() + ")");
        }
        if (qos.global()) {
            deliveries.limit(qos.prefetchCount());
            for (ChannelConsumer consumer : byTag.values()) {
                consumer.limit(deliveries.limit());
            }
            resume();
        } else {
            prefetch = qos.prefetchCount();
        }
        channel.reply(new BasicMethod.QosOk());
    }

    private QueueRef queue(String name) {
        String resolved = channel.resolve(name);
        Refusals.permit(connection, Operation.READ, Resource.Kind.QUEUE, resolved);
        QueueRef queue = connection.host().table().queue(resolved);
        if (queue == null) {
            if (connection.host().table().stream(resolved) != null) {
                throw new AmqpException(
                        ReplyCode.NOT_IMPLEMENTED,
                        "basic.get not supported by stream queues "
                                + Refusals.named(resolved, connection.host().name()));
            }
            throw Refusals.noQueue(connection, resolved);
        }
        connection.shared().exclusiveQueues().check(connection.host().name(), resolved, connection);
        return queue;
    }

    private String freeTag(BasicMethod.Consume consume) {
        String tag = consume.consumerTag().isEmpty() ? "amq.ctag-" + RandomNames.uuid() : consume.consumerTag();
        if (byTag.containsKey(tag) || streams.has(tag) || replies.has(tag)) {
            throw new AmqpException(ReplyCode.NOT_ALLOWED, "attempt to reuse consumer tag '" + tag + "'");
        }
        return tag;
    }

    private void consume(BasicMethod.Consume consume) {
        if (consume.queue().equals(DirectReplies.QUEUE)) {
            replies.consume(consume, freeTag(consume));
            return;
        }
        String tag = freeTag(consume);
        StreamInfo stream = stream(consume.queue());
        if (stream != null) {
            streams.consume(consume, channel.resolve(consume.queue()), stream, tag, prefetch, deliveries.limit() > 0);
            return;
        }
        QueueRef queue = queue(consume.queue());
        QueueSpec spec = queue.spec();
        ArgumentChecks checks = new ArgumentChecks(spec.vhost(), spec.name(), consume.arguments());
        ConsumerArguments.checkQueue(checks, consume.arguments());
        long priority = checks.number(ConsumerArguments.PRIORITY, 0);
        long timeout = checks.notNegative(ArgumentChecks.CONSUMER_TIMEOUT, timeout(spec));
        if (consume.exclusive()
                && (queue.stats().consumers() > 0 || spec.policy().singleActiveConsumer())) {
            throw inUse(queue);
        }
        ChannelConsumer consumer = new ChannelConsumer(this, tag, queue, consume.noAck(), false, prefetch, timeout);
        QueueConsumer end = attach(
                consumer,
                new QueueRef.ConsumerSpec(
                        connection + " " + tag, consume.noAck(), consume.exclusive(), clamp(priority), 0));
        CompletableFuture<@Nullable Void> applied = new CompletableFuture<>();
        end.drain(() -> applied.complete(null)); // has no credit yet; comes after a refusal, which is told the same way
        end.flush();
        connection.await(channel.number(), consume.id(), applied, done -> {
            if (released) {
                return;
            }
            if (consumer.closedReason() != null) {
                attached.remove(consumer);
                throw inUse(queue);
            }
            byTag.put(tag, consumer);
            consumer.limit(deliveries.limit());
            if (!consume.noWait()) {
                channel.reply(new BasicMethod.ConsumeOk(tag));
            }
            if (!consume.noAck()) {
                timeouts.expect(timeout);
            }
            consumer.begin();
        });
    }

    /** How long deliveries of a queue may stay unacknowledged, ms, 0 = for ever. */
    private long timeout(QueueSpec spec) {
        QueueDeclaration declaration = connection.host().table().queueDeclaration(spec.name());
        String own = declaration == null ? null : declaration.arguments().get(ArgumentChecks.CONSUMER_TIMEOUT);
        long set = connection
                .host()
                .table()
                .queuePolicy(spec.name())
                .consumerTimeout(own == null ? -1 : Long.parseLong(own));
        return set < 0 ? connection.shared().settings().consumerTimeoutMillis() : set;
    }

    private @Nullable StreamInfo stream(String name) {
        String resolved = channel.resolve(name);
        if (connection.host().table().queue(resolved) != null) {
            return null;
        }
        StreamInfo stream = connection.host().table().stream(resolved);
        if (stream != null) {
            Refusals.permit(connection, Operation.READ, Resource.Kind.STREAM, resolved);
        }
        return stream;
    }

    private static int clamp(long priority) {
        return (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, priority));
    }

    private QueueConsumer attach(ChannelConsumer consumer, QueueRef.ConsumerSpec spec) {
        QueueConsumer end = consumer.queue().attach(connection.caller(), spec, consumer);
        consumer.attached(end);
        attached.add(consumer);
        return end;
    }

    private static AmqpException inUse(QueueRef queue) {
        return new AmqpException(
                ReplyCode.ACCESS_REFUSED,
                Refusals.named(queue.spec().name(), queue.spec().vhost()) + " in exclusive use");
    }

    private void cancel(BasicMethod.Cancel cancel) {
        ChannelConsumer consumer = byTag.remove(cancel.consumerTag());
        CompletionStage<@Nullable Void> gone = CompletableFuture.completedStage(null);
        if (consumer != null) {
            deliveries.returnParked(consumer);
            consumer.cancel();
            gone = consumer.afterwards();
        } else if (!streams.cancel(cancel.consumerTag())) {
            replies.cancel(cancel.consumerTag());
        }
        // what comes after cancel-ok finds the queue without this consumer
        connection.await(channel.number(), cancel.id(), gone, done -> {
            if (!cancel.noWait()) {
                channel.reply(new BasicMethod.CancelOk(cancel.consumerTag()));
            }
        });
    }

    private void get(BasicMethod.Get get) {
        QueueRef queue = queue(get.queue());
        refuseGetFromQuorumWithSingleActive(queue);
        ChannelConsumer consumer =
                new ChannelConsumer(this, "basic.get", queue, get.noAck(), true, 0, timeout(queue.spec()));
        if (!get.noAck()) {
            timeouts.expect(consumer.timeoutMillis());
        }
        flushSettlements();
        QueueConsumer end =
                attach(consumer, QueueRef.ConsumerSpec.pulling(connection + " " + consumer.tag(), get.noAck()));
        CompletableFuture<@Nullable Void> drained = new CompletableFuture<>();
        consumer.begin();
        end.drain(() -> drained.complete(null));
        end.flush();
        connection.await(channel.number(), get.id(), drained, done -> {
            if (consumer.closedReason() != null) {
                throw inUse(queue);
            }
            if (released) {
                return;
            }
            if (consumer.delivered() == 0) {
                channel.reply(new BasicMethod.GetEmpty());
            }
            consumer.cancel();
        });
    }

    /** As RabbitMQ has it, whose classic queues can be got from. */
    private void refuseGetFromQuorumWithSingleActive(QueueRef queue) {
        QueueSpec spec = queue.spec();
        QueueDeclaration declaration = connection.host().table().queueDeclaration(spec.name());
        if (spec.policy().singleActiveConsumer()
                && declaration != null
                && "quorum".equals(declaration.arguments().get("x-queue-type"))) {
            throw new AmqpException(
                    ReplyCode.RESOURCE_LOCKED,
                    "cannot obtain access to locked " + Refusals.named(spec.name(), spec.vhost())
                            + ". basic.get operations are not supported by quorum queues with single active consumer");
        }
    }

    /** Name that direct replies to this channel are sent to, null if it takes none. */
    @Nullable
    public String replyName() {
        return replies.name();
    }

    public void ack(long tag, boolean multiple) {
        deliveries.ack(tag, multiple);
    }

    public void nack(long tag, boolean multiple, boolean requeue) {
        deliveries.nack(tag, multiple, requeue);
    }

    /** From now on settlements wait for a commit. */
    public void transact(ChannelTransaction with) {
        deliveries.transact(with);
    }

    /** A transaction is in force: room for more deliveries. */
    public void settledByTransaction() {
        deliveries.settledByTransaction();
    }

    /** A transaction was rolled back: these are open again. */
    public void unsettle(List<ChannelTransaction.Settled> settled) {
        deliveries.unsettle(settled);
    }

    void deliver(ChannelConsumer consumer, DeliveryBatch batch) {
        deliveries.deliver(consumer, batch, 0);
    }

    public void flow(boolean active) {
        deliveries.flow(active);
        resume();
    }

    /** Writes what was held back, as far as it may leave now. */
    public void resume() {
        deliveries.resume();
        for (ChannelConsumer consumer : new ArrayList<>(byTag.values())) {
            consumer.replenish(connection.output().isWritable());
            consumer.flush();
        }
        streams.resume();
    }

    /** Settlements of this read go to the shard; called once per read. */
    public void flushSettlements() {
        if (!deliveries.takeSettled()) {
            return;
        }
        if (deliveries.isHolding()) {
            resume();
        }
        for (ChannelConsumer consumer : new ArrayList<>(attached)) {
            consumer.flush();
        }
        if (!streams.isEmpty()) {
            streams.resume();
        }
    }

    /** A frame may have been written in part: nothing can follow it, not even a close. */
    void failed() {
        connection.abort("a delivery cannot be written");
    }

    /** The queue ended a consumer. */
    void closed(ChannelConsumer consumer, boolean told) {
        attached.remove(consumer);
        boolean known = byTag.remove(consumer.tag(), consumer);
        if (known && !told) {
            tellCancelled(consumer.tag());
        }
    }

    /** The broker ended a consumer. */
    void tellCancelled(String tag) {
        if (!released && connection.clientCan("consumer_cancel_notify")) {
            channel.reply(new BasicMethod.Cancel(tag, true));
        }
    }

    boolean isFlowing() {
        return deliveries.isFlowing();
    }

    public void streamsChanged() {
        streams.streamsChanged();
    }

    /** A consumer left its queue. */
    void left(ChannelConsumer consumer) {
        attached.remove(consumer);
        ended(consumer);
    }

    /** A consumer gets nothing more: an auto-delete queue goes with its last one. */
    void ended(ChannelConsumer consumer) {
        String name = consumer.queue().spec().name();
        QueueDeclaration declaration = connection.host().table().queueDeclaration(name);
        if (declaration != null && declaration.autoDelete() && !consumer.isGet()) {
            Caller caller = connection.caller();
            VirtualHost host = connection.host();
            consumer.afterwards().thenRun(() -> host.deleteQueue(caller, name, true, false));
        }
    }

    public void release() {
        if (released) {
            return;
        }
        released = true;
        replies.release();
        streams.release();
        timeouts.stop();
        deliveries.release();
        byTag.clear();
        for (ChannelConsumer consumer : new ArrayList<>(attached)) {
            consumer.leave();
        }
    }
}
