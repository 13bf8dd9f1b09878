package io.sluice.kafka.connection;

import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.sluice.access.Authenticator;
import io.sluice.io.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** Builds the pipeline of a Kafka connection. */
public final class NativePipeline extends ChannelInitializer<Channel> {
    private final Apis apis;
    private final Authenticator authenticator;
    private final Limits limits;
    private final Clock clock;
    private final RequestMemory memory;
    private final Map<Channel, ConnectionHandler> connections = new ConcurrentHashMap<>();

    /**
     * Bounds of connections.
     *
     * @param maxRequestBytes largest accepted request, bytes
     * @param requestMemoryBytes budget for requests still arriving, over all connections, bytes
     * @param maxInFlight unanswered requests per connection before it is no longer read
     * @param firstRequestMillis time in which the first request must have arrived whole, ms
     * @param idleMillis time without a request after which a connection is closed, ms
     */
    public record Limits(
            int maxRequestBytes, long requestMemoryBytes, int maxInFlight, long firstRequestMillis, long idleMillis) {}

    public NativePipeline(Apis apis, Authenticator authenticator, Limits limits, Clock clock) {
        this.clock = clock;
        this.apis = apis;
        this.authenticator = authenticator;
        this.limits = limits;
        this.memory = new RequestMemory(limits.requestMemoryBytes());
    }

    @Override
    protected void initChannel(Channel channel) {
        RequestDecoder decoder = new RequestDecoder(apis, limits.maxRequestBytes(), memory);
        ConnectionHandler handler = new ConnectionHandler(apis, authenticator, decoder, limits, clock.epochMillis());
        connections.put(channel, handler);
        channel.closeFuture().addListener(closed -> connections.remove(channel));
        channel.pipeline().addLast(decoder).addLast(handler);
    }

    /** The open connections, each as it is when its event loop comes to it. Completes on an event loop. */
    public CompletionStage<List<ConnectionInfo>> describe() {
        List<CompletableFuture<@Nullable ConnectionInfo>> answers = new ArrayList<>();
        connections.forEach((channel, handler) ->
                answers.add(CompletableFuture.supplyAsync(handler::describe, channel.eventLoop())));
        return CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new))
                .thenApply(all -> answers.stream()
                        .map(answer -> answer.getNow(null))
                        .filter(Objects::nonNull)
                        .map(Objects::requireNonNull)
                        .toList());
    }

    /** Ends a connection; completes with false if there is none of this name. */
    public CompletionStage<Boolean> close(String name, String why) {
        List<CompletableFuture<Boolean>> answers = new ArrayList<>();
        connections.forEach((channel, handler) -> answers.add(CompletableFuture.supplyAsync(
                () -> {
                    ConnectionInfo info = handler.describe();
                    boolean meant = info != null && info.name().equals(name);
                    if (meant) {
                        handler.close(why);
                    }
                    return meant;
                },
                channel.eventLoop())));
        return CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new))
                .thenApply(all -> answers.stream().anyMatch(answer -> answer.getNow(false)));
    }
}
