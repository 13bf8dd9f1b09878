package io.sluice.kafka.connection;

import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.sluice.access.Authenticator;

/** Builds the pipeline of a Kafka connection. */
public final class NativePipeline extends ChannelInitializer<Channel> {
    private final Apis apis;
    private final Authenticator authenticator;
    private final Limits limits;
    private final RequestMemory memory;

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

    public NativePipeline(Apis apis, Authenticator authenticator, Limits limits) {
        this.apis = apis;
        this.authenticator = authenticator;
        this.limits = limits;
        this.memory = new RequestMemory(limits.requestMemoryBytes());
    }

    @Override
    protected void initChannel(Channel channel) {
        RequestDecoder decoder = new RequestDecoder(apis, limits.maxRequestBytes(), memory);
        channel.pipeline().addLast(decoder).addLast(new ConnectionHandler(apis, authenticator, decoder, limits));
    }
}
