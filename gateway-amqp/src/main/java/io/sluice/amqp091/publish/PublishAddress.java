package io.sluice.amqp091.publish;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.codec.Wire;
import io.sluice.amqp091.convert.InboundMessage;
import io.sluice.amqp091.convert.ReplyAddress;
import io.sluice.amqp091.session.DirectReplies;
import io.sluice.amqp091.session.Refusals;
import io.sluice.amqp091.session.Session;
import io.sluice.message.RecordView;
import io.sluice.routing.ExchangeInfo;
import io.sluice.routing.Route;
import io.sluice.routing.RoutingTable;
import org.jspecify.annotations.Nullable;

/**
 * Exchange and routing key of published messages, recognised by their bytes on the wire, with what is known about them: permission
 * and routes hold for as long as the routing table does. Confined to the loop.
 */
final class PublishAddress {
    static final PublishAddress NONE = new PublishAddress(new byte[] {0, 0}, "", "", null);

    /** Exchange and key as short strings. */
    private final byte[] wire;

    private final @Nullable ReplyAddress reply;
    private final Route[] routes = new Route[2];
    private String exchange;
    private String key;
    private byte[] exchangeBytes;
    private byte[] keyBytes;
    private @Nullable RoutingTable table;

    /** Straight to a channel that asked: whether it is still there is found out for each message. */
    private final boolean directReply;

    private @Nullable Caller checkedFor;

    private PublishAddress(byte[] wire, String exchange, String key, @Nullable ReplyAddress reply) {
        this.wire = wire;
        this.reply = reply;
        this.directReply = exchange.isEmpty() && DirectReplies.isName(key);
        this.exchange = exchange;
        this.key = key;
        this.exchangeBytes = exchange.getBytes(UTF_8);
        this.keyBytes = key.getBytes(UTF_8);
    }

    /** Bytes that exchange and routing key take at this position. */
    static int length(ByteBuf in, int at) {
        int exchange = in.getUnsignedByte(at);
        return 2 + exchange + in.getUnsignedByte(at + 1 + exchange);
    }

    static int hash(ByteBuf in, int at, int length) {
        int hash = 0;
        for (int i = at; i < at + length; i++) {
            hash = 31 * hash + in.getByte(i);
        }
        return hash ^ hash >>> 16;
    }

    /**
     * Reads an address of this many bytes.
     *
     * @throws AmqpException FRAME_ERROR if a name is not UTF-8
     */
    static PublishAddress read(ByteBuf in, int length) {
        byte[] wire = new byte[length];
        int at = in.readerIndex();
        in.getBytes(at, wire);
        int exchangeLength = wire[0] & 0xFF;
        Wire.checkText(in, at + 1, exchangeLength);
        Wire.checkText(in, at + 2 + exchangeLength, length - 2 - exchangeLength);
        String exchange = new String(wire, 1, exchangeLength, UTF_8);
        String key = new String(wire, 2 + exchangeLength, length - 2 - exchangeLength, UTF_8);
        return new PublishAddress(wire, exchange, key, exchange.isEmpty() ? ReplyAddress.parse(key) : null);
    }

    boolean isAt(ByteBuf in, int at, int length) {
        if (length != wire.length) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            if (in.getByte(at + i) != wire[i]) {
                return false;
            }
        }
        return true;
    }

    String exchange() {
        return exchange;
    }

    String key() {
        return key;
    }

    byte[] exchangeBytes() {
        return exchangeBytes;
    }

    byte[] keyBytes() {
        return keyBytes;
    }

    /**
     * Makes sure that this connection may publish here.
     *
     * @throws AmqpException NOT_FOUND or ACCESS_REFUSED
     */
    @SuppressWarnings("ReferenceEquality") // a table is immutable: the same object means nothing changed
    void check(Session connection) {
        RoutingTable now = connection.host().table();
        Caller caller = connection.caller();
        if (now == table && caller == checkedFor) {
            return;
        }
        table = null;
        routes[0] = null;
        routes[1] = null;
        resolve(now);
        if (!exchange.isEmpty()) {
            ExchangeInfo info = now.exchange(exchange);
            if (info == null) {
                throw Refusals.noExchange(connection, exchange);
            }
            if (info.internal()) {
                throw new AmqpException(
                        ReplyCode.ACCESS_REFUSED,
                        "cannot publish to internal exchange '" + exchange + "' in vhost '"
                                + connection.host().name() + "'");
            }
        }
        Refusals.permit(
                connection, Operation.WRITE, Resource.Kind.EXCHANGE, exchange.isEmpty() ? "amq.default" : exchange);
        table = now;
        checkedFor = caller;
    }

    /** An answer sent to a reply address goes where the address says, unless there is a queue of that very name. */
    private void resolve(RoutingTable now) {
        ReplyAddress address = reply;
        if (address == null) {
            return;
        }
        String name = new String(wire, 2, wire.length - 2, UTF_8);
        boolean queue = now.queue(name) != null;
        exchange = queue ? "" : address.exchange();
        key = queue ? name : address.routingKey();
        exchangeBytes = exchange.getBytes(UTF_8);
        keyBytes = key.getBytes(UTF_8);
    }

    /** True if messages go straight to a channel; see {@link DirectReplies}. */
    boolean isDirectReply() {
        return directReply;
    }

    /** Where messages go; {@code qos} 0 or 1. Call {@link #check} before. */
    Route route(int qos) {
        Route known = routes[qos];
        RoutingTable now = table;
        if (known == null) {
            known = now == null ? Route.NONE : now.route(exchange, key, qos, null);
            routes[qos] = known;
        }
        return known;
    }

    /** Where a message goes that is to be the retained one of this MQTT topic. */
    Route retainedRoute(String topic, int qos) {
        RoutingTable now = table;
        return now == null ? Route.NONE : now.routeTopic(topic, qos, true, null);
    }

    /**
     * Where one message goes that has several routing keys, or whose way depends on its headers.
     *
     * @param topic MQTT topic of which it is to be the retained message, empty = none
     */
    Route route(String topic, int qos, RecordView headers, InboundMessage message) {
        RoutingTable now = table;
        if (now == null) {
            return Route.NONE;
        }
        if (message.hasCopies()) {
            return now.route(exchange, message.routingKeys(key), qos, headers);
        }
        return topic.isEmpty() ? now.route(exchange, key, qos, headers) : now.routeTopic(topic, qos, true, headers);
    }
}
