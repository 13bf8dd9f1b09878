package io.sluice.amqp091.connection;

import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.log.StreamInfo;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryBatch;
import io.sluice.queue.QueueConsumer;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Settlement;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.VirtualHost;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
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
 * Consuming on one channel: consume, cancel, get, qos and settlements. A limit over all consumers of the channel ({@code
 * basic.qos} with {@code global}) and {@code channel.flow} hold deliveries back here, within the consumers' credit. Confined to
 * the loop.
 */
final class ChannelConsumers {
    private record Parked(ChannelConsumer consumer, DeliveryBatch batch, int from) {}

    /** Bytes waiting for a socket above which direct replies are dropped. */
    private static final long REPLY_BYTES = 16 << 20;

    private final AmqpConnection connection;
    private final AmqpChannel channel;
    private final Map<String, ChannelConsumer> byTag = new HashMap<>();
    /** All that are attached: consumers, cancelled ones with open deliveries, gets. */
    private final Set<ChannelConsumer> attached = new HashSet<>();

    private final UnackedDeliveries unacked = new UnackedDeliveries();
    private final Deque<Parked> parked = new ArrayDeque<>();
    private final RecordView record = new RecordView();
    private final DeliveryWriter writer;
    private final StreamConsumers streams;
    private final AcknowledgementTimeouts timeouts;
    private @Nullable ReplyConsumer replies;
    private int prefetch;
    private int channelPrefetch;
    private boolean flowing = true;
    private boolean settled;
    private boolean released;
    private @Nullable ChannelTransaction transaction;

    ChannelConsumers(AmqpConnection connection, AmqpChannel channel) {
        this.connection = connection;
        this.channel = channel;
        this.writer = new DeliveryWriter(connection, channel.number());
        this.streams = new StreamConsumers(connection, channel, this, writer, unacked);
        this.timeouts = new AcknowledgementTimeouts(connection, channel.number(), writer, unacked);
    }

    Executor executor() {
        return connection.ctx().executor();
    }

    /** Deliveries that wait for their acknowledgement. */
    int unacked() {
        return unacked.size();
    }

    /** Limit over all consumers, 0 = none. */
    int prefetch() {
        return channelPrefetch;
    }

    List<ConnectionInfo.Consumer> describe() {
        List<ConnectionInfo.Consumer> consumers = new ArrayList<>();
        for (ChannelConsumer consumer : byTag.values()) {
            consumers.add(new ConnectionInfo.Consumer(
                    consumer.tag(), consumer.queue().spec().name(), !consumer.isNoAck(), consumer.prefetch()));
        }
        streams.describe(consumers);
        return consumers;
    }

    boolean isConsuming() {
        return !byTag.isEmpty() || !streams.isEmpty() || replies != null || unacked.size() > 0;
    }

    void method(BasicMethod method) {
        if (method instanceof BasicMethod.Consume consume) {
            consume(consume);
        } else if (method instanceof BasicMethod.Cancel cancel) {
            cancel(cancel);
        } else if (method instanceof BasicMethod.Get get) {
            get(get);
        } else if (method instanceof BasicMethod.Qos qos) {
            qos(qos);
        } else if (method instanceof BasicMethod.Recover recover) {
            recover(recover.requeue());
            channel.reply(new BasicMethod.RecoverOk());
        } else if (method instanceof BasicMethod.RecoverAsync recover) {
            recover(recover.requeue());
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
            channelPrefetch = qos.prefetchCount();
            for (ChannelConsumer consumer : byTag.values()) {
                consumer.limit(channelPrefetch);
            }
            resume();
        } else {
            prefetch = qos.prefetchCount();
        }
        channel.reply(new BasicMethod.QosOk());
    }

    private QueueRef queue(String name) {
        String resolved = channel.entities().resolve(name);
        Entities.permit(connection, Operation.READ, Resource.Kind.QUEUE, resolved);
        QueueRef queue = connection.host().table().queue(resolved);
        if (queue == null) {
            if (connection.host().table().stream(resolved) != null) {
                throw new AmqpException(
                        ReplyCode.NOT_IMPLEMENTED,
                        "basic.get not supported by stream queues "
                                + ArgumentChecks.named(
                                        resolved, connection.host().name()));
            }
            throw Entities.noQueue(connection, resolved);
        }
        connection.shared().exclusiveQueues().check(connection.host().name(), resolved, connection);
        return queue;
    }

    /** Name that direct replies to this channel are sent to, null if it takes none. */
    @Nullable
    String replyName() {
        return replies == null ? null : replies.name();
    }

    private void consumeReplies(BasicMethod.Consume consume) {
        if (!consume.noAck()) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "reply consumer cannot acknowledge");
        }
        if (replies != null) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "reply consumer already set");
        }
        ReplyConsumer consumer = new ReplyConsumer(this, DirectReplies.newName(), freeTag(consume));
        replies = consumer;
        connection.shared().directReplies().add(connection.host().name(), consumer.name(), consumer.route());
        if (!consume.noWait()) {
            channel.reply(new BasicMethod.ConsumeOk(consumer.tag()));
        }
    }

    private boolean cancelReplies(@Nullable String tag) {
        ReplyConsumer consumer = replies;
        if (consumer == null || tag != null && !consumer.tag().equals(tag)) {
            return false;
        }
        replies = null;
        consumer.stop();
        connection.shared().directReplies().remove(consumer.name());
        return true;
    }

    /** Writes a reply; one that finds {@value #REPLY_BYTES} bytes waiting for the socket is dropped. */
    void deliver(ReplyConsumer consumer, RecordView reply) {
        if (connection.output().waiting() > REPLY_BYTES) {
            connection.replyDropped();
            return;
        }
        writer.deliver(consumer.tagBytes(), false, reply, 0);
        connection.shared().sent().increment();
        connection.output().wrote();
    }

    private String freeTag(BasicMethod.Consume consume) {
        String tag = consume.consumerTag().isEmpty() ? "amq.ctag-" + RandomNames.uuid() : consume.consumerTag();
        if (byTag.containsKey(tag)
                || streams.has(tag)
                || replies != null && replies.tag().equals(tag)) {
            throw new AmqpException(ReplyCode.NOT_ALLOWED, "attempt to reuse consumer tag '" + tag + "'");
        }
        return tag;
    }

    private void consume(BasicMethod.Consume consume) {
        if (consume.queue().equals(DirectReplies.QUEUE)) {
            consumeReplies(consume);
            return;
        }
        String tag = freeTag(consume);
        StreamInfo stream = stream(consume.queue());
        if (stream != null) {
            streams.consume(
                    consume, channel.entities().resolve(consume.queue()), stream, tag, prefetch, channelPrefetch > 0);
            return;
        }
        QueueRef queue = queue(consume.queue());
        QueueSpec spec = queue.spec();
        ArgumentChecks checks = new ArgumentChecks(spec.vhost(), spec.name(), consume.arguments());
        ConsumerArguments.checkQueue(checks, consume.arguments());
        long priority = checks.number(ConsumerArguments.PRIORITY, 0);
        long timeout = checks.notNegative(ConsumerArguments.TIMEOUT, timeout(spec));
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
            consumer.limit(channelPrefetch);
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
        String own = declaration == null ? null : declaration.arguments().get(ConsumerArguments.TIMEOUT);
        return own == null ? connection.shared().settings().consumerTimeoutMillis() : Long.parseLong(own);
    }

    private @Nullable StreamInfo stream(String name) {
        String resolved = channel.entities().resolve(name);
        if (connection.host().table().queue(resolved) != null) {
            return null;
        }
        StreamInfo stream = connection.host().table().stream(resolved);
        if (stream != null) {
            Entities.permit(connection, Operation.READ, Resource.Kind.STREAM, resolved);
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
                ArgumentChecks.named(queue.spec().name(), queue.spec().vhost()) + " in exclusive use");
    }

    private void cancel(BasicMethod.Cancel cancel) {
        ChannelConsumer consumer = byTag.remove(cancel.consumerTag());
        CompletionStage<@Nullable Void> gone = CompletableFuture.completedStage(null);
        if (consumer != null) {
            returnParked(consumer);
            consumer.cancel();
            gone = consumer.afterwards();
        } else if (!streams.cancel(cancel.consumerTag())) {
            cancelReplies(cancel.consumerTag());
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
                    "cannot obtain access to locked " + ArgumentChecks.named(spec.name(), spec.vhost())
                            + ". basic.get operations are not supported by quorum queues with single active consumer");
        }
    }

    /** Writes deliveries from index {@code from} on, or keeps them while the channel is held back. */
    void deliver(ChannelConsumer consumer, DeliveryBatch batch, int from) {
        if (released) {
            return;
        }
        int written = 0;
        for (int i = from; i < batch.size(); i++) {
            if (mustPark(consumer)) {
                parked.add(new Parked(consumer, (DeliveryBatch) batch.retain(), i));
                consumer.parked(batch.size() - i);
                break;
            }
            write(consumer, batch, i);
            connection.output().spill();
            written++;
        }
        if (written > 0) {
            connection.shared().sent().add(written);
            consumer.wrote(written);
            connection.output().wrote();
            consumer.replenish(connection.output().isWritable());
            consumer.flush();
        }
    }

    /** A client that does not read holds what its socket's buffers take; the rest stays in the batches of the log. */
    private boolean mustPark(ChannelConsumer consumer) {
        return !consumer.isGet()
                && (!flowing
                        || !connection.output().isWritable()
                        || channelPrefetch > 0 && !consumer.isNoAck() && unsettled() >= channelPrefetch
                        || consumer.hasParked());
    }

    /** From now on settlements wait for a commit. */
    void transact(ChannelTransaction with) {
        transaction = with;
    }

    /** A transaction is in force: room for more deliveries. */
    void settledByTransaction() {
        settled = true;
    }

    /** A transaction was rolled back: these are open again. */
    void unsettle(List<ChannelTransaction.Settled> deliveries) {
        unacked.putBack(deliveries);
    }

    private int unsettled() {
        return unacked.size() + (transaction == null ? 0 : transaction.settled().size());
    }

    private void write(ChannelConsumer consumer, DeliveryBatch batch, int i) {
        batch.record(i, record);
        long tag = consumer.isGet()
                ? writer.got(batch.redelivered(i), record, batch.deliveryCount(i), remaining(consumer))
                : writer.deliver(consumer.tagBytes(), batch.redelivered(i), record, batch.deliveryCount(i));
        if (!consumer.isNoAck()) {
            unacked.add(tag, consumer, batch.deliveryId(i));
        }
    }

    private static int remaining(ChannelConsumer consumer) {
        return (int) Math.min(Integer.MAX_VALUE, consumer.queue().stats().ready());
    }

    void ack(long tag, boolean multiple) {
        settle(tag, multiple, Settlement.ACKED);
    }

    void nack(long tag, boolean multiple, boolean requeue) {
        settle(tag, multiple, requeue ? Settlement.FAILED : Settlement.REJECTED);
    }

    private void settle(long tag, boolean multiple, Settlement how) {
        ChannelTransaction with = transaction;
        UnackedDeliveries.Taker taker = with == null
                ? (taken, consumer, id) -> consumer.settle(id, how)
                : (taken, consumer, id) -> with.settle(taken, consumer, id, how);
        boolean known;
        if (!multiple) {
            known = unacked.take(tag, taker);
        } else if (tag == 0) {
            unacked.takeUpTo(writer.lastTag(), taker);
            known = true;
        } else {
            known = tag > 0 && tag <= writer.lastTag() && unacked.takeUpTo(tag, taker) > 0;
        }
        settled = true;
        if (with != null) {
            with.checkParts();
        }
        if (!known) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "unknown delivery tag " + tag);
        }
    }

    private void recover(boolean requeue) {
        if (!requeue) {
            throw new AmqpException(ReplyCode.NOT_IMPLEMENTED, "requeue=false");
        }
        unacked.takeUpTo(writer.lastTag(), (tag, consumer, id) -> consumer.settle(id, Settlement.RELEASED));
        settled = true;
    }

    void flow(boolean active) {
        flowing = active;
        resume();
    }

    /** Writes what was held back, as far as it may leave now. */
    void resume() {
        if (!parked.isEmpty()) {
            List<Parked> entries = new ArrayList<>(parked);
            parked.clear();
            for (Parked entry : entries) {
                entry.consumer().parked(entry.from() - entry.batch().size());
            }
            for (Parked entry : entries) { // what must wait again goes to the end, a consumer's in its order
                try {
                    deliver(entry.consumer(), entry.batch(), entry.from());
                } finally {
                    entry.batch().release();
                }
            }
        }
        for (ChannelConsumer consumer : new ArrayList<>(byTag.values())) {
            consumer.replenish(connection.output().isWritable());
            consumer.flush();
        }
        streams.resume();
    }

    /** Settlements of this read go to the shard; called once per read. */
    void flushSettlements() {
        if (!settled) {
            return;
        }
        settled = false;
        if (!parked.isEmpty()) {
            resume();
        }
        for (ChannelConsumer consumer : new ArrayList<>(attached)) {
            consumer.flush();
        }
        if (!streams.isEmpty()) {
            streams.resume();
        }
    }

    private void returnParked(ChannelConsumer consumer) {
        parked.removeIf(entry -> {
            if (!entry.consumer().equals(consumer)) {
                return false;
            }
            for (int i = entry.from(); i < entry.batch().size(); i++) {
                consumer.handBack(entry.batch().deliveryId(i));
            }
            consumer.parked(entry.from() - entry.batch().size());
            entry.batch().release();
            return true;
        });
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
        return flowing;
    }

    void streamsChanged() {
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

    void release() {
        if (released) {
            return;
        }
        released = true;
        cancelReplies(null);
        streams.release();
        timeouts.stop();
        for (Parked entry : parked) {
            entry.batch().release();
        }
        parked.clear();
        byTag.clear();
        for (ChannelConsumer consumer : new ArrayList<>(attached)) {
            consumer.leave();
        }
    }
}
