package io.sluice.server;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.sluice.server.metrics.BrokerMetrics;
import io.sluice.server.metrics.ConnectionCount;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** The event loops and the listening sockets on them: epoll where there is one, NIO elsewhere. */
final class Listeners implements AutoCloseable {
    private static final int BACKLOG = 4096;
    /** How often a free port is tried anew when it is taken on the second address. */
    private static final int FREE_PORT_ATTEMPTS = 10;

    private static final long STOP_SECONDS = 5;

    private final BrokerMetrics metrics;
    private final EventLoopGroup loops;
    private final Class<? extends ServerChannel> channelType;
    private final List<Channel> open = new ArrayList<>();

    Listeners(BrokerMetrics metrics) {
        this.metrics = metrics;
        boolean epoll = Epoll.isAvailable();
        IoHandlerFactory io = epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
        loops = new MultiThreadIoEventLoopGroup(
                Runtime.getRuntime().availableProcessors(), new DefaultThreadFactory("sluice-io"), io);
        channelType = epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
    }

    EventLoopGroup loops() {
        return loops;
    }

    /**
     * Says at once that a door could not be opened, before anything that takes long or must be torn down is started for it.
     *
     * @param setting the setting of its port
     * @param port wanted port, 0 for any
     * @throws StartException as {@link #open}
     */
    static void check(String name, String setting, int port, List<InetAddress> addresses) {
        if (port == 0) {
            return;
        }
        for (InetAddress address : addresses) {
            try (ServerSocket probe = new ServerSocket()) {
                probe.setReuseAddress(true);
                probe.bind(new InetSocketAddress(address, port));
            } catch (IOException e) {
                throw refused(name, setting, address, port, e);
            }
        }
    }

    /**
     * Opens a door on every address.
     *
     * @return the port, the same on all addresses
     * @throws StartException if a port cannot be had
     */
    int open(Door door, List<InetAddress> addresses) {
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(loops)
                .channel(channelType)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .option(ChannelOption.SO_REUSEADDR, true)
                // as the core: one kind of buffer is quicker than two, for the compiler too
                .childOption(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childHandler(counted(door));
        for (int attempt = 1; ; attempt++) {
            List<Channel> bound = new ArrayList<>();
            int port = door.port();
            for (InetAddress address : addresses) {
                ChannelFuture future =
                        bootstrap.bind(new InetSocketAddress(address, port)).awaitUninterruptibly();
                if (!future.isSuccess()) {
                    bound.forEach(channel -> channel.close().awaitUninterruptibly());
                    bound.clear();
                    if (door.port() == 0 && port != 0 && attempt < FREE_PORT_ATTEMPTS) {
                        break;
                    }
                    throw refused(door.name(), door.setting(), address, port, future.cause());
                }
                bound.add(future.channel());
                port = ((InetSocketAddress) future.channel().localAddress()).getPort();
            }
            if (!bound.isEmpty()) {
                open.addAll(bound);
                return port;
            }
        }
    }

    private ChannelInitializer<Channel> counted(Door door) {
        ConnectionCount count = metrics.connections(door.name().toLowerCase(Locale.ROOT));
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel channel) {
                count.opened();
                channel.closeFuture().addListener(closed -> count.closed());
                channel.pipeline().addLast(door.initializer());
            }
        };
    }

    private static StartException refused(String name, String setting, InetAddress address, int port, Throwable cause) {
        String where = address.getHostAddress() + " port " + port;
        String message = String.valueOf(cause.getMessage());
        if (message.contains("in use")) {
            return new StartException(
                    name + " cannot listen on " + where
                            + ", which another program uses; stop that program or choose another" + " port with --set "
                            + setting + "=PORT.",
                    cause);
        }
        return new StartException(
                name + " cannot listen on " + where + " (" + message + "); choose another port with --set " + setting
                        + "=PORT.",
                cause);
    }

    /** Takes no more connections; those there are stay. */
    void stopAccepting() {
        open.forEach(channel -> channel.close().awaitUninterruptibly());
        open.clear();
    }

    @Override
    public void close() {
        stopAccepting();
        loops.shutdownGracefully(0, STOP_SECONDS, TimeUnit.SECONDS)
                .awaitUninterruptibly(STOP_SECONDS, TimeUnit.SECONDS);
    }
}
