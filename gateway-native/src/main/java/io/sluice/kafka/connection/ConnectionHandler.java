package io.sluice.kafka.connection;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.EventLoop;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.concurrent.ScheduledFuture;
import io.sluice.access.Authenticator;
import io.sluice.access.Caller;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.message.ApiVersionsRequestData;
import org.apache.kafka.common.network.ClientInformation;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.ApiVersionsRequest;
import org.apache.kafka.common.requests.RequestContext;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client connection. Requests are started as they arrive and answered in their order, as clients rely on. Kafka starts a
 * request only when the one before is answered; here a request that merely waits, such as a fetch without data, is told to
 * answer with what it has as soon as the client asks for something else, so that a closing consumer does not sit out its
 * own {@code fetch.max.wait.ms}. Reading stops while too many requests are unanswered, while the client does not read, or
 * while the shard is congested. Confined to its event loop.
 *
 * <table>
 * <caption>States</caption>
 * <tr><td>authenticating</td><td>caller is null, nothing is read</td><td>refused: closed; accepted: serving</td></tr>
 * <tr><td>serving</td><td>requests in {@code unanswered}</td><td>malformed request, I/O error, end of input: closed</td></tr>
 * <tr><td>closed</td><td>late answers are dropped</td><td>-</td></tr>
 * </table>
 */
final class ConnectionHandler extends ChannelInboundHandlerAdapter {
    private static final Logger LOG = LoggerFactory.getLogger(ConnectionHandler.class);
    private static final ListenerName LISTENER = new ListenerName("NATIVE");

    /** How often connections are looked at; a request that has begun must go on arriving within one such period. */
    private static final long WATCH_MILLIS = 30_000;

    /** Periods after which a client that takes nothing of its answers is given up; the system's buffers hide slow reading. */
    private static final int OUTPUT_PERIODS = 4;

    private final Apis apis;
    private final Authenticator authenticator;
    private final int maxInFlight;
    private final RequestDecoder decoder;
    private final long firstRequestMillis;
    private final long idlePeriods;
    private final ArrayDeque<Request> unanswered = new ArrayDeque<>();
    private final ConnectionState state = new ConnectionState();
    private final ChannelFutureListener written = this::written;

    private final long openedMillis;
    private @Nullable ChannelHandlerContext context;
    private @Nullable Caller caller;
    private KafkaPrincipal principal = KafkaPrincipal.ANONYMOUS;
    private InetSocketAddress local = new InetSocketAddress(0);
    private InetSocketAddress remote = local;
    private int inFlight;
    private int pauses;
    private int waiting;
    private @Nullable ScheduledFuture<?> watch;
    private @Nullable ScheduledFuture<?> firstRequest;
    private boolean progress;
    private int quietPeriods;
    private long lastOutput;
    private boolean reading;
    private boolean flushPending;
    private boolean closed;

    /**
     * Makes a handler.
     *
     * @param decoder the handler before this one, which is told when to hold requests back
     * @param openedMillis epoch ms
     */
    ConnectionHandler(
            Apis apis,
            Authenticator authenticator,
            RequestDecoder decoder,
            NativePipeline.Limits limits,
            long openedMillis) {
        this.openedMillis = openedMillis;
        this.apis = apis;
        this.authenticator = authenticator;
        this.decoder = decoder;
        this.maxInFlight = limits.maxInFlight();
        this.firstRequestMillis = limits.firstRequestMillis();
        this.idlePeriods = Math.max(1, limits.idleMillis() / WATCH_MILLIS);
        decoder.onStarvation(this::updateReading);
    }

    @Override
    public void handlerAdded(ChannelHandlerContext handlerContext) {
        context = handlerContext;
        if (handlerContext.channel().isActive()) {
            start(handlerContext);
        }
    }

    @Override
    public void channelActive(ChannelHandlerContext handlerContext) {
        start(handlerContext);
        handlerContext.fireChannelActive();
    }

    private void start(ChannelHandlerContext handlerContext) {
        if (watch != null) {
            return;
        }
        handlerContext.channel().config().setAutoRead(false);
        if (handlerContext.channel().localAddress() instanceof InetSocketAddress address) {
            local = address;
        }
        if (handlerContext.channel().remoteAddress() instanceof InetSocketAddress address) {
            remote = address;
        }
        watch = handlerContext
                .executor()
                .scheduleWithFixedDelay(this::check, WATCH_MILLIS, WATCH_MILLIS, TimeUnit.MILLISECONDS);
        waitForFirst(handlerContext);
        authenticator
                .authenticate(new Authenticator.Credentials("kafka", null, null, null, remote, local))
                .whenCompleteAsync(this::authenticated, handlerContext.executor());
    }

    @SuppressWarnings("NullableOptional") // null beside an error, as whenComplete hands it over
    private void authenticated(@Nullable Optional<Caller> result, @Nullable Throwable error) {
        if (closed) {
            return;
        }
        if (error != null || result == null || result.isEmpty()) {
            close("not authenticated" + (error == null ? "" : ": " + error));
            return;
        }
        Caller accepted = result.get();
        caller = accepted;
        principal = new KafkaPrincipal(
                KafkaPrincipal.USER_TYPE, accepted.principal().name());
        updateReading();
    }

    @Override
    public void channelRead(ChannelHandlerContext handlerContext, Object message) {
        ByteBuf frame = (ByteBuf) message;
        reading = true;
        try {
            if (!closed) {
                serve(frame);
            }
        } finally {
            frame.release();
        }
    }

    private void serve(ByteBuf frame) {
        Request request;
        ApiHandler handler;
        try {
            ByteBuffer bytes = frame.nioBuffer();
            int start = bytes.position();
            RequestHeader header = RequestHeader.parse(bytes);
            frame.skipBytes(bytes.position() - start);
            FrameReader reader = new FrameReader(frame);
            AbstractRequest body = header.apiKey() == ApiKeys.API_VERSIONS && !header.isApiVersionSupported()
                    ? new ApiVersionsRequest(new ApiVersionsRequestData(), (short) 0, header.apiVersion())
                    : AbstractRequest.parseRequest(header.apiKey(), header.apiVersion(), reader).request;
            Apis.Entry entry = apis.entry(header.apiKey());
            if (entry == null) {
                throw new MalformedRequestException(header.apiKey() + " is not served");
            }
            handler = entry.handler();
            request = new Request(this, requestContext(header), body, reader);
        } catch (RuntimeException e) {
            close("malformed request: " + e);
            return;
        }
        if (waiting > 0 && request.context().header.apiKey() != ApiKeys.FETCH) {
            endWaits();
        }
        stopWaitingForFirst();
        unanswered.add(request);
        inFlight++;
        if (inFlight >= maxInFlight) {
            updateReading();
        }
        try {
            handler.handle(request);
        } catch (RuntimeException e) {
            LOG.warn("{}: {} failed", remote, request.context().header.apiKey(), e);
            if (!request.isDone()) {
                request.fail(e);
            }
        }
    }

    private void waitForFirst(ChannelHandlerContext current) {
        firstRequest =
                current.executor().schedule(() -> firstIsLate(current), firstRequestMillis, TimeUnit.MILLISECONDS);
    }

    private void firstIsLate(ChannelHandlerContext current) {
        if (decoder.isStarved()) {
            waitForFirst(current); // it is the broker that does not read
        } else {
            close(caller == null ? "not authenticated in time" : "no request within " + firstRequestMillis + " ms");
        }
    }

    private void stopWaitingForFirst() {
        ScheduledFuture<?> timer = firstRequest;
        if (timer != null) {
            firstRequest = null;
            timer.cancel(false);
        }
    }

    /** Lets requests that merely wait answer now: there is something behind them. */
    void endWaits() {
        if (waiting > 0) {
            for (Request request : List.copyOf(unanswered)) {
                request.endWait();
            }
        }
    }

    void waiting(int change) {
        waiting += change;
    }

    private RequestContext requestContext(RequestHeader header) {
        return new RequestContext(
                header,
                caller().connection(),
                remote.getAddress(),
                principal,
                LISTENER,
                SecurityProtocol.PLAINTEXT,
                ClientInformation.EMPTY,
                false);
    }

    /** Takes an answer, null if the request has none, and writes all that are due. */
    void complete(Request request, @Nullable AbstractResponse response) {
        if (closed) {
            if (response != null) {
                ResponseParts.drop(response);
            }
            return;
        }
        request.done(response);
        Request head = unanswered.peek();
        while (head != null && head.isDone()) {
            unanswered.poll();
            write(head);
            head = unanswered.peek();
        }
        flushLater();
    }

    private void write(Request request) {
        AbstractResponse response = request.response();
        if (response == null) {
            inFlight--;
            updateReading();
            return;
        }
        ChannelHandlerContext out = context();
        try {
            boolean plaintext = out.pipeline().get(SslHandler.class) == null;
            List<Object> parts =
                    ResponseParts.of(request.context().buildResponseSend(response), out.alloc(), plaintext);
            int last = parts.size() - 1;
            for (int i = 0; i < last; i++) {
                out.write(parts.get(i), out.voidPromise());
            }
            out.write(parts.get(last)).addListener(written);
        } catch (IOException | RuntimeException e) {
            ResponseParts.drop(response);
            close("cannot send " + request.context().header.apiKey() + " response: " + e);
        }
    }

    private void written(ChannelFuture future) {
        inFlight--;
        progress = true;
        if (!closed) {
            updateReading();
        }
    }

    /** One flush for all answers of this turn of the loop. */
    private void flushLater() {
        if (!reading && !flushPending) {
            flushPending = true;
            loop().execute(this::flush);
        }
    }

    private void flush() {
        flushPending = false;
        if (!closed) {
            context().flush();
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext handlerContext) {
        reading = false;
        progress = true;
        handlerContext.flush();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext handlerContext) {
        updateReading();
    }

    void pause() {
        pauses++;
        updateReading();
    }

    void resume() {
        pauses--;
        updateReading();
    }

    private void updateReading() {
        if (closed) {
            return;
        }
        ChannelHandlerContext current = context();
        boolean serve = caller != null
                && pauses == 0
                && inFlight < maxInFlight
                && current.channel().isWritable();
        decoder.pause(!serve, current);
        boolean read = serve && !decoder.isStarved();
        if (current.channel().config().isAutoRead() != read) {
            current.channel().config().setAutoRead(read);
        }
    }

    /**
     * Ends connections whose peer is gone without a word: those that stopped in the middle of a request or of taking an
     * answer, and those that have been silent for long with nothing left to answer (Kafka's {@code
     * connections.max.idle.ms}).
     */
    private void check() {
        long output = output();
        boolean quiet = !progress && output == lastOutput;
        progress = false;
        lastOutput = output;
        if (!quiet || closed) {
            quietPeriods = 0;
            return;
        }
        quietPeriods++;
        if (decoder.isWithinRequest() && context().channel().config().isAutoRead()) {
            close("stopped in the middle of a request");
        } else if (output != 0 && quietPeriods >= OUTPUT_PERIODS) {
            close("does not take its answers");
        } else if (unanswered.isEmpty() && inFlight == 0 && quietPeriods >= idlePeriods) {
            LOG.debug("kafka {}: closed after being idle", remote);
            context().close();
        }
    }

    /** What waits to be sent, as a number that changes when any of it is; 0 if nothing does. */
    private long output() {
        ChannelOutboundBuffer buffer = context().channel().unsafe().outboundBuffer();
        return buffer == null || buffer.isEmpty() ? 0 : ((long) buffer.size() << 40) + buffer.currentProgress();
    }

    @Override
    public void channelInactive(ChannelHandlerContext handlerContext) {
        if (!closed && decoder.isWithinRequest()) {
            LOG.warn("kafka {}: peer closed the connection in the middle of a request", remote);
        }
        closed();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext handlerContext, Throwable cause) {
        if (cause instanceof IOException) {
            LOG.debug("kafka {}: {}", remote, cause.toString());
            handlerContext.close();
        } else {
            close(cause instanceof MalformedRequestException ? String.valueOf(cause.getMessage()) : cause.toString());
        }
    }

    void close(String why) {
        if (!closed) {
            LOG.warn("kafka {}: connection closed: {}", remote, why);
            ChannelHandlerContext current = context();
            closed();
            current.close();
        }
    }

    /** What it is now, null if it is not accepted or closed. On the loop. */
    @Nullable
    ConnectionInfo describe() {
        Caller current = caller;
        if (closed || current == null) {
            return null;
        }
        return new ConnectionInfo(
                readable(remote) + " -> " + readable(local),
                current.principal().name(),
                current.vhost(),
                remote,
                local,
                openedMillis);
    }

    private static String readable(InetSocketAddress address) {
        return (address.getAddress() == null
                        ? address.getHostString()
                        : address.getAddress().getHostAddress())
                + ':'
                + address.getPort();
    }

    private void closed() {
        if (closed) {
            return;
        }
        closed = true;
        if (watch != null) {
            watch.cancel(false);
        }
        stopWaitingForFirst();
        for (Request request : unanswered) {
            AbstractResponse response = request.response();
            if (response != null) {
                ResponseParts.drop(response);
            }
        }
        unanswered.clear();
        state.closed();
    }

    boolean isClosed() {
        return closed;
    }

    Caller caller() {
        Caller current = caller;
        if (current == null) {
            throw new MalformedRequestException("request before authentication");
        }
        return current;
    }

    ConnectionState state() {
        return state;
    }

    InetSocketAddress localAddress() {
        return local;
    }

    EventLoop loop() {
        return context().channel().eventLoop();
    }

    private ChannelHandlerContext context() {
        ChannelHandlerContext current = context;
        if (current == null) {
            throw new IllegalStateException("not in a pipeline");
        }
        return current;
    }
}
