package io.sluice.server.management;

import static io.netty.handler.codec.http.HttpResponseStatus.OK;
import static io.netty.handler.codec.http.HttpResponseStatus.SERVICE_UNAVAILABLE;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.timeout.ReadTimeoutHandler;
import io.sluice.io.SystemClock;
import io.sluice.server.metrics.BrokerMetrics;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What the management port speaks: {@code /healthz} (alive), {@code /readyz} (serving), {@code /metrics} and {@code
 * /metrics/per-object} (Prometheus text), {@code /sluice/v1/routes}, and RabbitMQ's HTTP API below {@code /api}. Line, header and body sizes are bounded before anything is looked at; request bodies are never
 * decompressed.
 */
public final class ManagementServer extends ChannelInitializer<Channel> {
    /** Largest request body, bytes. */
    static final int MAX_BODY_BYTES = 1 << 20;

    /** The same for the definitions of a whole broker. */
    private static final int MAX_DEFINITIONS_BYTES = 16 << 20;

    private static final int MAX_LINE_BYTES = 4096;
    private static final int MAX_HEADER_BYTES = 8192;
    private static final int IDLE_SECONDS = 30;

    private final Endpoints endpoints;
    private final Complaints complaints = new Complaints(new SystemClock());

    /**
     * Describes the port.
     *
     * @param notReady reason why the broker does not serve, null when it does
     * @param metrics what is exposed
     * @param worker runs what would hold up an event loop
     * @param routes routes
     * @param rabbit all below {@code /api}
     */
    public ManagementServer(
            Supplier<@Nullable String> notReady,
            BrokerMetrics metrics,
            Executor worker,
            RoutesEndpoint routes,
            TreeEndpoint rabbit) {
        endpoints = new Endpoints.Builder()
                .add(HttpMethod.GET, "/healthz", body -> CompletableFuture.completedFuture(Reply.text(OK, "ok\n")))
                .add(HttpMethod.GET, "/readyz", body -> CompletableFuture.completedFuture(ready(notReady.get())))
                .add(HttpMethod.GET, "/metrics", body -> exposition(metrics::scrape, worker))
                .add(HttpMethod.GET, "/metrics/per-object", body -> exposition(metrics::scrapePerQueue, worker))
                .add(HttpMethod.GET, RoutesEndpoint.PATH, routes::list)
                .add(HttpMethod.POST, RoutesEndpoint.PATH, routes::add)
                .add(HttpMethod.DELETE, RoutesEndpoint.PATH, routes::remove)
                .tree("/api", rabbit)
                .build();
    }

    private static CompletionStage<Reply> exposition(Supplier<String> text, Executor worker) {
        return CompletableFuture.supplyAsync(
                () -> new Reply(
                        OK,
                        "text/plain; version=0.0.4; charset=utf-8",
                        text.get().getBytes(UTF_8)),
                worker);
    }

    private static Reply ready(@Nullable String reason) {
        return reason == null ? Reply.text(OK, "ready\n") : Reply.problem(SERVICE_UNAVAILABLE, "not_ready", reason);
    }

    @Override
    protected void initChannel(Channel channel) {
        HttpDecoderConfig limits =
                new HttpDecoderConfig().setMaxInitialLineLength(MAX_LINE_BYTES).setMaxHeaderSize(MAX_HEADER_BYTES);
        RequestWatch watch = new RequestWatch(complaints, IDLE_SECONDS);
        channel.pipeline()
                .addLast(watch)
                .addLast(new ReadTimeoutHandler(IDLE_SECONDS))
                .addLast(new HttpServerCodec(limits))
                .addLast(new BoundedBody(MAX_BODY_BYTES, MAX_DEFINITIONS_BYTES, watch, complaints))
                .addLast(new HttpHandler(endpoints, watch, complaints));
    }
}
