package io.sluice.amqp091.connection;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.collection.IntObjectHashMap;
import io.netty.util.concurrent.EventExecutor;
import io.sluice.access.Caller;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ConnectionMethod;
import io.sluice.amqp091.codec.FrameDecoder;
import io.sluice.amqp091.codec.FrameHandler;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.Protocol;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.amqp091.publish.PublishPipeline;
import io.sluice.amqp091.session.BodyBudget;
import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.amqp091.session.Output;
import io.sluice.amqp091.session.Session;
import io.sluice.amqp091.session.Shared;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.routing.DirectDispatch;
import io.sluice.routing.VirtualHost;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection: gives each frame to its channel, closes channels on soft and itself on hard errors, and hands over what a read
 * brought. Of channels that wait see {@link ChannelWaits}. Confined to its event loop. States: {@link ConnectionState}.
 */
final class AmqpConnection extends ChannelInboundHandlerAdapter implements FrameHandler, Session {
    private static final Logger LOG = LoggerFactory.getLogger(AmqpConnection.class);
    /** Time for the peer's close-ok, seconds. */
    private static final int CLOSE_SECONDS = 5;
    /** Time for the peer to close its side, seconds. */
    private static final int LINGER_SECONDS = 2;

    private final Shared shared;
    private final FrameDecoder decoder;
    private final IntObjectHashMap<AmqpChannel> channels = new IntObjectHashMap<>();
    private final ChannelWaits waits = new ChannelWaits(this, channels);
    private final Set<String> exclusiveQueues = new HashSet<>();
    private @Nullable ChannelHandlerContext context;
    private @Nullable Output out;
    private @Nullable Handshake handshake;
    private @Nullable PublishPipeline publishes;
    private @Nullable Heartbeats heartbeats;
    private @Nullable Caller openCaller;
    private @Nullable VirtualHost openHost;
    private ConnectionState state = new ConnectionState.AwaitStartOk();
    private int frameMax;
    private int channelMax;
    private final BodyBudget bodies;
    private final BodyBudget transactions;
    private @Nullable Future<?> handshakeTimer;
    private boolean closeRequested;
    private boolean ending;
    private boolean droppedReplies;
    private Map<String, @Nullable Object> clientProperties = Map.of();
    private int heartbeatSeconds;
    private long openedMillis;

    AmqpConnection(Shared shared) {
        this.shared = shared;
        this.frameMax = shared.settings().handshakeFrameMax();
        this.decoder = new FrameDecoder(this, frameMax);
        this.bodies = shared.newBodyBudget();
        this.transactions = shared.newTransactionBudget();
    }

    FrameDecoder decoder() {
        return decoder;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        context = ctx;
        Output output = new Output(ctx);
        out = output;
        handshake = new Handshake(this, shared, ctx);
        handshake.start();
        handshakeTimer = ctx.executor()
                .schedule(this::handshakeTimeout, shared.settings().handshakeSeconds(), TimeUnit.SECONDS);
    }

    private void handshakeTimeout() {
        if (!(state instanceof ConnectionState.Open) && !isEnding()) {
            abort("handshake not finished after " + shared.settings().handshakeSeconds() + " s");
        }
    }

    /** Closes the socket without a word to the peer. */
    @Override
    public void abort(String why) {
        if (!isClosed()) {
            LOG.info("{}: {}, closed", this, why);
            state = new ConnectionState.Closed();
            decoder.stop();
            ctx().close();
        }
    }

    ChannelHandlerContext ctx() {
        return require(context);
    }

    @Override
    public EventExecutor executor() {
        return ctx().executor();
    }

    @Override
    public ByteBufAllocator allocator() {
        return ctx().alloc();
    }

    @Override
    public DirectDispatch direct() {
        return publishes().direct();
    }

    @Override
    public Output output() {
        return require(out);
    }

    @Override
    public Shared shared() {
        return shared;
    }

    @Override
    public Caller caller() {
        return require(openCaller);
    }

    @Override
    public VirtualHost host() {
        return require(openHost);
    }

    PublishPipeline publishes() {
        return require(publishes);
    }

    @Override
    public BodyBudget bodies() {
        return bodies;
    }

    /** Bytes of open transactions. */
    @Override
    public BodyBudget transactions() {
        return transactions;
    }

    @Override
    public int frameMax() {
        return frameMax;
    }

    /** Queues to delete with this connection. */
    @Override
    public Set<String> exclusiveQueues() {
        return exclusiveQueues;
    }

    private static <T> T require(@Nullable T present) {
        if (present == null) {
            throw new IllegalStateException("not in this state of the connection");
        }
        return present;
    }

    ConnectionState state() {
        return state;
    }

    void state(ConnectionState next) {
        state = next;
    }

    /** True from the moment a close was sent or the socket is closed. */
    boolean isEnding() {
        return isClosed() || state instanceof ConnectionState.Closing;
    }

    boolean isClosed() {
        return state instanceof ConnectionState.Closed;
    }

    /** A direct reply found too much waiting for this client. */
    @Override
    public void replyDropped() {
        if (!droppedReplies) {
            droppedReplies = true;
            LOG.warn("{}: direct replies are dropped, the client does not read; not logged again", this);
        }
    }

    @Override
    public boolean clientCan(String capability) {
        return clientProperties.get("capabilities") instanceof Map<?, ?> capabilities
                && Boolean.TRUE.equals(capabilities.get(capability));
    }

    void clientProperties(Map<String, @Nullable Object> properties) {
        clientProperties = properties;
    }

    /** What it is now, null if it is not open. */
    @Nullable
    ConnectionInfo describe() {
        if (!(state instanceof ConnectionState.Open)) {
            return null;
        }
        List<ConnectionInfo.Channel> open = new ArrayList<>();
        for (AmqpChannel channel : channels.values()) {
            open.add(channel.describe());
        }
        InetSocketAddress peer = Handshake.address(ctx().channel().remoteAddress());
        InetSocketAddress local = Handshake.address(ctx().channel().localAddress());
        return new ConnectionInfo(
                readable(peer) + " -> " + readable(local),
                caller().principal().name(),
                caller().vhost(),
                peer,
                local,
                openedMillis,
                frameMax,
                channelMax,
                heartbeatSeconds,
                publishes().state(),
                clientProperties,
                open);
    }

    private static String readable(InetSocketAddress address) {
        return (address.getAddress() == null
                        ? address.getHostString()
                        : address.getAddress().getHostAddress())
                + ':'
                + address.getPort();
    }

    /** Ends the connection for an administrator, with 320. */
    void closeForced(String why) {
        closeWith(new AmqpException(ReplyCode.CONNECTION_FORCED, why), 0);
    }

    /** Nothing is left of what it worked with. */
    void virtualHostDeleted(String name) {
        if (state instanceof ConnectionState.Open && host().name().equals(name)) {
            closeForced("vhost '" + name + "' is deleted");
        }
    }

    void tuned(int agreedChannelMax, int agreedFrameMax, int heartbeatSeconds) {
        channelMax = agreedChannelMax;
        frameMax = agreedFrameMax;
        decoder.maxFrameSize(agreedFrameMax);
        this.heartbeatSeconds = heartbeatSeconds;
        heartbeats = new Heartbeats(
                ctx(), output(), () -> abort("no heartbeat for two intervals of " + heartbeatSeconds + " s"));
        heartbeats.start(heartbeatSeconds);
    }

    /** The same user with the permissions of now. */
    void renewed(Caller caller) {
        openCaller = caller;
    }

    void opened(Caller caller, VirtualHost host) {
        openCaller = caller;
        openHost = host;
        openedMillis = shared.broker().clock().epochMillis();
        publishes = new PublishPipeline(this);
        state = new ConnectionState.Open();
        if (handshakeTimer != null) {
            handshakeTimer.cancel(false);
        }
    }

    @Override
    public void frame(int type, int channel, ByteBuf payload) {
        if (heartbeats != null) {
            heartbeats.onRead();
        }
        if (isClosed()) {
            return;
        }
        if (waits.keeps(type, channel, payload)) {
            return;
        }
        handle(type, channel, payload);
    }

    /** Takes a frame whose turn it is. */
    void handle(int type, int channel, ByteBuf payload) {
        int method = type == Protocol.FRAME_METHOD && payload.readableBytes() >= 4
                ? payload.getInt(payload.readerIndex())
                : 0;
        try {
            if (type == Protocol.FRAME_HEARTBEAT) {
                if (channel != 0) { // the specification would have 501
                    throw new AmqpException(ReplyCode.UNEXPECTED_FRAME, "heartbeat on channel " + channel);
                }
            } else if (channel == 0) {
                connectionFrame(type, payload);
            } else if (state instanceof ConnectionState.Open) {
                channelFrame(type, channel, method, payload);
            } else if (!(state instanceof ConnectionState.Closing)) {
                throw new AmqpException(ReplyCode.CHANNEL_ERROR, "channel " + channel + " before connection.open");
            }
        } catch (RuntimeException e) {
            fail(channel, method, e);
        }
    }

    private void connectionFrame(int type, ByteBuf payload) {
        if (type != Protocol.FRAME_METHOD) {
            throw new AmqpException(ReplyCode.UNEXPECTED_FRAME, "frame of type " + type + " on channel 0");
        }
        Method method = Method.decode(payload.readInt(), payload);
        if (method instanceof ConnectionMethod.Close) {
            closeRequested = true;
            if (!waits.areAny()) {
                closeAsRequested();
            } else {
                updateReading(); // what came before it takes effect before it
            }
        } else if (method instanceof ConnectionMethod.CloseOk) {
            if (state instanceof ConnectionState.Closing) {
                finish();
            }
        } else if (!(state instanceof ConnectionState.Closing)) {
            require(handshake).method(method);
        }
    }

    /**
     * Answered once everything published before is with the shard, however long the disk is full, and the exclusive queues are gone,
     * as with RabbitMQ: who has the answer can declare them again.
     */
    private void closeAsRequested() {
        handOver();
        if (publishes != null && publishes.isHolding()) {
            updateReading();
            return;
        }
        if (ending) {
            return;
        }
        ending = true;
        CompletableFuture<?> gone = releaseAll();
        if (gone.isDone()) {
            endAsRequested();
        } else {
            updateReading();
            gone.whenComplete((done, failure) -> ctx().executor().execute(this::endAsRequested));
        }
    }

    private void endAsRequested() {
        if (!isClosed()) {
            output().method(0, new ConnectionMethod.CloseOk());
            finish();
        }
    }

    private void channelFrame(int type, int number, int method, ByteBuf payload) {
        AmqpChannel channel = channels.get(number);
        if (channel != null) {
            channel.frame(type, method, payload);
            return;
        }
        if (type != Protocol.FRAME_METHOD) {
            throw new AmqpException(
                    ReplyCode.UNEXPECTED_FRAME,
                    "frame of type " + type + " on channel " + number + ", which is not open");
        }
        if (method != AmqpChannel.OPEN) {
            throw new AmqpException(ReplyCode.CHANNEL_ERROR, "expected 'channel.open' on channel " + number);
        }
        if (number > channelMax) {
            throw new AmqpException(
                    ReplyCode.NOT_ALLOWED,
                    "number of channels opened (" + number + ") has reached the negotiated channel_max (" + channelMax
                            + ")");
        }
        channel = new AmqpChannel(this, number);
        channels.put(number, channel);
        channel.opened(payload);
    }

    /** No publish waits here any more. */
    @Override
    public void publishesHandedOver() {
        if (!closeIfRequested()) {
            updateReading();
        }
    }

    void removed(AmqpChannel channel) {
        channels.remove(channel.number());
        waits.idle(channel);
    }

    /** Ends the channel or the connection, depending on the error. */
    @Override
    public void fail(int channelNumber, int method, Throwable failure) {
        AmqpException error = Failures.of(failure);
        if (error.code() == ReplyCode.INTERNAL_ERROR) {
            LOG.error("{}: method {} failed", this, Method.name(method), failure);
        }
        AmqpChannel channel = channels.get(channelNumber);
        if (error.isHard() || channel == null) {
            closeWith(error, method);
        } else {
            LOG.info("{}: channel {} closed: {}", this, channelNumber, error.getMessage());
            channel.closeWith(error, method);
        }
    }

    @Override
    public void malformed(AmqpException error) {
        closeWith(error, 0);
        if (!isClosed()) {
            finish(); // nothing readable follows, not even a close-ok
        }
    }

    /** Sends {@code connection.close}, waits for the answer unless the peer is not authenticated. */
    void closeWith(AmqpException error, int method) {
        if (!isEnding()) {
            LOG.warn("{}: connection closed: {}", this, error.getMessage());
            sendClose(error, method);
        }
    }

    /** As {@link #closeWith}, of which the caller has written the log line. */
    void sendClose(AmqpException error, int method) {
        boolean known = state instanceof ConnectionState.Open;
        output().method(
                        0,
                        new ConnectionMethod.Close(
                                error.code().code(),
                                String.valueOf(error.getMessage()),
                                method >>> 16,
                                method & 0xFFFF));
        if (known) {
            state = new ConnectionState.Closing();
            releaseAll();
            ctx().executor().execute(this::updateReading); // for the close-ok
            output().flush();
            ctx().executor().schedule(() -> ctx().close(), CLOSE_SECONDS, TimeUnit.SECONDS);
        } else {
            finish();
        }
    }

    private void finish() {
        state = new ConnectionState.Closed();
        decoder.stop();
        releaseAll();
        ctx().channel().config().setAutoRead(true); // sees the peer close its side
        output().flushAndLinger(LINGER_SECONDS);
    }

    /** Completes when the exclusive queues are gone. */
    private CompletableFuture<?> releaseAll() {
        for (AmqpChannel channel : new ArrayList<>(channels.values())) {
            channel.release();
            channel.dropHeld();
            waits.idle(channel);
        }
        channels.clear();
        waits.clear();
        if (heartbeats != null) {
            heartbeats.stop();
        }
        if (publishes != null) {
            publishes.close();
        }
        List<CompletableFuture<?>> deleted = new ArrayList<>();
        VirtualHost host = openHost;
        if (host != null) {
            for (String queue : exclusiveQueues) {
                deleted.add(host.deleteQueue(caller(), queue, false, false)
                        .whenComplete((count, error) -> shared.exclusiveQueues().release(host.name(), queue, this))
                        .toCompletableFuture());
            }
            exclusiveQueues.clear();
        }
        return CompletableFuture.allOf(deleted.toArray(CompletableFuture[]::new));
    }

    @Override
    public void endOfRead() {
        if (!isClosed()) {
            handOver();
            output().flush();
        }
    }

    /** Publishes and settlements so far go to the shard. */
    @Override
    public void handOver() {
        if (publishes != null) {
            publishes.submit();
            for (AmqpChannel channel : channels.values()) {
                channel.consumers().flushSettlements();
            }
        }
    }

    /**
     * Goes on with {@code then} on this loop; until it has run, nothing more of the channel takes effect (0: of the connection).
     * Failures close the channel (0: the connection).
     */
    @Override
    public <T extends @Nullable Object> void await(int number, int method, CompletionStage<T> stage, Consumer<T> then) {
        handOver();
        waits.await(number, method, stage, then);
    }

    /** Closes as the client asked, if it has and nothing is waited for; false if not. */
    boolean closeIfRequested() {
        boolean due = closeRequested && !waits.areAny() && state instanceof ConnectionState.Open;
        if (due) {
            closeAsRequested();
        }
        return due;
    }

    /** Stops or resumes decoding and reading. */
    @Override
    public void updateReading() {
        boolean closing = state instanceof ConnectionState.Closing;
        boolean go = closing || waits.allowReading() && !closeRequested && (publishes == null || !publishes.isPaused());
        // frames that were read later must not overtake those that are being replayed
        if (isClosed() || go == !decoder.isSuspended() || go && waits.areReplayed()) {
            return;
        }
        ctx().channel().config().setAutoRead(go);
        if (go) {
            decoder.resume();
        } else {
            decoder.suspend();
        }
    }

    void diskChanged(DiskState disk) {
        if (publishes != null && !isClosed()) {
            publishes.diskChanged(disk);
        }
    }

    void streamsChanged() {
        if (!isClosed()) {
            channels.values().forEach(channel -> channel.consumers().streamsChanged());
        }
    }

    @Override
    public boolean hasConsumers() {
        for (AmqpChannel channel : channels.values()) {
            if (channel.consumers().isConsuming()) {
                return true;
            }
        }
        return false;
    }

    /** The broker stops. */
    void shutDown() {
        closeForced("broker is shutting down");
        ctx().close();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (ctx.channel().isWritable()) {
            for (AmqpChannel channel : channels.values()) {
                channel.consumers().resume();
                channel.consumers().flushSettlements();
            }
        }
        ctx.fireChannelWritabilityChanged();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (state instanceof ConnectionState.Open) {
            LOG.info("{}: peer closed the socket without connection.close", this);
        } else if (!isEnding()) {
            LOG.info("{}: peer closed the socket before connection.open", this);
        }
        if (handshakeTimer != null) {
            handshakeTimer.cancel(false);
        }
        state = new ConnectionState.Closed();
        releaseAll();
        output().release();
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        abort(cause instanceof IOException ? "connection lost: " + cause.getMessage() : cause.toString());
    }

    @Override
    public String toString() {
        Caller caller = openCaller;
        return caller != null
                ? caller.connection()
                : context == null ? "amqp" : "amqp " + ctx().channel().remoteAddress();
    }
}
