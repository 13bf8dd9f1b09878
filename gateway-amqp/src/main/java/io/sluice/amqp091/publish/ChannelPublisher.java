package io.sluice.amqp091.publish;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.ContentHeader;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.convert.AmqpDirectMessage;
import io.sluice.amqp091.convert.InboundMessage;
import io.sluice.amqp091.session.DirectReplies;
import io.sluice.amqp091.session.Session;
import io.sluice.amqp091.transaction.ChannelTransaction;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.routing.HeaderScratch;
import io.sluice.routing.Route;
import io.sluice.routing.topic.TopicFilters;
import io.sluice.routing.topic.TopicNames;
import io.sluice.shard.PublishBatch;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Publishing on one channel: {@code basic.publish}, content header and body frames become one record of the connection's batch.
 * Names and route of the last message are kept, so that a run of messages to one address costs a comparison of bytes. Confined
 * to the loop.
 */
public final class ChannelPublisher {
    private enum Expect {
        METHOD,
        HEADER,
        BODY
    }

    private static final String TOPIC_EXCHANGE = "amq.topic";

    private final Session connection;
    private final int channel;
    private final PublishPipeline publishes;
    private final Supplier<@Nullable String> replyName;
    private final ContentHeader header;
    private final InboundMessage message;
    private final ConfirmTracker confirms = new ConfirmTracker();
    private Expect expect = Expect.METHOD;
    private boolean confirming;
    private long sequence;
    private boolean released;
    private @Nullable ChannelTransaction transaction;

    private final PublishAddresses addresses = new PublishAddresses();
    private PublishAddress address = PublishAddress.NONE;
    private boolean mandatory;
    private @Nullable Route later;
    private @Nullable HeaderScratch scratch;

    private @Nullable ByteBuf body;
    private int bodyLength;

    /**
     * A channel's publisher.
     *
     * @param replyName name that direct replies to the channel are sent to, null if it takes none
     */
    public ChannelPublisher(
            Session connection, int channel, PublishPipeline publishes, Supplier<@Nullable String> replyName) {
        this.publishes = publishes;
        this.replyName = replyName;
        this.connection = connection;
        this.channel = channel;
        this.header = new ContentHeader(connection.allocator().buffer(256));
        this.message = new InboundMessage(header);
    }

    /** True between a publish and the end of its body. */
    public boolean isInMessage() {
        return expect != Expect.METHOD;
    }

    public void confirmSelect() {
        if (transaction != null) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "cannot switch from tx to confirm mode");
        }
        confirming = true;
    }

    public boolean isConfirming() {
        return confirming;
    }

    /** From now on messages wait for a commit. */
    public void transact(ChannelTransaction with) {
        transaction = with;
    }

    /** Arguments of {@code basic.publish}. */
    public void publish(ByteBuf in) {
        in.skipBytes(2);
        address = addresses.read(in);
        int bits = in.readByte();
        mandatory = (bits & 1) != 0;
        if ((bits & 2) != 0) {
            throw new AmqpException(ReplyCode.NOT_IMPLEMENTED, "immediate=true");
        }
        if (in.isReadable()) {
            throw new AmqpException(ReplyCode.SYNTAX_ERROR, "bytes after the arguments of basic.publish");
        }
        address.check(connection);
        expect = Expect.HEADER;
    }

    /** A content header frame. */
    public void header(ByteBuf payload) {
        if (expect != Expect.HEADER) {
            throw new AmqpException(ReplyCode.UNEXPECTED_FRAME, "content header without basic.publish");
        }
        header.read(payload);
        long size = header.bodySize();
        int limit = connection.shared().settings().maxMessageBytes();
        if (size < 0 || size > limit) {
            expect = Expect.METHOD;
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED,
                    "message size " + Long.toUnsignedString(size) + " is larger than configured max size " + limit);
        }
        if (header.has(ContentHeader.REPLY_TO)
                && header.length(ContentHeader.REPLY_TO) == DirectReplies.QUEUE.length()
                && header.text(ContentHeader.REPLY_TO).equals(DirectReplies.QUEUE)) {
            askForDirectReplies();
        }
        message.inspect();
        if (header.has(ContentHeader.USER_ID)
                && !header.text(ContentHeader.USER_ID)
                        .equals(connection.caller().principal().name())) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED,
                    "user_id property set to '" + header.text(ContentHeader.USER_ID) + "' but authenticated user was '"
                            + connection.caller().principal().name() + "'");
        }
        bodyLength = (int) size;
        if (bodyLength == 0) {
            complete(payload, payload.readerIndex());
        } else {
            expect = Expect.BODY;
        }
    }

    /** Puts the name of this channel's replies in place of the one that stands for it. */
    private void askForDirectReplies() {
        String name = replyName.get();
        if (name == null) {
            throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "fast reply consumer does not exist");
        }
        header.replaceText(ContentHeader.REPLY_TO, name.getBytes(UTF_8));
    }

    /** A body frame. */
    public void body(ByteBuf payload) {
        if (expect != Expect.BODY) {
            throw new AmqpException(ReplyCode.UNEXPECTED_FRAME, "body frame without content header");
        }
        int length = payload.readableBytes();
        if (length == 0) {
            return;
        }
        ByteBuf parts = body;
        if (parts == null && length == bodyLength) {
            complete(payload, payload.readerIndex());
            return;
        }
        if ((parts == null ? 0 : parts.readableBytes()) + length > bodyLength) {
            throw new AmqpException(
                    ReplyCode.FRAME_ERROR, "body frames exceed the announced size of " + bodyLength + " bytes");
        }
        connection.bodies().take(length);
        if (parts == null) {
            // grows as parts come: what a client only announces takes no memory
            parts = connection.allocator().buffer(Math.min(bodyLength, 2 * length));
            body = parts;
        }
        parts.writeBytes(payload);
        if (parts.readableBytes() == bodyLength) {
            try {
                complete(parts, 0);
            } finally {
                dropBody();
            }
        }
    }

    private void dropBody() {
        ByteBuf parts = body;
        if (parts != null) {
            body = null;
            connection.bodies().giveBack(parts.writerIndex());
            parts.release();
        }
    }

    private void complete(ByteBuf content, int start) {
        expect = Expect.METHOD;
        boolean persistent = header.octet(ContentHeader.DELIVERY_MODE) == 2;
        int qos = persistent || confirming ? 1 : 0;
        boolean delayed = message.delay() > 0;
        boolean retained = message.isRetained()
                && !delayed
                && address.exchange().equals(TOPIC_EXCHANGE)
                && !TopicFilters.isReserved(address.key());
        String topic = retained ? TopicNames.topicOfKey(address.key()) : "";
        Route target = delayed ? later() : retained ? address.retainedRoute(topic, qos) : address.route(qos);
        if (target.isByMessage() || message.hasCopies() && !delayed) {
            target = address.route(topic, qos, headers(), message);
        } else if (address.isDirectReply()) {
            Route reply =
                    connection.shared().directReplies().find(connection.host().name(), address.key());
            target = reply == null ? Route.NONE : reply;
        }
        long number = confirming ? ++sequence : 0;
        if (target.isEmpty()) {
            if (mandatory) {
                returnMessage(content, start);
            }
        } else {
            append(target, topic, content, start, persistent, number);
        }
        if (transaction == null) {
            publishes.added(this, number);
        } else {
            transaction.added();
        }
    }

    /** The headers of the message, for exchanges that look at them. */
    private RecordView headers() {
        HeaderScratch record = scratch;
        if (record == null) {
            record = new HeaderScratch();
            scratch = record;
        }
        return record.end(message.writeHeaders(record.begin(), address.exchangeBytes(), address.keyBytes(), false, 0));
    }

    /**
     * Adds a message to the batch.
     *
     * @param topic MQTT topic of a message to be retained, which is its record key; else empty
     */
    private void append(Route target, String topic, ByteBuf content, int start, boolean persistent, long number) {
        ChannelTransaction with = transaction;
        PublishBatch batch = with == null ? publishes.batch() : with.batch();
        ByteBuf out = batch.buffer();
        int begin = out.writerIndex();
        batch.begin();
        boolean ownKey = message.hasKey() && topic.isEmpty();
        if (ownKey) {
            RecordFields.writeVarint(out, message.keyLength());
            out.writeBytes(header.buffer(), message.keyStart(), message.keyLength());
        } else {
            RecordFields.writeBytes(out, topic.isEmpty() ? address.keyBytes() : topic.getBytes(UTF_8));
        }
        RecordFields.writeVarint(out, bodyLength);
        out.writeBytes(content, start, bodyLength);
        int headersAt = out.writerIndex();
        batch.headers();
        long now = connection.shared().broker().clock().epochMillis();
        int headers =
                message.writeHeaders(out, address.exchangeBytes(), address.keyBytes(), ownKey || !topic.isEmpty(), now);
        long timestamp = message.timestamp(now);
        if (target.direct().length > 0) {
            AmqpDirectMessage direct = new AmqpDirectMessage(
                    TopicNames.topicOfKey(address.key()),
                    persistent || confirming ? 1 : 0,
                    AmqpDirectMessage.encode(out, begin, headersAt, headers, connection.allocator()),
                    timestamp);
            if (with == null) {
                connection.direct().add(direct, target);
            } else {
                with.direct(direct, target);
            }
            direct.release();
        }
        if (target.stored().isEmpty()) {
            out.writerIndex(begin);
            return;
        }
        boolean delayed = message.delay() > 0;
        batch.options(message.priority(), delayed ? message.delay() : message.timeToLive());
        Durability durability = durability(persistent);
        if (delayed && durability == Durability.MEMORY) {
            // what waits for long waits on disk
            durability = Durability.OS;
        }
        batch.end(headers, target.stored(), orderHash(target, ownKey), timestamp, durability, number);
    }

    /** Where delayed messages wait until they are routed. */
    private Route later() {
        Route route = later;
        if (route == null) {
            route = new Route(connection.host().delayed(), Route.NONE.direct());
            later = route;
        }
        return route;
    }

    private Durability durability(boolean persistent) {
        Durability configured = connection.shared().settings().durability();
        if (!persistent) {
            return Durability.MEMORY;
        }
        return configured != null ? configured : confirming ? Durability.GROUP : Durability.OS;
    }

    /** Order follows the exchange, or the queue for the default exchange; the record key where only streams take the message. */
    private int orderHash(Route target, boolean ownKey) {
        if (ownKey && target.stored().queueCount() == 0) {
            int hash = 1;
            for (int i = 0; i < message.keyLength(); i++) {
                hash = 31 * hash + header.buffer().getByte(message.keyStart() + i);
            }
            return hash;
        }
        return address.exchange().isEmpty()
                ? address.key().hashCode()
                : address.exchange().hashCode();
    }

    private void returnMessage(ByteBuf content, int start) {
        ChannelTransaction with = transaction;
        ByteBuf out = with == null ? connection.output().buffer() : with.returns();
        FrameWriter.method(
                out,
                channel,
                new BasicMethod.Return(
                        ReplyCode.NO_ROUTE.code(), ReplyCode.NO_ROUTE.name(), address.exchange(), address.key()));
        ByteBuf properties = header.buffer();
        FrameWriter.content(
                out,
                channel,
                to -> to.writeBytes(properties, 0, properties.writerIndex()),
                content,
                start,
                bodyLength,
                connection.frameMax());
        if (with == null) {
            connection.output().wrote();
        }
    }

    /**
     * Messages {@code first} to {@code last} are stored or refused; 0 = without confirms.
     *
     * @param batch what they were part of
     * @param from index of their first message in the batch; those that had no route are not in it
     * @param to index after their last message in the batch
     */
    void completed(long first, long last, PublishBatch batch, int from, int to, @Nullable LogException error) {
        if (released) {
            return;
        }
        if (last > 0) {
            long next = Math.max(1, first);
            if (error == null && batch.anyRefused()) {
                next = confirmWithRefusals(next, batch, from, to);
            }
            if (next <= last) {
                confirm(next, last, error == null);
            }
        } else if (error != null) {
            connection.fail(channel, io.sluice.amqp091.codec.Protocol.BASIC_PUBLISH, error);
        }
    }

    /** Confirms up to the last message that a full queue refused; answers the number after it. */
    private long confirmWithRefusals(long first, PublishBatch batch, int from, int to) {
        long next = first;
        int i = from;
        while (i < to) {
            if (!batch.isRefused(i)) {
                i++;
                continue;
            }
            long refused = batch.tag(i++);
            long end = refused;
            while (i < to && batch.isRefused(i) && batch.tag(i) == end + 1) {
                end++;
                i++;
            }
            if (refused == 0) {
                continue; // published before confirms were asked for
            }
            if (next < refused) {
                confirm(next, refused - 1, true);
            }
            confirm(refused, end, false);
            next = end + 1;
        }
        return next;
    }

    private void confirm(long first, long last, boolean stored) {
        if (confirms.complete(connection.output().buffer(), channel, first, last, stored)) {
            connection.output().wrote();
        }
    }

    public void release() {
        if (released) {
            return;
        }
        released = true;
        header.buffer().release();
        dropBody();
    }
}
