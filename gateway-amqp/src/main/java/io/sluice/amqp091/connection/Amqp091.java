package io.sluice.amqp091.connection;

import io.netty.channel.ChannelPipeline;
import io.sluice.access.Authenticator;
import io.sluice.amqp091.session.Amqp091Settings;
import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.amqp091.session.DirectReplies;
import io.sluice.amqp091.session.ExclusiveQueues;
import io.sluice.amqp091.session.Shared;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.routing.Broker;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

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
        shared.broker().onVirtualHostDeleted(this::virtualHostDeleted);
    }

    private void virtualHostDeleted(String name) {
        for (AmqpConnection connection : connections) {
            connection.ctx().executor().execute(() -> connection.virtualHostDeleted(name));
        }
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

    /** The open connections, each as it is when its event loop comes to it. Completes on an event loop. */
    public CompletionStage<List<ConnectionInfo>> describe() {
        List<CompletableFuture<@Nullable ConnectionInfo>> answers = new ArrayList<>();
        for (AmqpConnection connection : connections) {
            answers.add(CompletableFuture.supplyAsync(
                    connection::describe, connection.ctx().executor()));
        }
        return CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new))
                .thenApply(all -> answers.stream()
                        .map(answer -> answer.getNow(null))
                        .filter(Objects::nonNull)
                        .map(Objects::requireNonNull)
                        .toList());
    }

    /** Closes an open connection with 320; completes with false if there is none of this name. */
    public CompletionStage<Boolean> close(String name, String why) {
        List<CompletableFuture<Boolean>> answers = new ArrayList<>();
        for (AmqpConnection connection : connections) {
            answers.add(CompletableFuture.supplyAsync(
                    () -> {
                        ConnectionInfo info = connection.describe();
                        boolean meant = info != null && info.name().equals(name);
                        if (meant) {
                            connection.closeForced(why);
                        }
                        return meant;
                    },
                    connection.ctx().executor()));
        }
        return CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new))
                .thenApply(all -> answers.stream().anyMatch(answer -> answer.getNow(false)));
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
