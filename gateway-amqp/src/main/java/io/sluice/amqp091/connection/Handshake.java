package io.sluice.amqp091.connection;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.sluice.access.Authenticator.Credentials;
import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ConnectionMethod;
import io.sluice.amqp091.codec.FieldTable;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.Protocol;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.codec.Wire;
import io.sluice.amqp091.session.Amqp091Settings;
import io.sluice.amqp091.session.Shared;
import io.sluice.routing.VirtualHost;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** From {@code connection.start} to {@code connection.open-ok}: SASL, tuning, virtual host. Confined to the loop. */
final class Handshake {
    private static final Logger LOG = LoggerFactory.getLogger(Handshake.class);
    private static final int CONNECTION = 0;

    private final AmqpConnection connection;
    private final Shared shared;
    private final ChannelHandlerContext ctx;
    private @Nullable Caller authenticated;

    Handshake(AmqpConnection connection, Shared shared, ChannelHandlerContext ctx) {
        this.connection = connection;
        this.shared = shared;
        this.ctx = ctx;
    }

    void start() {
        connection
                .output()
                .method(
                        CONNECTION,
                        new ConnectionMethod.Start(
                                0, 9, serverProperties(), "AMQPLAIN PLAIN".getBytes(UTF_8), "en_US".getBytes(UTF_8)));
    }

    private Map<String, @Nullable Object> serverProperties() {
        Map<String, @Nullable Object> capabilities = new LinkedHashMap<>();
        for (String capability : new String[] {
            "publisher_confirms",
            "exchange_exchange_bindings",
            "basic.nack",
            "consumer_cancel_notify",
            "connection.blocked",
            "consumer_priorities",
            "authentication_failure_close",
            "per_consumer_qos",
            "direct_reply_to"
        }) {
            capabilities.put(capability, true);
        }
        Map<String, @Nullable Object> properties = new LinkedHashMap<>();
        properties.put("capabilities", capabilities);
        properties.put("product", "Sluice");
        properties.put("version", shared.version());
        properties.put("platform", "Java " + Runtime.version().feature());
        properties.put("copyright", "The Sluice authors");
        properties.put("information", "Licensed under the Apache License, Version 2.0");
        properties.put("cluster_name", shared.broker().engine().clusterId());
        return properties;
    }

    /** A method on channel 0 other than close and close-ok. */
    void method(Method method) {
        ConnectionState state = connection.state();
        if (state instanceof ConnectionState.AwaitStartOk && method instanceof ConnectionMethod.StartOk startOk) {
            startOk(startOk);
        } else if (state instanceof ConnectionState.AwaitTuneOk && method instanceof ConnectionMethod.TuneOk tuneOk) {
            tuneOk(tuneOk);
        } else if (state instanceof ConnectionState.AwaitOpen && method instanceof ConnectionMethod.Open open) {
            open(open);
        } else if (state instanceof ConnectionState.Open && method instanceof ConnectionMethod.UpdateSecret update) {
            updateSecret(update);
        } else {
            throw new AmqpException(
                    ReplyCode.CHANNEL_ERROR,
                    "unexpected method " + Method.name(method.id()) + " in connection state "
                            + state.getClass().getSimpleName());
        }
    }

    private void startOk(ConnectionMethod.StartOk startOk) {
        connection.clientProperties(startOk.clientProperties());
        String user;
        byte[] password;
        switch (startOk.mechanism()) {
            case "PLAIN" -> {
                byte[] response = startOk.response();
                int first = indexOfZero(response, 0);
                int second = first < 0 ? -1 : indexOfZero(response, first + 1);
                if (second < 0) {
                    throw new AmqpException(ReplyCode.SYNTAX_ERROR, "malformed PLAIN response");
                }
                user = new String(response, first + 1, second - first - 1, UTF_8);
                password = java.util.Arrays.copyOfRange(response, second + 1, response.length);
            }
            case "AMQPLAIN" -> {
                Map<String, @Nullable Object> table = loginTable(startOk.response());
                user = String.valueOf(table.get("LOGIN"));
                Object secret = table.get("PASSWORD");
                password = secret instanceof byte[] raw
                        ? raw
                        : String.valueOf(secret).getBytes(UTF_8);
            }
            default ->
                throw new AmqpException(
                        ReplyCode.COMMAND_INVALID, "unknown authentication mechanism '" + startOk.mechanism() + "'");
        }
        connection.state(new ConnectionState.Authenticating());
        connection.await(
                CONNECTION,
                startOk.id(),
                shared.authenticator().authenticate(credentials(user, password)),
                caller -> authenticated(startOk, user, caller));
    }

    /** The user logs in again, without leaving: from now on the permissions of this login hold. */
    private void updateSecret(ConnectionMethod.UpdateSecret update) {
        Caller before = connection.caller();
        connection.await(
                CONNECTION,
                update.id(),
                shared.authenticator()
                        .authenticate(credentials(before.principal().name(), update.newSecret())),
                caller -> {
                    if (caller.isEmpty() || !caller.get().principal().equals(before.principal())) {
                        throw new AmqpException(ReplyCode.NOT_ALLOWED, "New secret was refused by one of the backends");
                    }
                    connection.renewed(new Caller(
                            before.principal(), before.vhost(), caller.get().authorizer(), before.connection()));
                    connection.output().method(CONNECTION, new ConnectionMethod.UpdateSecretOk());
                });
    }

    private Credentials credentials(String user, byte[] password) {
        return new Credentials(
                "amqp",
                user,
                password,
                null,
                address(ctx.channel().remoteAddress()),
                address(ctx.channel().localAddress()));
    }

    /** AMQPLAIN: a field table without its length. */
    private static Map<String, @Nullable Object> loginTable(byte[] response) {
        io.netty.buffer.ByteBuf table = Unpooled.buffer(response.length + 4);
        Wire.writeLongString(table, response);
        return FieldTable.read(table);
    }

    private static int indexOfZero(byte[] bytes, int from) {
        for (int i = from; i < bytes.length; i++) {
            if (bytes[i] == 0) {
                return i;
            }
        }
        return -1;
    }

    static InetSocketAddress address(@Nullable SocketAddress address) {
        return address instanceof InetSocketAddress internet
                ? internet
                : InetSocketAddress.createUnresolved("local", 0);
    }

    private void authenticated(ConnectionMethod.StartOk startOk, String user, Optional<Caller> caller) {
        if (caller.isEmpty()) {
            AmqpException refused = AmqpException.closingConnection(
                    ReplyCode.ACCESS_REFUSED,
                    "Login was refused using authentication mechanism " + startOk.mechanism()
                            + ". For details see the broker logfile.");
            if (connection.clientCan("authentication_failure_close")) {
                LOG.info("{}: login of user '{}' refused", connection, user);
                connection.sendClose(refused, startOk.id());
            } else {
                connection.abort("login of user '" + user + "' refused");
            }
            return;
        }
        authenticated = caller.get();
        Amqp091Settings settings = shared.settings();
        connection.state(new ConnectionState.AwaitTuneOk());
        connection
                .output()
                .method(
                        CONNECTION,
                        new ConnectionMethod.Tune(
                                settings.channelMax(), settings.frameMax(), settings.heartbeatSeconds()));
    }

    private void tuneOk(ConnectionMethod.TuneOk tuneOk) {
        Amqp091Settings settings = shared.settings();
        int frameMax = tuneOk.frameMax() == 0 ? settings.frameMax() : tuneOk.frameMax();
        int channelMax = tuneOk.channelMax() == 0 ? settings.channelMax() : tuneOk.channelMax();
        if (frameMax < Protocol.FRAME_MIN_SIZE) {
            throw negotiated("frame_max", frameMax, "lower than the minimum", Protocol.FRAME_MIN_SIZE);
        }
        if (frameMax > settings.frameMax()) {
            throw negotiated("frame_max", frameMax, "higher than the maximum", settings.frameMax());
        }
        if (channelMax > settings.channelMax()) {
            throw negotiated("channel_max", channelMax, "higher than the maximum", settings.channelMax());
        }
        connection.tuned(channelMax, frameMax, tuneOk.heartbeat());
        connection.state(new ConnectionState.AwaitOpen());
    }

    private static AmqpException negotiated(String what, int value, String relation, int bound) {
        return new AmqpException(
                ReplyCode.NOT_ALLOWED,
                "negotiated " + what + " = " + value + " is " + relation + " allowed value (" + bound + ")");
    }

    private void open(ConnectionMethod.Open open) {
        String name = open.virtualHost();
        VirtualHost host = shared.broker().virtualHost(name);
        if (host == null) {
            throw new AmqpException(ReplyCode.NOT_ALLOWED, "vhost " + name + " not found");
        }
        Caller login = authenticated;
        if (login == null) {
            throw new IllegalStateException("open before login");
        }
        Caller caller = new Caller(
                login.principal(),
                name,
                login.authorizer(),
                "amqp " + ctx.channel().remoteAddress());
        if (!caller.may(Operation.READ, Resource.Kind.VHOST, name)) {
            throw new AmqpException(
                    ReplyCode.NOT_ALLOWED,
                    "access to vhost '" + name + "' refused for user '"
                            + login.principal().name() + "'");
        }
        connection.opened(caller, host);
        connection.output().method(CONNECTION, new ConnectionMethod.OpenOk());
        LOG.debug(
                "{}: open, user '{}', vhost '{}'", connection, login.principal().name(), name);
    }
}
