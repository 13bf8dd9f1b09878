package io.sluice.amqp;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.sluice.access.Authenticator;
import io.sluice.access.Authorizer;
import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.Clock;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.FileSystem;
import io.sluice.io.SystemClock;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.catalog.RoutingBroker;
import io.sluice.shard.Core;
import io.sluice.shard.CoreSettings;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** The real core with the AMQP door on a random loopback port; user guest, password guest. */
public final class TestBroker implements AutoCloseable {
    private final LocalLogEngine engine;
    private final Core core;
    private final RoutingBroker broker;
    private final AmqpGateway gateway;
    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
    private final Channel listener;

    public TestBroker(Path directory) throws Exception {
        this(directory, new DiskFileSystem(), CoreSettings.DEFAULT, AmqpSettings.DEFAULT);
    }

    /** With a disk whose free space is looked at every 20 ms. */
    public TestBroker(Path directory, FileSystem files, CoreSettings coreSettings, AmqpSettings settings)
            throws Exception {
        Clock clock = new SystemClock();
        LocalLogSettings log = LocalLogSettings.DEFAULT;
        engine = LocalLogEngine.open(
                directory,
                new LocalLogSettings(
                        log.nodeId(),
                        4 << 20,
                        log.checkpointMillis(),
                        log.checkpointBytes(),
                        log.tailCacheBytes(),
                        log.decodedCacheBytes(),
                        log.maxDecodedBytes(),
                        log.openFiles(),
                        log.readerThreads(),
                        log.warmBytes(),
                        log.retentionMillis(),
                        log.compactionBytes(),
                        log.producerIdleMillis(),
                        20,
                        1 << 20,
                        2 << 20),
                files,
                clock);
        core = Core.start(engine, clock, coreSettings);
        broker = RoutingBroker.open(engine, core.shard(), core.queues(), clock);
        Authenticator guest = credentials -> CompletableFuture.completedFuture(
                "guest".equals(credentials.user())
                                && "guest".equals(new String(credentials.password(), StandardCharsets.UTF_8))
                        ? Optional.of(new Caller(new Principal("guest"), "/", Authorizer.PERMIT_ALL, "test"))
                        : Optional.empty());
        gateway = new AmqpGateway(broker, guest, settings);
        gateway.start();
        listener = new ServerBootstrap()
                .group(loops)
                .channel(NioServerSocketChannel.class)
                .childHandler(gateway.initializer())
                .bind("127.0.0.1", 0)
                .sync()
                .channel();
    }

    public int port() {
        return ((InetSocketAddress) listener.localAddress()).getPort();
    }

    public AmqpGateway gateway() {
        return gateway;
    }

    RoutingBroker broker() {
        return broker;
    }

    LocalLogEngine engine() {
        return engine;
    }

    VirtualHost host() {
        VirtualHost host = broker.virtualHost("/");
        if (host == null) {
            throw new IllegalStateException("no vhost /");
        }
        return host;
    }

    @Override
    public void close() {
        listener.close().syncUninterruptibly();
        gateway.close();
        loops.shutdownGracefully(0, 2, java.util.concurrent.TimeUnit.SECONDS).syncUninterruptibly();
        broker.close();
        core.close();
        engine.close();
    }
}
