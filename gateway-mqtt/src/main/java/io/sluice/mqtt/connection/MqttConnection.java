package io.sluice.mqtt.connection;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.mqtt.MqttConnectMessage;
import io.netty.handler.codec.mqtt.MqttMessage;
import io.netty.handler.codec.mqtt.MqttProperties;
import io.netty.handler.codec.mqtt.MqttReasonCodeAndPropertiesVariableHeader;
import io.netty.handler.codec.mqtt.MqttSubscribeMessage;
import io.netty.handler.codec.mqtt.MqttUnsubscribeMessage;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.FastThreadLocal;
import io.netty.util.concurrent.ScheduledFuture;
import io.sluice.access.Authenticator;
import io.sluice.access.Caller;
import io.sluice.access.Operation;
import io.sluice.access.Resource;
import io.sluice.mqtt.codec.FrameDecoder;
import io.sluice.mqtt.codec.PacketWriter;
import io.sluice.mqtt.codec.ProtocolViolation;
import io.sluice.mqtt.codec.PublishReader;
import io.sluice.mqtt.codec.ReasonCode;
import io.sluice.mqtt.connection.ConnectionState.Authenticating;
import io.sluice.mqtt.connection.ConnectionState.AwaitingConnect;
import io.sluice.mqtt.connection.ConnectionState.Closed;
import io.sluice.mqtt.connection.ConnectionState.Connected;
import io.sluice.mqtt.connection.ConnectionState.Opening;
import io.sluice.mqtt.session.Outbound;
import io.sluice.mqtt.session.QueueFeed;
import io.sluice.mqtt.session.Session;
import io.sluice.queue.QueueRef;
import io.sluice.routing.Sessions.StoredWill;
import io.sluice.routing.VirtualHost;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection, from CONNECT to its end; {@link ConnectionState} has the states. Everything runs on the channel's event loop
 * except {@link #takeOver} and {@link #shutdown}.
 */
public final class MqttConnection extends ChannelInboundHandlerAdapter
        implements FrameDecoder.Sink, Publisher.Host, KeepAlive.Host, SessionRegistry.Holder {
    private static final Logger LOG = LoggerFactory.getLogger(MqttConnection.class);
    private static final FastThreadLocal<PublishReader> READER = new FastThreadLocal<>() {
        @Override
        protected PublishReader initialValue() {
            return new PublishReader();
        }
    };
    private static final int HOLD_OPENING = 1;
    private static final int HOLD_PUBLISHER = 2;
    private static final int HOLD_OUTPUT = 4;
    private static final int MAX_UNSENT_REPLIES = 64 * 1024;

    private final MqttContext context;
    private final FrameDecoder decoder;
    private ChannelHandlerContext ctx;
    private ConnectionState state = new AwaitingConnect();
    private Outbound out;
    private @Nullable Publisher publisher;
    private @Nullable ScheduledFuture<?> connectTimer;
    private @Nullable KeepAlive keepAlive;
    private String peer = "mqtt";
    private long sessionExpirySeconds;
    private int holds;
    private long openedMillis;

    /** Creates the handler; {@link #addTo} puts it into a pipeline. */
    @SuppressWarnings({"NullAway.Init", "this-escape"}) // ctx and out are there from handlerAdded on
    public MqttConnection(MqttContext context) {
        this.context = context;
        this.decoder = new FrameDecoder(this, context.settings().maxConnectBytes(), ConnectRequest.MAX_CLIENT_ID);
    }

    /** Adds this connection to a new channel. */
    public void addTo(io.netty.channel.ChannelPipeline pipeline) {
        pipeline.addLast(decoder, this);
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        ctx = context;
        out = new Outbound(context, false, Integer.MAX_VALUE);
        if (context.channel().isActive()) {
            opened();
        }
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        opened();
    }

    private void opened() {
        if (connectTimer != null) {
            return;
        }
        openedMillis = context.broker().clock().epochMillis();
        peer = "mqtt " + readable(ctx.channel().remoteAddress());
        connectTimer = ctx.channel()
                .eventLoop()
                .schedule(
                        () -> {
                            if (!(state instanceof Connected)) {
                                end(false, "no complete CONNECT in time");
                            }
                        },
                        context.settings().connectTimeoutMillis(),
                        TimeUnit.MILLISECONDS);
    }

    private static String readable(@Nullable SocketAddress address) {
        return address instanceof InetSocketAddress inet
                ? inet.getAddress().getHostAddress() + ":" + inet.getPort()
                : String.valueOf(address);
    }

    // Packets that the frame decoder takes apart itself.

    @Override
    public void publish(int flags, ByteBuf in, int start, int end) {
        if (state instanceof Connected connected) {
            PublishReader packet = READER.get();
            packet.read(flags, in, start, end, connected.request().mqtt5());
            publisher(connected).publish(packet);
            packet.clear();
        }
    }

    /** Made when it is needed: most connections only listen. */
    private Publisher publisher(Connected connected) {
        Publisher p = publisher;
        if (p == null) {
            p = new Publisher(
                    this,
                    connected.caller(),
                    connected.vhost(),
                    context,
                    out,
                    connected.session(),
                    connected.request().mqtt5());
            publisher = p;
        }
        return p;
    }

    @Override
    public void puback(int packetId, int reason) {
        if (state instanceof Connected connected) {
            connected.session().acknowledged(packetId);
        }
    }

    @Override
    public void pingRequest() {
        PacketWriter.pingResponse(out.reserve(2));
    }

    @Override
    public void malformed(int reason, String message) {
        fail(reason, message);
    }

    // Packets that come from netty's decoder.

    @Override
    public void channelRead(ChannelHandlerContext context, Object msg) {
        try {
            if (msg instanceof MqttMessage packet) {
                decoder.decoded();
                if (!(state instanceof Closed)) {
                    packet(packet);
                }
            }
        } catch (ProtocolViolation e) {
            fail(e.reason(), String.valueOf(e.getMessage()));
        } finally {
            ReferenceCountUtil.release(msg);
        }
    }

    private void packet(MqttMessage packet) {
        if (packet.decoderResult().isFailure()) {
            throw new ProtocolViolation(
                    ReasonCode.MALFORMED_PACKET,
                    "malformed packet: " + packet.decoderResult().cause().getMessage());
        }
        if (packet instanceof MqttConnectMessage connect) {
            connect(connect);
        } else if (packet instanceof MqttSubscribeMessage subscribe) {
            subscriptions().subscribe(subscribe);
        } else if (packet instanceof MqttUnsubscribeMessage unsubscribe) {
            subscriptions().unsubscribe(unsubscribe);
        } else {
            switch (packet.fixedHeader().messageType()) {
                case DISCONNECT -> disconnect(packet);
                default ->
                    throw new ProtocolViolation(
                            ReasonCode.PROTOCOL_ERROR, packet.fixedHeader().messageType() + " is not expected here");
            }
        }
    }

    private Subscriptions subscriptions() {
        if (!(state instanceof Connected connected)) {
            throw new IllegalStateException("not connected");
        }
        return new Subscriptions(out, connected.session(), connected.caller(), connected.vhost());
    }

    /** Section 3.14: a normal end without will, unless MQTT 5.0 asks for it. */
    private void disconnect(MqttMessage packet) {
        boolean will = false;
        if (packet.variableHeader() instanceof MqttReasonCodeAndPropertiesVariableHeader header) {
            will = Byte.toUnsignedInt(header.reasonCode()) == ReasonCode.DISCONNECT_WITH_WILL;
            MqttProperties.MqttProperty<?> expiry =
                    header.properties().getProperty(MqttProperties.SESSION_EXPIRY_INTERVAL);
            if (expiry instanceof MqttProperties.IntegerProperty seconds) {
                if (sessionExpirySeconds == 0 && seconds.value() != 0) {
                    throw new ProtocolViolation(
                            ReasonCode.PROTOCOL_ERROR, "session expiry raised from 0 by DISCONNECT");
                }
                sessionExpirySeconds = seconds.value() == -1 ? -1 : Integer.toUnsignedLong(seconds.value());
            }
        }
        end(will, null);
    }

    private void connect(MqttConnectMessage packet) {
        ConnectRequest asked = ConnectRequest.of(packet);
        boolean mqtt5 = asked.mqtt5();
        out = new Outbound(ctx, mqtt5, asked.maxPacketBytes());
        sessionExpirySeconds = asked.sessionExpirySeconds();
        decoder.connected(mqtt5, context.settings().maxPacketBytes());
        hold(HOLD_OPENING, true);
        state = new Authenticating(asked);
        InetSocketAddress remote = inet(ctx.channel().remoteAddress());
        InetSocketAddress local = inet(ctx.channel().localAddress());
        Authenticator.Credentials credentials =
                new Authenticator.Credentials("mqtt", asked.user(), asked.password(), null, remote, local);
        context.authenticator()
                .authenticate(credentials)
                .whenComplete((caller, error) -> onLoop(() -> {
                    if (!(state instanceof Authenticating)) {
                        return;
                    }
                    if (error != null) {
                        refuse(ReasonCode.UNSPECIFIED, "authentication failed: " + error.getMessage());
                    } else if (caller.isEmpty()) {
                        refuse(
                                asked.user() == null ? ReasonCode.NOT_AUTHORIZED : ReasonCode.BAD_USER_OR_PASSWORD,
                                "credentials of user " + asked.user() + " refused");
                    } else {
                        authenticated(asked.withoutCredentials(), caller.get());
                    }
                }));
    }

    private static InetSocketAddress inet(@Nullable SocketAddress address) {
        return address instanceof InetSocketAddress inet ? inet : InetSocketAddress.createUnresolved("local", 0);
    }

    private void authenticated(ConnectRequest asked, Caller principal) {
        Caller caller = new Caller(principal.principal(), principal.vhost(), principal.authorizer(), peer);
        VirtualHost host = context.broker().virtualHost(caller.vhost());
        if (host == null) {
            refuse(ReasonCode.NOT_AUTHORIZED, "virtual host " + caller.vhost() + " does not exist");
            return;
        }
        StoredWill will = asked.will();
        if (will != null && !caller.may(Operation.WRITE, Resource.Kind.TOPIC, will.topic())) {
            refuse(ReasonCode.NOT_AUTHORIZED, "the user may not publish its will to " + will.topic());
            return;
        }
        SessionRegistry registry = context.registry();
        String clientId = asked.clientId().isEmpty() ? registry.assignClientId() : asked.clientId();
        SessionKey key = new SessionKey(host.name(), clientId);
        if (registry.connections() >= context.settings().maxConnections() && !registry.isConnected(key)) {
            refuse(ReasonCode.QUOTA_EXCEEDED, "there are " + registry.connections() + " connections, the limit");
            return;
        }
        SessionRegistry.Claim claim = registry.claim(key, caller.principal(), this);
        if (claim == null) {
            refuse(ReasonCode.NOT_AUTHORIZED, "client identifier " + clientId + " is in use by another user");
            return;
        }
        state = new Opening(asked, caller, claim);
        claim.free()
                .thenCompose(free -> context.registry().open(claim, asked, caller, host))
                .whenComplete((opened, error) -> onLoop(() -> {
                    if (error != null) {
                        registry.release(claim);
                        openFailed(error);
                    } else {
                        opened(asked, caller, host, claim, opened);
                    }
                }));
    }

    private void openFailed(Throwable error) {
        Throwable cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
        if (cause instanceof ProtocolViolation violation) {
            refuse(violation.reason(), String.valueOf(violation.getMessage()));
        } else {
            refuse(ReasonCode.UNSPECIFIED, "session could not be opened: " + cause.getMessage());
        }
    }

    private void opened(
            ConnectRequest asked,
            Caller caller,
            VirtualHost host,
            SessionRegistry.Claim claim,
            SessionRegistry.Opened opened) {
        Session session = opened.session();
        Connected connected = new Connected(asked, caller, host, claim, session);
        if (!(state instanceof Opening)) {
            // Gone or taken over meanwhile: the session goes to whoever waits for it.
            session.disconnectedAt(context.broker().clock().epochMillis());
            context.registry().leave(connected, false);
            return;
        }
        state = connected;
        int keepAliveSeconds = KeepAlive.seconds(asked, context.settings().maxKeepAliveSeconds());
        acceptConnect(asked, claim, opened.present(), keepAliveSeconds);
        stopTimers();
        keepAlive = new KeepAlive(this, context.broker().clock(), out.loop(), keepAliveSeconds);
        int window = Math.min(context.settings().maxInFlight(), asked.receiveMaximum());
        QueueRef queue = session.queue();
        QueueFeed feed =
                queue == null ? null : new QueueFeed(session, queue, caller, out.loop(), reason -> end(true, reason));
        out.handOver();
        session.attach(out, window, feed);
        out.flush();
        LOG.debug("{}: client {} connected", peer, session.clientId());
        hold(HOLD_OPENING, false);
    }

    private void acceptConnect(
            ConnectRequest asked, SessionRegistry.Claim claim, boolean present, int keepAliveSeconds) {
        ByteBuf b = out.reserve(64);
        if (asked.mqtt5()) {
            ConnectionSettings settings = context.settings();
            PacketWriter.connackAccepted(
                    b,
                    present,
                    settings.receiveMaximum(),
                    settings.maxPacketBytes(),
                    settings.topicAliasMaximum(),
                    asked.clientId().isEmpty() ? claim.key.clientId() : null,
                    keepAliveSeconds == asked.keepAliveSeconds() ? -1 : keepAliveSeconds);
        } else {
            PacketWriter.connack3(b, present, 0);
        }
    }

    @Override
    public boolean isHeld() {
        return holds != 0;
    }

    @Override
    public void silent(long millis) {
        fail(ReasonCode.KEEP_ALIVE_TIMEOUT, "nothing received for " + millis + " ms");
    }

    private void stopTimers() {
        ScheduledFuture<?> t = connectTimer;
        connectTimer = null;
        if (t != null) {
            t.cancel(false);
        }
        KeepAlive k = keepAlive;
        if (k != null) {
            k.stop();
        }
    }

    // Reading, writing and holding.

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        KeepAlive k = keepAlive;
        if (k != null) {
            k.heard();
        }
        endOfRead();
    }

    private void endOfRead() {
        if (state instanceof Connected connected) {
            Publisher p = publisher;
            if (p != null) {
                p.flush();
            }
            connected.session().settled();
            out.flush();
            if (ctx.channel().unsafe().outboundBuffer() != null
                    && !ctx.channel().isWritable()
                    && ctx.channel().unsafe().outboundBuffer().totalPendingWriteBytes() > MAX_UNSENT_REPLIES) {
                // A peer that sends without reading its answers must not fill our memory with them.
                hold(HOLD_OUTPUT, true);
            }
        } else {
            out.flush();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
        if (context.channel().isWritable() && state instanceof Connected connected) {
            connected.session().settled();
            out.flush();
            hold(HOLD_OUTPUT, false);
        }
    }

    @Override
    public void hold(boolean hold) {
        hold(HOLD_PUBLISHER, hold);
    }

    private void hold(int why, boolean hold) {
        int before = holds;
        holds = hold ? before | why : before & ~why;
        if (before == 0 && holds != 0) {
            ctx.channel().config().setAutoRead(false);
            decoder.pause();
        } else if (before != 0 && holds == 0) {
            KeepAlive k = keepAlive;
            if (k != null) {
                k.heard();
            }
            // Not within a completion or a decode that is under way.
            out.loop().execute(this::goOn);
        }
    }

    private void goOn() {
        if (holds == 0 && !(state instanceof Closed)) {
            ChannelHandlerContext at = ctx.pipeline().context(decoder);
            if (at != null) {
                decoder.resume(at);
                endOfRead();
                if (holds == 0 && !(state instanceof Closed)) {
                    ctx.channel().config().setAutoRead(true);
                }
            }
        }
    }

    // Ends.

    private void refuse(int reason, String message) {
        boolean mqtt5 = decoder.connectLevel() >= 5;
        if (decoder.connectLevel() > 0) {
            if (mqtt5) {
                PacketWriter.connackRefused(out.reserve(5), reason);
            } else {
                PacketWriter.connack3(out.reserve(4), false, ReasonCode.connectReturnCode(reason));
            }
        }
        end(false, message);
    }

    @Override
    public void fail(int reason, String message) {
        if (state instanceof Closed) {
            return;
        }
        if (state instanceof Connected connected) {
            if (connected.request().mqtt5()) {
                PacketWriter.disconnect(out.reserve(3), reason);
            }
            end(true, message);
        } else if (decoder.connectLevel() >= 5 || ReasonCode.connectReturnCode(reason) != 3) {
            refuse(reason, message);
        } else {
            end(false, message); // MQTT 3.1.1 has a CONNACK for some refusals only
        }
    }

    @Override
    public void takeOver() {
        onLoop(() -> leaveWith(ReasonCode.SESSION_TAKEN_OVER, "session taken over by a new connection"));
    }

    /** Ends the connection because the broker stops. Any thread. */
    public void shutdown() {
        onLoop(() -> leaveWith(ReasonCode.SERVER_SHUTTING_DOWN, null));
    }

    /** What it is now, null if no client is accepted or it has gone. On the loop. */
    public @Nullable ConnectionInfo describe() {
        if (!(state instanceof Connected connected)) {
            return null;
        }
        InetSocketAddress remote = inet(ctx.channel().remoteAddress());
        InetSocketAddress local = inet(ctx.channel().localAddress());
        return new ConnectionInfo(
                readable(remote) + " -> " + readable(local),
                connected.session().clientId(),
                connected.caller().principal().name(),
                connected.vhost().name(),
                connected.request().mqtt5() ? 5 : 3,
                remote,
                local,
                openedMillis,
                connected.request().keepAliveSeconds());
    }

    /** Ends the connection for an administrator. On the loop. */
    public void closeForced(String why) {
        leaveWith(ReasonCode.ADMINISTRATIVE_ACTION, why);
    }

    /** Ends the connection if it is in this virtual host, which is gone. Any thread. */
    public void virtualHostDeleted(String name) {
        onLoop(() -> {
            boolean meant = state instanceof Connected connected
                            && connected.vhost().name().equals(name)
                    || state instanceof Opening opening
                            && opening.caller().vhost().equals(name);
            if (meant) {
                closeForced("virtual host '" + name + "' is deleted");
            }
        });
    }

    private void leaveWith(int reason, @Nullable String message) {
        if (state instanceof Connected connected && connected.request().mqtt5()) {
            PacketWriter.disconnect(out.reserve(3), reason);
        }
        end(true, message);
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        if (state instanceof AwaitingConnect) {
            // A connection without a byte is somebody's probe of the port.
            end(false, decoder.cutShort() ? "connection lost within its CONNECT" : null);
        } else {
            end(true, state instanceof Connected ? "connection lost" : "connection lost before it was accepted");
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        if (cause instanceof java.io.IOException) {
            end(true, String.valueOf(cause.getMessage()));
        } else {
            LOG.error("{}: unexpected failure", peer, cause);
            fail(ReasonCode.UNSPECIFIED, "unexpected failure");
        }
    }

    /** The only way out: writes what is owed, lets the session go, closes. */
    private void end(boolean will, @Nullable String why) {
        ConnectionState last = state;
        if (last instanceof Closed) {
            return;
        }
        state = new Closed();
        stopTimers();
        decoder.discard();
        if (why != null) {
            LOG.info("{}: {}; closed", peer, why);
        }
        Publisher p = publisher;
        if (p != null) {
            p.close();
        }
        out.flush();
        if (last instanceof Connected connected) {
            Session session = connected.session();
            session.expirySeconds(sessionExpirySeconds);
            session.disconnectedAt(context.broker().clock().epochMillis());
            session.detach();
            context.registry().leave(connected, will);
        }
        out.close();
        ctx.writeAndFlush(io.netty.buffer.Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }

    private void onLoop(Runnable task) {
        if (ctx.channel().eventLoop().inEventLoop()) {
            task.run();
        } else {
            ctx.channel().eventLoop().execute(task);
        }
    }
}
