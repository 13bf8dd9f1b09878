package io.sluice.amqp;

import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.WriteBufferWaterMark;
import io.sluice.access.Authenticator;
import io.sluice.amqp091.connection.Amqp091;
import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.routing.Broker;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** The AMQP door: sets up accepted sockets. Thread-safe. */
public final class AmqpGateway {
    /** Bytes waiting for the socket above which a consumer gets no more, and below which it does again. */
    private static final WriteBufferWaterMark OUTPUT = new WriteBufferWaterMark(512 * 1024, 1024 * 1024);

    private final Amqp091 amqp091;
    private final AmqpSettings settings;

    public AmqpGateway(Broker broker, Authenticator authenticator, AmqpSettings settings) {
        String version = AmqpGateway.class.getPackage().getImplementationVersion();
        this.amqp091 = new Amqp091(broker, authenticator, settings.amqp091(), version == null ? "0.1.0" : version);
        this.settings = settings;
    }

    public String name() {
        return "amqp";
    }

    /** For accepted sockets. */
    public ChannelInitializer<Channel> initializer() {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                initialize(channel.pipeline());
            }
        };
    }

    /** Adds the door's handlers to an accepted socket's pipeline. */
    public void initialize(ChannelPipeline pipeline) {
        pipeline.channel().config().setWriteBufferWaterMark(OUTPUT);
        pipeline.addLast("amqp-header", new ProtocolHeaderHandler(amqp091, settings.headerSeconds()));
    }

    /** Before listeners open. */
    public void start() {
        amqp091.start();
    }

    public int connectionCount() {
        return amqp091.connectionCount();
    }

    /** The open connections. Completes on an event loop. */
    public CompletionStage<List<ConnectionInfo>> connections() {
        return amqp091.describe();
    }

    /** Ends a connection with 320 CONNECTION_FORCED; completes with false if there is none of this name. */
    public CompletionStage<Boolean> closeConnection(String name, String why) {
        return amqp091.close(name, why);
    }

    /** Messages that clients published since the start. */
    public long received() {
        return amqp091.received();
    }

    /** Messages delivered since the start. */
    public long sent() {
        return amqp091.sent();
    }

    /** Tells clients and closes their connections. */
    public void close() {
        amqp091.close();
    }
}
