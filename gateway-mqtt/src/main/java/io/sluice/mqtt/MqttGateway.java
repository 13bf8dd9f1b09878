package io.sluice.mqtt;

import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.GlobalEventExecutor;
import io.sluice.access.Authenticator;
import io.sluice.mqtt.connection.ConnectionInfo;
import io.sluice.mqtt.connection.MqttConnection;
import io.sluice.mqtt.connection.MqttContext;
import io.sluice.mqtt.connection.SessionRegistry;
import io.sluice.mqtt.session.SessionLimits;
import io.sluice.routing.Broker;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The MQTT door: 3.1.1 and 5.0 with QoS 0 and 1 (OASIS MQTT Version 3.1.1, OASIS MQTT Version 5.0). The server owns event loops
 * and listeners; this sets up channels. Thread-safe.
 */
public final class MqttGateway {
    private static final Logger LOG = LoggerFactory.getLogger(MqttGateway.class);
    private static final WriteBufferWaterMark OUTPUT_BOUND = new WriteBufferWaterMark(256 * 1024, 1024 * 1024);

    private final SessionLimits limits;
    private final SessionRegistry registry;
    private final MqttContext context;
    private final ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
    private final ScheduledExecutorService expiry;

    /** Creates a gateway; nothing runs before {@link #start}. */
    public MqttGateway(Broker broker, Authenticator authenticator, MqttSettings settings) {
        this.limits = new SessionLimits(
                settings.maxSubscriptions(),
                settings.pendingMessages(),
                settings.pendingBytes(),
                settings.totalPendingBytes());
        this.registry = new SessionRegistry(broker, limits, settings.maxSessions(), settings.durability());
        this.context = new MqttContext(broker, authenticator, settings.forConnections(), limits, registry);
        this.expiry = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "mqtt-expiry");
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Name of the protocol in settings and log lines. */
    public String name() {
        return "mqtt";
    }

    /** Sets up a channel that a listener accepted. */
    public ChannelInitializer<Channel> initializer() {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                channel.config().setOption(ChannelOption.WRITE_BUFFER_WATER_MARK, OUTPUT_BOUND);
                channels.add(channel);
                new MqttConnection(context).addTo(channel.pipeline());
            }
        };
    }

    /** Restores the durable sessions and starts their expiry. Before listeners open. */
    public void start() {
        context.broker().onVirtualHostDeleted(this::virtualHostDeleted);
        registry.restore();
        expiry.scheduleWithFixedDelay(guarded(registry::expire), 1, 1, TimeUnit.SECONDS);
        expiry.scheduleWithFixedDelay(guarded(registry::publishDueWills), 200, 200, TimeUnit.MILLISECONDS);
    }

    private void virtualHostDeleted(String name) {
        registry.virtualHostDeleted(name);
        for (Channel channel : channels) {
            MqttConnection connection = channel.pipeline().get(MqttConnection.class);
            if (connection != null) {
                connection.virtualHostDeleted(name);
            }
        }
    }

    /** The connected clients, each as it is when its event loop comes to it. Completes on an event loop. */
    public CompletionStage<List<ConnectionInfo>> describe() {
        List<CompletableFuture<@Nullable ConnectionInfo>> answers = new ArrayList<>();
        for (Channel channel : channels) {
            MqttConnection connection = channel.pipeline().get(MqttConnection.class);
            if (connection != null) {
                answers.add(CompletableFuture.supplyAsync(connection::describe, channel.eventLoop()));
            }
        }
        return CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new))
                .thenApply(all -> answers.stream()
                        .map(answer -> answer.getNow(null))
                        .filter(Objects::nonNull)
                        .map(Objects::requireNonNull)
                        .toList());
    }

    /** Ends a client's connection, with reason 0x98 (administrative action); completes with false if there is none of this name. */
    public CompletionStage<Boolean> closeConnection(String name, String why) {
        List<CompletableFuture<Boolean>> answers = new ArrayList<>();
        for (Channel channel : channels) {
            MqttConnection connection = channel.pipeline().get(MqttConnection.class);
            if (connection != null) {
                answers.add(CompletableFuture.supplyAsync(() -> close(connection, name, why), channel.eventLoop()));
            }
        }
        return CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new))
                .thenApply(all -> answers.stream().anyMatch(answer -> answer.getNow(false)));
    }

    private static boolean close(MqttConnection connection, String name, String why) {
        ConnectionInfo info = connection.describe();
        boolean meant = info != null && info.name().equals(name);
        if (meant) {
            connection.closeForced(why);
        }
        return meant;
    }

    /** A failed run must not be the last. */
    private static Runnable guarded(Runnable task) {
        return () -> {
            try {
                task.run();
            } catch (RuntimeException e) {
                LOG.error("expiry of MQTT sessions failed", e);
            }
        };
    }

    /** Tells every client that the server stops and closes its connection; wills are published. Listeners are closed. */
    public void close() {
        expiry.shutdownNow();
        for (Channel channel : channels) {
            MqttConnection connection = channel.pipeline().get(MqttConnection.class);
            if (connection != null) {
                connection.shutdown();
            }
        }
    }

    /** Open connections. */
    public int connections() {
        return channels.size();
    }

    /** Sessions that outlive their connection. */
    public int durableSessions() {
        return registry.durableSessions();
    }

    /** Messages that clients published since the start, refused ones included. */
    public long received() {
        return limits.received();
    }

    /** Messages sent to subscribers since the start. */
    public long delivered() {
        return limits.delivered();
    }

    /** Messages not sent because the subscriber was too slow, they expired, or they exceeded its packet size. */
    public long dropped() {
        return limits.dropped();
    }

    /** Bytes that wait for slow subscribers. */
    public long pendingBytes() {
        return limits.pendingBytes();
    }
}
