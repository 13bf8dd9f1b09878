package io.sluice.mqtt;

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
import io.sluice.routing.Broker;
import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** The gateway on a random loopback port. User {@code wrong} is refused, {@code never} is not answered, nobody may use topics below {@code secret/}. */
final class TestServer implements AutoCloseable {
    private static final Authorizer RULES =
            (principal, vhost, operation, resource) -> !resource.name().startsWith("secret/");

    final MqttGateway gateway;
    final int port;
    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
    private final Channel listener;

    TestServer(Broker broker, MqttSettings settings) {
        Authenticator authenticator = c -> {
            if ("never".equals(c.user())) {
                return new CompletableFuture<>();
            }
            Principal principal = c.user() == null ? Principal.ANONYMOUS : new Principal(c.user());
            return CompletableFuture.completedFuture(
                    "wrong".equals(c.user())
                            ? Optional.empty()
                            : Optional.of(new Caller(principal, "/", RULES, "mqtt")));
        };
        gateway = new MqttGateway(broker, authenticator, settings);
        gateway.start();
        listener = new ServerBootstrap()
                .group(loops)
                .channel(NioServerSocketChannel.class)
                .childHandler(gateway.initializer())
                .bind("127.0.0.1", 0)
                .syncUninterruptibly()
                .channel();
        port = ((InetSocketAddress) listener.localAddress()).getPort();
    }

    @Override
    public void close() {
        listener.close().syncUninterruptibly();
        gateway.close();
        loops.shutdownGracefully(0, 2, TimeUnit.SECONDS).syncUninterruptibly();
    }
}
