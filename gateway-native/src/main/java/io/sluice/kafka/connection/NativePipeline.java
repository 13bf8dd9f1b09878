package io.sluice.kafka.connection;

import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.sluice.access.Authenticator;

/** Builds the pipeline of a Kafka connection. */
public final class NativePipeline extends ChannelInitializer<Channel> {
    private final Apis apis;
    private final Authenticator authenticator;
    private final int maxRequestBytes;
    private final int maxInFlight;

    /**
     * Makes an initializer.
     *
     * @param maxRequestBytes largest accepted request, bytes
     * @param maxInFlight unanswered requests per connection before it is no longer read
     */
    public NativePipeline(Apis apis, Authenticator authenticator, int maxRequestBytes, int maxInFlight) {
        this.apis = apis;
        this.authenticator = authenticator;
        this.maxRequestBytes = maxRequestBytes;
        this.maxInFlight = maxInFlight;
    }

    @Override
    protected void initChannel(Channel channel) {
        channel.pipeline()
                .addLast(new RequestDecoder(apis, maxRequestBytes))
                .addLast(new ConnectionHandler(apis, authenticator, maxInFlight));
    }
}
