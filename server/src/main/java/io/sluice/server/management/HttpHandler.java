package io.sluice.server.management;

import static io.netty.handler.codec.http.HttpResponseStatus.BAD_REQUEST;
import static io.netty.handler.codec.http.HttpResponseStatus.FORBIDDEN;
import static io.netty.handler.codec.http.HttpResponseStatus.HTTP_VERSION_NOT_SUPPORTED;
import static io.netty.handler.codec.http.HttpResponseStatus.INTERNAL_SERVER_ERROR;
import static io.netty.handler.codec.http.HttpResponseStatus.METHOD_NOT_ALLOWED;
import static io.netty.handler.codec.http.HttpResponseStatus.NOT_FOUND;
import static io.netty.handler.codec.http.HttpResponseStatus.UNAUTHORIZED;
import static io.netty.handler.codec.http.HttpResponseStatus.UNSUPPORTED_MEDIA_TYPE;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.PrematureChannelClosureException;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.netty.handler.timeout.ReadTimeoutException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers management requests of one connection in order: HTTP/1.1 without pipelining beyond one request. Confined to its
 * event loop.
 *
 * <p>While the listener is open to this machine without a password, a page in a browser on this machine must not be able to
 * use it: requests whose {@code Host} is not a loopback name (DNS rebinding) and changes that come from another origin or not as JSON
 * are refused.
 */
final class HttpHandler extends SimpleChannelInboundHandler<FullHttpRequest> {
    private static final Logger LOG = LoggerFactory.getLogger(HttpHandler.class);
    private static final Set<String> LOOPBACK_NAMES = Set.of("localhost", "127.0.0.1", "[::1]");

    private final Endpoints endpoints;
    private final RequestWatch watch;
    private final Complaints complaints;

    /** A request that is not taken, before anything looks at its path. */
    private record Refusal(HttpResponseStatus status, String error, String reason) {}

    HttpHandler(Endpoints endpoints, RequestWatch watch, Complaints complaints) {
        this.endpoints = endpoints;
        this.watch = watch;
        this.complaints = complaints;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
        if (!context.channel().isActive()) {
            return; // what the decoder made of a request that broke off
        }
        watch.done();
        boolean keepAlive = HttpUtil.isKeepAlive(request);
        boolean head = request.method().equals(HttpMethod.HEAD);
        Refusal refusal = refuse(request);
        if (refusal != null) {
            complaints.about(
                    context.channel().remoteAddress(),
                    "request refused with " + refusal.status().code() + ": " + refusal.reason());
            send(context, Reply.problem(refusal.status(), refusal.error(), refusal.reason()), false, head);
            return;
        }
        String path = path(request.uri());
        TreeEndpoint tree = endpoints.tree(path);
        Endpoint endpoint = endpoints.find(path, request.method());
        if (endpoint == null && tree == null) {
            send(context, unknown(path, request.method()), keepAlive, head);
            return;
        }
        // One request at a time: the next one is read once this one is answered.
        context.channel().config().setAutoRead(false);
        CompletionStage<Reply> answer;
        try {
            answer = endpoint != null ? endpoint.answer(request.content()) : ask(tree, context, request);
        } catch (RuntimeException e) {
            answer = CompletableFuture.failedFuture(e);
        }
        answer.whenComplete((reply, error) -> context.executor().execute(() -> {
            send(context, reply != null ? reply : failed(path, error), keepAlive, head);
            context.channel().config().setAutoRead(true);
        }));
    }

    private static CompletionStage<Reply> ask(
            @Nullable TreeEndpoint tree, ChannelHandlerContext context, FullHttpRequest request) {
        ApiRequest taken;
        try {
            taken = ApiRequest.of(
                    request,
                    address(context.channel().remoteAddress()),
                    address(context.channel().localAddress()));
        } catch (IllegalArgumentException e) {
            return CompletableFuture.completedFuture(
                    Reply.problem(BAD_REQUEST, "bad_request", "The path or the query has a malformed escape."));
        }
        return Objects.requireNonNull(tree).answer(taken);
    }

    private static InetSocketAddress address(@Nullable SocketAddress address) {
        return address instanceof InetSocketAddress internet
                ? internet
                : InetSocketAddress.createUnresolved("local", 0);
    }

    private @Nullable Refusal refuse(FullHttpRequest request) {
        if (request.decoderResult().isFailure()) {
            return new Refusal(
                    BAD_REQUEST, "bad_request", wrong(request.decoderResult().cause()));
        }
        if (!request.protocolVersion().equals(HttpVersion.HTTP_1_1)
                && !request.protocolVersion().equals(HttpVersion.HTTP_1_0)) {
            return new Refusal(
                    HTTP_VERSION_NOT_SUPPORTED, "bad_request", "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
        }
        String host = request.headers().get(HttpHeaderNames.HOST);
        if (host != null && !isLoopbackName(host)) {
            return new Refusal(
                    FORBIDDEN, "forbidden", "The Host header must name this machine: localhost, 127.0.0.1 or [::1].");
        }
        if (isChange(request.method())) {
            String origin = request.headers().get(HttpHeaderNames.ORIGIN);
            if (origin != null && !isSameOrigin(origin, host)) {
                return new Refusal(FORBIDDEN, "forbidden", "Changes are not taken from pages of another origin.");
            }
            // what asks for a password itself is out of reach of a page without it, and its clients send many types
            String type = endpoints.tree(path(request.uri())) != null
                    ? "application/json"
                    : request.headers().get(HttpHeaderNames.CONTENT_TYPE);
            if (type == null || !type.toLowerCase(Locale.ROOT).startsWith("application/json")) {
                return new Refusal(
                        UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body must be sent as application/json.");
            }
        }
        return null;
    }

    private static String wrong(Throwable cause) {
        if (cause instanceof TooLongHttpLineException) {
            return "The request line is too long.";
        }
        return cause instanceof TooLongHttpHeaderException
                ? "The request headers are too large."
                : "The request is not valid HTTP/1.1.";
    }

    private static boolean isChange(HttpMethod method) {
        return method.equals(HttpMethod.POST) || method.equals(HttpMethod.DELETE) || method.equals(HttpMethod.PUT);
    }

    private static boolean isLoopbackName(String host) {
        int end = host.startsWith("[") ? host.indexOf(']') + 1 : host.indexOf(':');
        String name = end > 0 ? host.substring(0, end) : host;
        return LOOPBACK_NAMES.contains(name.toLowerCase(Locale.ROOT));
    }

    private static boolean isSameOrigin(String origin, @Nullable String host) {
        try {
            return host != null && host.equals(URI.create(origin).getAuthority());
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static String path(String uri) {
        int query = uri.indexOf('?');
        return query < 0 ? uri : uri.substring(0, query);
    }

    private Reply unknown(String path, HttpMethod method) {
        Set<String> methods = endpoints.methods(path);
        return methods == null
                ? Reply.problem(NOT_FOUND, "not_found", "There is nothing at this path.")
                : Reply.problem(
                        METHOD_NOT_ALLOWED,
                        "method_not_allowed",
                        "This path answers " + String.join(", ", methods) + ", not " + method.name() + ".");
    }

    private static Reply failed(String path, @Nullable Throwable error) {
        LOG.error("Management request {} failed", path, error);
        return Reply.problem(INTERNAL_SERVER_ERROR, "internal_error", "The request failed; the broker's log says why.");
    }

    private static void send(ChannelHandlerContext context, Reply reply, boolean keepAlive, boolean head) {
        ChannelFuture sent = context.writeAndFlush(response(reply, keepAlive, head));
        if (!keepAlive) {
            sent.addListener(ChannelFutureListener.CLOSE);
        }
    }

    static FullHttpResponse response(Reply reply, boolean keepAlive, boolean head) {
        ByteBuf body = head ? Unpooled.EMPTY_BUFFER : Unpooled.wrappedBuffer(reply.body());
        FullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, reply.status(), body);
        response.headers()
                .set(HttpHeaderNames.CONTENT_TYPE, reply.contentType())
                .setInt(HttpHeaderNames.CONTENT_LENGTH, reply.body().length)
                .set(HttpHeaderNames.CACHE_CONTROL, "no-store")
                .set("x-content-type-options", "nosniff")
                .set("x-frame-options", "DENY")
                .set("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
                .set("referrer-policy", "no-referrer");
        if (reply.status().equals(UNAUTHORIZED)) {
            response.headers().set(HttpHeaderNames.WWW_AUTHENTICATE, "Basic realm=\"Sluice\"");
        }
        HttpUtil.setKeepAlive(response, keepAlive);
        return response;
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        // the watch has told, or will, of a request that broke off
        if (!(cause instanceof IOException)
                && !(cause instanceof ReadTimeoutException)
                && !(cause instanceof PrematureChannelClosureException)) {
            LOG.warn("Management connection {} closed: {}", context.channel().remoteAddress(), cause.toString());
        }
        context.close();
    }
}
