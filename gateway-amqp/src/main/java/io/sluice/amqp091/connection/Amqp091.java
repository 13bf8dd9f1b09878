package io.sluice.amqp091.connection;

import io.netty.channel.ChannelPipeline;
import io.sluice.access.Authenticator;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.routing.Broker;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/** AMQP 0-9-1 over accepted sockets: makes connections and tells them about the disk and the end. Thread-safe. */
public final class Amqp091 {
    private final Shared shared;
    private final Set<AmqpConnection> connections = ConcurrentHashMap.newKeySet();

    /**
     * Creates the protocol.
     *
     * @param version version of the product, told to clients
     */
    public Amqp091(Broker broker, Authenticator authenticator, Amqp091Settings settings, String version) {
        this.shared = new Shared(
                broker,
                authenticator,
                settings,
                new ExclusiveQueues(),
                new DirectReplies(),
                new AtomicLong(),
                new LongAdder(),
                new LongAdder(),
                version);
    }

    /** Watches the disk; called once, before connections. */
    public void start() {
        shared.broker().engine().onDiskState(this::diskChanged);
        shared.broker().onStreamsChanged(this::streamsChanged);
    }

    private void streamsChanged() {
        for (AmqpConnection connection : connections) {
            connection.ctx().executor().execute(connection::streamsChanged);
        }
    }

    private void diskChanged(DiskState state) {
        for (AmqpConnection connection : connections) {
            connection.ctx().executor().execute(() -> connection.diskChanged(state));
        }
    }

    /** Adds a connection's handlers, whose peer has sent the protocol header. Runs on the channel's loop. */
    public void accept(ChannelPipeline pipeline) {
        AmqpConnection connection = new AmqpConnection(shared);
        pipeline.addLast("amqp091-frames", connection.decoder());
        pipeline.addLast("amqp091", connection);
        connections.add(connection);
        pipeline.channel().closeFuture().addListener(closed -> connections.remove(connection));
    }

    /** Connections now. */
    public int connectionCount() {
        return connections.size();
    }

    /** Messages published since the start. */
    public long received() {
        return shared.received().sum();
    }

    /** Messages delivered since the start. */
    public long sent() {
        return shared.sent().sum();
    }

    /** Closes all connections with 320. */
    public void close() {
        for (AmqpConnection connection : connections) {
            connection.ctx().executor().execute(connection::shutDown);
        }
    }
}
