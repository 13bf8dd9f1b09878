package io.sluice.kafka.connection;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.handler.ssl.SslHandler;
import io.sluice.access.Authenticator;
import io.sluice.access.Caller;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
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
 * One client connection. Requests are started as they arrive and answered in their order; reading stops while too many are
 * unanswered, while the client does not read, or while the shard is congested. Confined to its event loop.
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

    private final Apis apis;
    private final Authenticator authenticator;
    private final int maxInFlight;
    private final ArrayDeque<Request> unanswered = new ArrayDeque<>();
    private final ConnectionState state = new ConnectionState();
    private final ChannelFutureListener written = this::written;

    private @Nullable ChannelHandlerContext context;
    private @Nullable Caller caller;
    private KafkaPrincipal principal = KafkaPrincipal.ANONYMOUS;
    private InetSocketAddress local = new InetSocketAddress(0);
    private InetSocketAddress remote = local;
    private int inFlight;
    private int pauses;
    private boolean reading;
    private boolean flushPending;
    private boolean closed;

    ConnectionHandler(Apis apis, Authenticator authenticator, int maxInFlight) {
        this.apis = apis;
        this.authenticator = authenticator;
        this.maxInFlight = maxInFlight;
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
        if (caller == null) {
            start(handlerContext);
        }
        handlerContext.fireChannelActive();
    }

    private void start(ChannelHandlerContext handlerContext) {
        handlerContext.channel().config().setAutoRead(false);
        if (handlerContext.channel().localAddress() instanceof InetSocketAddress address) {
            local = address;
        }
        if (handlerContext.channel().remoteAddress() instanceof InetSocketAddress address) {
            remote = address;
        }
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
            List<Object> parts = new ResponseParts(out.alloc(), plaintext)
                    .collect(request.context().buildResponseSend(response));
            int last = parts.size() - 1;
            for (int i = 0; i < last; i++) {
                out.write(parts.get(i), out.voidPromise());
            }
            out.write(parts.get(last)).addListener(written);
        } catch (IOException | RuntimeException e) {
            close("cannot send " + request.context().header.apiKey() + " response: " + e);
        }
    }

    private void written(ChannelFuture future) {
        inFlight--;
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
        boolean read = caller != null
                && pauses == 0
                && inFlight < maxInFlight
                && current.channel().isWritable();
        if (current.channel().config().isAutoRead() != read) {
            current.channel().config().setAutoRead(read);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext handlerContext) {
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

    private void closed() {
        if (closed) {
            return;
        }
        closed = true;
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
