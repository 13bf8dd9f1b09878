package io.sluice.amqp091.connection;

import io.netty.buffer.ByteBuf;
import io.sluice.amqp091.codec.AccessMethod;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.ChannelMethod;
import io.sluice.amqp091.codec.ConfirmMethod;
import io.sluice.amqp091.codec.ExchangeMethod;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.Protocol;
import io.sluice.amqp091.codec.QueueMethod;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.codec.TxMethod;
import io.sluice.amqp091.consume.ChannelConsumers;
import io.sluice.amqp091.entity.ExchangeOperations;
import io.sluice.amqp091.entity.QueueOperations;
import io.sluice.amqp091.publish.ChannelPublisher;
import io.sluice.amqp091.session.ChannelContext;
import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.amqp091.transaction.ChannelTransaction;
import org.jspecify.annotations.Nullable;

/**
 * One channel: gives frames to publisher, consumers and entity operations.
 *
 * <pre>
 * Open --soft error, channel.close sent--> Closing --close-ok--> gone
 * Open --channel.close--> gone
 * </pre>
 *
 * Confined to the connection's loop.
 */
final class AmqpChannel implements ChannelContext {
    /** Octets kept with each frame: its type and size. */
    static final int HELD_OVERHEAD = 5;

    static final int OPEN = Protocol.id(Protocol.CLASS_CHANNEL, 10);

    private static final int QUEUE_DECLARE = Protocol.id(Protocol.CLASS_QUEUE, 10);

    private sealed interface State {
        record Open() implements State {}

        /** Everything but close and close-ok is dropped. */
        record Closing() implements State {}
    }

    private final AmqpConnection connection;
    private final int number;
    private final ChannelPublisher publisher;
    private final ChannelConsumers consumers;
    private final QueueOperations queues;
    private final ExchangeOperations exchanges;
    private State state = new State.Open();
    private int waiting;
    private boolean busy;
    private @Nullable ByteBuf held;
    private @Nullable ChannelTransaction transaction;

    AmqpChannel(AmqpConnection connection, int number) {
        this.connection = connection;
        this.number = number;
        this.queues = new QueueOperations(connection, this);
        this.exchanges = new ExchangeOperations(connection, this);
        this.consumers = new ChannelConsumers(connection, this);
        this.publisher = new ChannelPublisher(connection, number, connection.publishes(), consumers::replyName);
    }

    @Override
    public int number() {
        return number;
    }

    ChannelConsumers consumers() {
        return consumers;
    }

    ConnectionInfo.Channel describe() {
        return new ConnectionInfo.Channel(
                number,
                publisher.isConfirming(),
                transaction != null,
                consumers.unacked(),
                consumers.prefetch(),
                consumers.describe());
    }

    /** The first frame, {@code channel.open}. */
    void opened(ByteBuf payload) {
        Method.decode(payload.readInt(), payload);
        reply(new ChannelMethod.OpenOk());
    }

    boolean isOpen() {
        return state instanceof State.Open;
    }

    /** One more answer of the catalog or a queue is waited for; true if the channel was idle. */
    boolean startWaiting() {
        waiting++;
        boolean idle = !busy;
        busy = true;
        return idle;
    }

    /** One answer has come; true if it was the last. */
    boolean stopWaiting() {
        return --waiting == 0;
    }

    boolean isWaiting() {
        return waiting > 0;
    }

    /** Nothing is waited for and no frame is kept; true if that is new. */
    boolean becomeIdle() {
        boolean was = busy;
        busy = false;
        return was;
    }

    /** True if frames must be kept for later, so that they take effect in their order. */
    boolean mustHold() {
        return busy;
    }

    /**
     * Takes up a declaration of a queue although answers to such declarations are awaited, so that many become durable with one
     * write; false if the frame has to be kept. The payload is only read if it is taken.
     */
    boolean declaredBehind(int type, ByteBuf payload) {
        return type == Protocol.FRAME_METHOD
                && isOpen()
                && held == null
                && !publisher.isInMessage()
                && queues.takesDeclares(waiting)
                && payload.readableBytes() >= 4
                && payload.getInt(payload.readerIndex()) == QUEUE_DECLARE
                && queues.declareBehind(payload);
    }

    /** Keeps a copy of a frame; answers the bytes that takes. */
    int hold(int type, ByteBuf payload) {
        ByteBuf frames = held;
        if (frames == null) {
            frames = connection.ctx().alloc().buffer(payload.readableBytes() + 64);
            held = frames;
        }
        int size = payload.readableBytes();
        frames.writeByte(type).writeInt(size).writeBytes(payload);
        return size + HELD_OVERHEAD;
    }

    /** Takes the frames kept, null if there are none. */
    @Nullable
    ByteBuf takeHeld() {
        ByteBuf frames = held;
        held = null;
        return frames;
    }

    /** Puts frames back that must wait once more. */
    void putBack(ByteBuf frames) {
        held = frames;
    }

    @Override
    public String resolve(String queue) {
        return queues.resolve(queue);
    }

    @Override
    public void reply(Method method) {
        connection.output().method(number, method);
    }

    void frame(int type, int id, ByteBuf payload) {
        if (state instanceof State.Closing) {
            if (id == Protocol.id(Protocol.CLASS_CHANNEL, 41)) {
                connection.removed(this);
            } else if (id == Protocol.id(Protocol.CLASS_CHANNEL, 40)) {
                reply(new ChannelMethod.CloseOk());
            }
            return;
        }
        switch (type) {
            case Protocol.FRAME_HEADER -> publisher.header(payload);
            case Protocol.FRAME_BODY -> publisher.body(payload);
            default -> {
                if (publisher.isInMessage()) {
                    throw new AmqpException(
                            ReplyCode.UNEXPECTED_FRAME, "method " + Method.name(id) + " within a message");
                }
                payload.skipBytes(4);
                method(id, payload);
            }
        }
    }

    private void method(int id, ByteBuf in) {
        if (id == Protocol.BASIC_PUBLISH) {
            publisher.publish(in);
        } else if (id == Protocol.BASIC_ACK) {
            long tag = in.readLong();
            boolean multiple = in.readBoolean();
            endOf(id, in);
            consumers.ack(tag, multiple);
        } else if (id == Protocol.BASIC_NACK) {
            long tag = in.readLong();
            int bits = in.readByte();
            endOf(id, in);
            consumers.nack(tag, (bits & 1) != 0, (bits & 2) != 0);
        } else if (id == Protocol.BASIC_REJECT) {
            long tag = in.readLong();
            boolean requeue = in.readBoolean();
            endOf(id, in);
            consumers.nack(tag, false, requeue);
        } else {
            method(Method.decode(id, in));
        }
    }

    private static void endOf(int id, ByteBuf in) {
        if (in.isReadable()) {
            throw Method.tooLong(id, in);
        }
    }

    private void method(Method method) {
        if (method instanceof BasicMethod basic) {
            consumers.method(basic);
        } else if (method instanceof QueueMethod queue) {
            queues.method(queue);
        } else if (method instanceof ExchangeMethod exchange) {
            exchanges.method(exchange);
        } else if (method instanceof ConfirmMethod.Select select) {
            publisher.confirmSelect();
            if (!select.noWait()) {
                reply(new ConfirmMethod.SelectOk());
            }
        } else if (method instanceof TxMethod tx) {
            transaction(tx);
        } else if (method instanceof AccessMethod.Request) {
            reply(new AccessMethod.RequestOk(1));
        } else if (method instanceof ChannelMethod.Flow flow) {
            consumers.flow(flow.active());
            reply(new ChannelMethod.FlowOk(flow.active()));
        } else if (method instanceof ChannelMethod.FlowOk) {
            throw new AmqpException(ReplyCode.COMMAND_INVALID, "channel.flow-ok without channel.flow");
        } else if (method instanceof ChannelMethod.Close) {
            // what this read published before is confirmed by then or not at all
            connection.handOver();
            release();
            reply(new ChannelMethod.CloseOk());
            connection.removed(this);
        } else if (method instanceof ChannelMethod.Open) {
            throw new AmqpException(ReplyCode.CHANNEL_ERROR, "second 'channel.open' seen");
        } else {
            throw new AmqpException(
                    ReplyCode.COMMAND_INVALID, "method " + Method.name(method.id()) + " on channel " + number);
        }
    }

    private void transaction(TxMethod method) {
        ChannelTransaction current = transaction;
        if (method instanceof TxMethod.Select) {
            if (publisher.isConfirming()) {
                throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "cannot switch from confirm to tx mode");
            }
            if (current == null) {
                current = new ChannelTransaction(connection);
                transaction = current;
                publisher.transact(current);
                consumers.transact(current);
            }
            reply(new TxMethod.SelectOk());
        } else if (method instanceof TxMethod.Commit) {
            ChannelTransaction open = require(current);
            // what was settled before this channel was transactional goes first
            connection.handOver();
            connection.await(number, method.id(), open.commit(), done -> {
                if (transaction == null) {
                    return;
                }
                open.committed();
                consumers.settledByTransaction();
                reply(new TxMethod.CommitOk());
            });
        } else if (method instanceof TxMethod.Rollback) {
            ChannelTransaction open = require(current);
            consumers.unsettle(open.settled());
            open.clear();
            reply(new TxMethod.RollbackOk());
        } else {
            throw new AmqpException(
                    ReplyCode.COMMAND_INVALID, "method " + Method.name(method.id()) + " is the broker's to send");
        }
    }

    private static ChannelTransaction require(@Nullable ChannelTransaction current) {
        if (current == null) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "channel is not transactional");
        }
        return current;
    }

    /** A soft error. */
    void closeWith(AmqpException error, int method) {
        if (state instanceof State.Closing) {
            return;
        }
        state = new State.Closing();
        connection.handOver();
        release();
        reply(new ChannelMethod.Close(
                error.code().code(), String.valueOf(error.getMessage()), method >>> 16, method & 0xFFFF));
    }

    void release() {
        publisher.release();
        consumers.release();
        ChannelTransaction open = transaction;
        if (open != null) {
            transaction = null;
            open.clear();
        }
    }

    /** Frames kept are never looked at. */
    void dropHeld() {
        ByteBuf frames = held;
        if (frames != null) {
            held = null;
            frames.release();
        }
    }
}
