package io.sluice.amqp091.entity;

import io.netty.buffer.ByteBuf;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.QueueMethod;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.session.ChannelContext;
import io.sluice.amqp091.session.DirectReplies;
import io.sluice.amqp091.session.ExclusiveQueues;
import io.sluice.amqp091.session.RandomNames;
import io.sluice.amqp091.session.Refusals;
import io.sluice.amqp091.session.Session;
import io.sluice.amqp091.stream.StreamSettings;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamInfo;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueStats;
import io.sluice.routing.QueueDeclaration;
import io.sluice.routing.RoutingTable;
import java.util.Base64;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code queue.*} on one channel. Confined to the loop. */
public final class QueueOperations {
    private static final Logger LOG = LoggerFactory.getLogger(QueueOperations.class);
    /** Declarations whose answers one channel may await at a time. */
    private static final int MAX_DECLARES = 1024;

    private final Session connection;
    private final ChannelContext channel;
    private final Bindings bindings;
    private @Nullable String lastDeclared;
    /** Declarations of queues whose answers are awaited. */
    private int declares;

    private @Nullable CompletionStage<QueueRef> lastDeclare;
    private @Nullable CompletionStage<QueueStats> lastAnswer;

    public QueueOperations(Session connection, ChannelContext channel) {
        this.connection = connection;
        this.channel = channel;
        this.bindings = new Bindings(connection);
    }

    /** An empty name stands for the queue this channel declared last. */
    public String resolve(String name) {
        if (!name.isEmpty()) {
            return name;
        }
        String last = lastDeclared;
        if (last == null) {
            throw new AmqpException(ReplyCode.NOT_FOUND, "no previously declared queue");
        }
        return last;
    }

    /** The routing key of a binding whose queue and key are both left out is the name of the queue that was declared last. */
    private String bindingKey(String queue, String key) {
        return queue.isEmpty() && key.isEmpty() ? resolve("") : key;
    }

    private RoutingTable table() {
        return connection.host().table();
    }

    /** Waits for a change, then replies. */
    private void change(Method method, CompletionStage<?> stage, @Nullable Method reply) {
        connection.await(channel.number(), method.id(), stage, done -> {
            if (reply != null) {
                channel.reply(reply);
            }
        });
    }

    public void method(QueueMethod method) {
        if (method instanceof QueueMethod.Declare declare) {
            declare(declare);
        } else if (method instanceof QueueMethod.Bind bind) {
            change(
                    bind,
                    connection
                            .host()
                            .bind(
                                    connection.caller(),
                                    bindings.toQueue(
                                            bind.exchange(),
                                            resolve(EntityNames.clean(bind.queue())),
                                            bindingKey(bind.queue(), bind.routingKey()),
                                            bind.arguments())),
                    bind.noWait() ? null : new QueueMethod.BindOk());
        } else if (method instanceof QueueMethod.Unbind unbind) {
            change(
                    unbind,
                    connection
                            .host()
                            .unbind(
                                    connection.caller(),
                                    bindings.toQueue(
                                            unbind.exchange(),
                                            resolve(EntityNames.clean(unbind.queue())),
                                            bindingKey(unbind.queue(), unbind.routingKey()),
                                            unbind.arguments())),
                    new QueueMethod.UnbindOk());
        } else if (method instanceof QueueMethod.Purge purge) {
            purge(purge);
        } else if (method instanceof QueueMethod.Delete delete) {
            delete(delete);
        } else {
            throw new AmqpException(
                    ReplyCode.COMMAND_INVALID, "method " + Method.name(method.id()) + " is the broker's to send");
        }
    }

    private void declare(QueueMethod.Declare declare) {
        String vhost = connection.host().name();
        if (declare.queue().startsWith(DirectReplies.QUEUE)) {
            declareReplies(declare);
            return;
        }
        ExclusiveQueues locks = connection.shared().exclusiveQueues();
        if (declare.passive()) {
            String name = EntityNames.clean(declare.queue());
            locks.check(vhost, name, connection);
            QueueRef queue = table().queue(name);
            if (queue == null && table().stream(name) == null) {
                throw Refusals.noQueue(connection, name);
            }
            declared(declare, name, queue);
            return;
        }
        Wanted wanted = wanted(declare);
        String name = wanted.name();
        if (wanted.arguments().isStream()) {
            declareStream(declare, name, wanted.arguments().stream());
            return;
        }
        QueueDeclaration declaration = declaration(declare, wanted);
        QueueDeclaration present = table().queueDeclaration(name);
        if (present != null && present.exclusive() != declare.exclusive()) {
            throw Refusals.locked(vhost, name);
        }
        if (declare.exclusive()) {
            locks.claim(vhost, name, connection);
        }
        // the counts of the answer know of what the client sent before
        connection.handOver();
        CompletionStage<QueueRef> stage = connection.host().declareQueue(connection.caller(), declaration);
        if (declare.exclusive() && connection.exclusiveQueues().add(name)) {
            stage = stage.whenComplete((queue, failure) -> {
                if (failure != null) { // not declared by this connection: nothing to lock or to delete
                    locks.release(vhost, name, connection);
                    connection
                            .executor()
                            .execute(() -> connection.exclusiveQueues().remove(name));
                }
            });
        }
        declaring(declare, name, stage);
    }

    private record Wanted(String name, QueueArguments arguments) {}

    private Wanted wanted(QueueMethod.Declare declare) {
        String vhost = connection.host().name();
        String given = EntityNames.clean(declare.queue());
        String name = given.isEmpty() ? generatedName() : given;
        QueueArguments arguments = QueueArguments.parse(vhost, name, declare.arguments());
        if (!given.isEmpty()) {
            EntityNames.refuseReserved("queue", name);
        }
        connection.shared().exclusiveQueues().check(vhost, name, connection);
        if (!arguments.type().equals("classic")) {
            refuseTransient(declare, Refusals.named(name, vhost), arguments.isStream() && given.isEmpty());
        }
        return new Wanted(name, arguments);
    }

    private QueueDeclaration declaration(QueueMethod.Declare declare, Wanted wanted) {
        String name = wanted.name();
        QueueArguments arguments = wanted.arguments();
        if (table().stream(name) != null) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED,
                    "inequivalent arg 'x-queue-type' for "
                            + Refusals.named(name, connection.host().name()) + ": received '"
                            + arguments.type() + "' but current is 'stream'");
        }
        return new QueueDeclaration(
                name,
                declare.durable() && !declare.exclusive(),
                declare.exclusive(),
                declare.autoDelete(),
                arguments.policy(),
                arguments.text());
    }

    private static String generatedName() {
        return "amq.gen-" + randomName();
    }

    /** Answers in the order of declarations, also where one is refused before those ahead of it are durable. */
    private void declaring(QueueMethod.Declare declare, String name, CompletionStage<QueueRef> stage) {
        CompletionStage<QueueStats> counted = stage.thenCompose(queue -> {
            queue.touch();
            return declare.noWait() ? CompletableFuture.completedFuture(null) : queue.currentStats();
        });
        CompletionStage<QueueStats> before = lastAnswer;
        CompletionStage<QueueStats> answer = declares == 0 || before == null
                ? counted
                : before.handle((stats, failure) -> counted).thenCompose(Function.identity());
        lastDeclare = stage;
        lastAnswer = answer;
        declares++;
        connection.await(channel.number(), declare.id(), answer, stats -> {
            declares--;
            lastDeclared = name;
            if (stats != null) {
                channel.reply(new QueueMethod.DeclareOk(name, count(stats.ready()), stats.consumers()));
            }
        });
    }

    /** True if all that the channel waits for are declarations of queues, and not too many. */
    public boolean takesDeclares(int waiting) {
        return declares > 0 && declares == waiting && declares < MAX_DECLARES;
    }

    /**
     * Declares a queue behind others that are not yet durable, if it can: what would be refused at once, or answered sooner than
     * those before, has to wait for them.
     */
    public boolean declareBehind(ByteBuf payload) {
        CompletionStage<QueueRef> before = lastDeclare;
        try {
            Method method = Method.decode(
                    payload.getInt(payload.readerIndex()), payload.slice().skipBytes(4));
            if (before == null
                    || !(method instanceof QueueMethod.Declare declare)
                    || declare.passive()
                    || declare.exclusive()) {
                return false;
            }
            Wanted wanted = wanted(declare);
            if (wanted.arguments().isStream()) {
                return false;
            }
            QueueDeclaration declaration = declaration(declare, wanted);
            declaring(
                    declare,
                    declaration.name(),
                    connection.host().declareQueue(connection.caller(), declaration, before));
            return true;
        } catch (RuntimeException e) {
            LOG.debug("{}: a declaration waits for those before to be refused", connection, e);
            return false;
        }
    }

    /** Every declaration of a reply queue is a question whether it is there; one that is has one consumer. */
    private void declareReplies(QueueMethod.Declare declare) {
        String name = declare.queue();
        if (!name.equals(DirectReplies.QUEUE)
                && connection.shared().directReplies().find(connection.host().name(), name) == null) {
            throw Refusals.noQueue(connection, name);
        }
        if (!declare.noWait()) {
            channel.reply(new QueueMethod.DeclareOk(name, 0, 1));
        }
    }

    /** What RabbitMQ refuses for its replicated queue types. */
    private static void refuseTransient(QueueMethod.Declare declare, String named, boolean server) {
        String property = declare.autoDelete() ? "auto-delete" : declare.exclusive() ? "exclusive-owner" : null;
        if (property == null && !declare.durable()) {
            property = "non-durable";
        }
        if (property != null) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "invalid property '" + property + "' for " + named);
        }
        if (server) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED, "Cannot declare a server-named queue for type rabbit_stream_queue");
        }
    }

    private void declareStream(QueueMethod.Declare declare, String name, StreamSettings settings) {
        String named = Refusals.named(name, connection.host().name());
        if (table().queue(name) != null) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED,
                    "inequivalent arg 'x-queue-type' for " + named + ": received 'stream' but current is '"
                            + type(table().queueDeclaration(name)) + "'");
        }
        StreamSettings.Difference difference = table().stream(name) == null
                ? null
                : settings.difference(connection.host().streamConfigs(name));
        if (difference != null) {
            Object value = declare.arguments().get(difference.argument());
            String wanted = difference.present() == null
                    ? "the value '" + value + "' of type '" + ArgumentChecks.type(value) + "'"
                    : "'" + value + "'";
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED,
                    "inequivalent arg '" + difference.argument() + "' for " + named + ": received " + wanted
                            + " but current is "
                            + (difference.present() == null ? "none" : "'" + difference.present() + "'"));
        }
        int partitions = 1;
        StreamInfo present = table().stream(name);
        if (present != null) {
            partitions = present.partitions();
        }
        connection.await(
                channel.number(),
                declare.id(),
                connection
                        .host()
                        .declareStream(connection.caller(), name, partitions, settings.config(), settings.configs()),
                stream -> declared(declare, name, null));
    }

    private static String type(@Nullable QueueDeclaration declaration) {
        String type = declaration == null ? null : declaration.arguments().get("x-queue-type");
        return type == null ? "classic" : type;
    }

    /** Messages of a stream, of all its partitions. */
    private int streamMessages(String name) {
        StreamInfo stream = table().stream(name);
        long messages = 0;
        for (int i = 0; stream != null && i < stream.partitions(); i++) {
            LogPartition partition = connection.shared().broker().engine().partition(new PartitionId(stream.id(), i));
            messages += partition == null ? 0 : partition.highWatermark() - partition.logStartOffset();
        }
        return count(Math.max(0, messages));
    }

    private static String randomName() {
        UUID id = RandomNames.uuid();
        java.nio.ByteBuffer bytes = java.nio.ByteBuffer.allocate(16);
        bytes.putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits());
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes.array());
    }

    private void declared(QueueMethod.Declare declare, String name, @Nullable QueueRef queue) {
        lastDeclared = name;
        if (queue != null) {
            queue.touch();
        }
        if (declare.noWait()) {
            return;
        }
        if (queue == null) {
            channel.reply(new QueueMethod.DeclareOk(name, streamMessages(name), 0));
            return;
        }
        // the counts know of what the client sent before
        connection.handOver();
        connection.await(
                channel.number(),
                declare.id(),
                queue.currentStats(),
                now -> channel.reply(new QueueMethod.DeclareOk(name, count(now.ready()), now.consumers())));
    }

    private static int count(long messages) {
        return (int) Math.min(Integer.MAX_VALUE, messages);
    }

    private void purge(QueueMethod.Purge purge) {
        String name = resolve(purge.queue());
        Refusals.permit(connection, Operation.READ, Resource.Kind.QUEUE, name);
        connection.shared().exclusiveQueues().check(connection.host().name(), name, connection);
        QueueRef queue = table().queue(name);
        if (queue == null) {
            if (table().stream(name) != null) {
                throw new AmqpException(
                        ReplyCode.NOT_IMPLEMENTED,
                        "queue.purge not supported by stream queues "
                                + Refusals.named(name, connection.host().name()));
            }
            throw Refusals.noQueue(connection, name);
        }
        connection.handOver(); // purge sees what was published before it
        connection.await(channel.number(), purge.id(), queue.purge(connection.caller()), purged -> {
            if (!purge.noWait()) {
                channel.reply(new QueueMethod.PurgeOk(count(purged)));
            }
        });
    }

    private void delete(QueueMethod.Delete delete) {
        String name = resolve(EntityNames.clean(delete.queue()));
        String vhost = connection.host().name();
        connection.shared().exclusiveQueues().check(vhost, name, connection);
        connection.handOver();
        if (table().queue(name) == null) {
            QueueMethod.DeleteOk none = new QueueMethod.DeleteOk(0);
            if (table().stream(name) != null) {
                change(
                        delete,
                        connection.host().deleteStream(connection.caller(), name),
                        delete.noWait() ? null : none);
            } else if (!delete.noWait()) {
                channel.reply(none); // deleting what is not there succeeds, as RabbitMQ has it
            }
            return;
        }
        connection.await(
                channel.number(),
                delete.id(),
                connection.host().deleteQueue(connection.caller(), name, delete.ifUnused(), delete.ifEmpty()),
                deleted -> {
                    connection.shared().exclusiveQueues().release(vhost, name, connection);
                    connection.exclusiveQueues().remove(name);
                    if (!delete.noWait()) {
                        channel.reply(new QueueMethod.DeleteOk(count(deleted)));
                    }
                });
    }
}
