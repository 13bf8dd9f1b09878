package io.sluice.amqp091.consume;

import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.session.ChannelContext;
import io.sluice.amqp091.session.DirectReplies;
import io.sluice.amqp091.session.Session;
import io.sluice.message.RecordView;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** The consumer of direct replies to one channel, if it has one. Confined to the loop. */
final class ReplyConsumers {
    /** Bytes waiting for a socket above which direct replies are dropped. */
    private static final long MAX_WAITING = 16 << 20;

    private final Session connection;
    private final ChannelContext channel;
    private final DeliveryWriter writer;
    private @Nullable ReplyConsumer consumer;

    ReplyConsumers(Session connection, ChannelContext channel, DeliveryWriter writer) {
        this.connection = connection;
        this.channel = channel;
        this.writer = writer;
    }

    boolean isEmpty() {
        return consumer == null;
    }

    boolean has(String tag) {
        return consumer != null && consumer.tag().equals(tag);
    }

    /** Name that replies to this channel are sent to, null if it takes none. */
    @Nullable
    String name() {
        return consumer == null ? null : consumer.name();
    }

    Executor executor() {
        return connection.executor();
    }

    void consume(BasicMethod.Consume consume, String tag) {
        if (!consume.noAck()) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "reply consumer cannot acknowledge");
        }
        if (consumer != null) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "reply consumer already set");
        }
        ReplyConsumer added = new ReplyConsumer(this, DirectReplies.newName(), tag);
        consumer = added;
        connection.shared().directReplies().add(connection.host().name(), added.name(), added.route());
        if (!consume.noWait()) {
            channel.reply(new BasicMethod.ConsumeOk(tag));
        }
    }

    /** Ends the consumer if it has this tag. */
    void cancel(String tag) {
        if (has(tag)) {
            release();
        }
    }

    void release() {
        ReplyConsumer present = consumer;
        if (present != null) {
            consumer = null;
            present.stop();
            connection.shared().directReplies().remove(present.name());
        }
    }

    /** Writes a reply; one that finds {@value #MAX_WAITING} bytes waiting for the socket is dropped. */
    void deliver(ReplyConsumer to, RecordView reply) {
        if (connection.output().waiting() > MAX_WAITING) {
            connection.replyDropped();
            return;
        }
        writer.deliver(to.tagBytes(), false, reply, 0);
        connection.shared().sent().increment();
        connection.output().wrote();
    }
}
