package io.sluice.amqp.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.local.LocalAddress;
import io.netty.channel.local.LocalChannel;
import io.netty.channel.local.LocalIoHandler;
import io.netty.channel.local.LocalServerChannel;
import io.sluice.amqp.NoLeaks;
import io.sluice.amqp.TestBroker;
import io.sluice.amqp091.codec.ConnectionMethod;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.Protocol;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/**
 * Broken conversations, {@code sluice.fuzz.inputs} of them, each cut at one random point: half with one wound of a known kind, whose
 * reply code is known too, half mutated at random. Each must end the connection, with a code for what the client did wrong, with
 * nothing in the log that accuses the broker. Everything follows from {@code sluice.fuzz.seed}.
 */
@ExtendWith(NoLeaks.class)
class GatewayFuzzTest {
    /** Inputs to one broker: what they declare by chance stays until it is closed. */
    private static final int PER_BROKER = 50_000;
    /** More than any frame that the broker takes. */
    private static final int LARGEST = 2 * 131_072;
    /** Connections at a time. */
    private static final int AT_A_TIME = 16;

    /** What the client can be told that it did. */
    private static final Set<Integer> ITS_OWN_FAULT = Set.of(402, 403, 501, 502, 503, 504, 505, 530, 540);

    private static final HexFormat HEX = HexFormat.of();

    private final int inputs = Integer.getInteger("sluice.fuzz.inputs", 5_000);
    private final long seed = Long.getLong("sluice.fuzz.seed", 1);
    private final ListAppender<ILoggingEvent> log = new ListAppender<>();
    private final Set<Input> open = ConcurrentHashMap.newKeySet();
    private final ConcurrentLinkedQueue<String> failures = new ConcurrentLinkedQueue<>();
    private final Semaphore places = new Semaphore(AT_A_TIME);

    @Test
    void brokenConversationsEndWithTheRightCode(@TempDir Path directory) throws Exception {
        Logger root = (Logger) LoggerFactory.getLogger("io.sluice");
        Level before = root.getLevel();
        log.start();
        root.addAppender(log);
        root.setLevel(Level.ERROR);
        try {
            for (int from = 0; from < inputs && failures.isEmpty(); from += PER_BROKER) {
                Path own = Files.createDirectory(directory.resolve("from" + from));
                try (TestBroker broker = new TestBroker(own)) {
                    run(broker, from, Math.min(inputs, from + PER_BROKER));
                }
            }
        } finally {
            root.detachAppender(log);
            root.setLevel(before);
        }
        assertThat(failures).isEmpty();
        assertThat(log.list).extracting(ILoggingEvent::getFormattedMessage).isEmpty();
    }

    private void run(TestBroker broker, int from, int to) throws InterruptedException {
        EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, LocalIoHandler.newFactory());
        LocalAddress address = new LocalAddress(GatewayFuzzTest.class);
        try {
            Channel listener = new ServerBootstrap()
                    .group(loops)
                    .channel(LocalServerChannel.class)
                    .childHandler(broker.gateway().initializer())
                    .bind(address)
                    .sync()
                    .channel();
            for (int i = from; i < to && failures.isEmpty(); i++) {
                assertThat(places.tryAcquire(30, TimeUnit.SECONDS))
                        .as("a place within 30 s, held by %s", open)
                        .isTrue();
                start(new Input(i, new Random(seed * 31 + i)), loops, listener.localAddress());
            }
            assertThat(places.tryAcquire(AT_A_TIME, 30, TimeUnit.SECONDS))
                    .as("all end within 30 s, but %s", open)
                    .isTrue();
            places.release(AT_A_TIME);
            listener.close().sync();
        } finally {
            loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
        }
    }

    private void start(Input input, EventLoopGroup loops, java.net.SocketAddress address) {
        Peer peer = new Peer(input);
        open.add(input);
        new Bootstrap()
                .group(loops)
                .channel(LocalChannel.class)
                .handler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline().addLast(peer);
                    }
                })
                .connect(address)
                .channel()
                .closeFuture()
                .addListener(closed -> {
                    peer.check();
                    open.remove(input);
                    places.release();
                });
    }

    /** One broken conversation. */
    private final class Input {
        private final int number;
        private final @Nullable Wound wound;
        private final byte[] bytes;
        private final int cut;

        Input(int number, Random random) {
            this.number = number;
            List<byte[]> frames = Conversation.random(random);
            wound = random.nextBoolean() ? Wound.values()[random.nextInt(Wound.values().length)] : null;
            if (wound == null) {
                bytes = new Mutator(random).mutate(join(frames));
            } else {
                frames.add(wound.frame(random));
                bytes = join(frames);
            }
            cut = random.nextInt(bytes.length + 1);
        }

        private static byte[] join(List<byte[]> parts) {
            ByteBuf all = Unpooled.buffer();
            parts.forEach(all::writeBytes);
            byte[] joined = new byte[all.readableBytes()];
            all.readBytes(joined);
            return joined;
        }

        @Override
        public String toString() {
            return "seed " + seed + ", input " + number + ", wound " + wound + ", cut at " + cut + ": "
                    + HEX.formatHex(bytes);
        }
    }

    private final class Peer extends SimpleChannelInboundHandler<ByteBuf> {
        private final Input input;
        private final ByteBuf received = Unpooled.buffer();
        private @Nullable Future<?> larger;

        Peer(Input input) {
            this.input = input;
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            send(ctx, Unpooled.wrappedBuffer(input.bytes, 0, input.cut));
            ByteBuf rest = Unpooled.buffer();
            rest.writeBytes(input.bytes, input.cut, input.bytes.length - input.cut);
            FrameWriter.method(rest, 0, new ConnectionMethod.Close(200, "", 0, 0));
            // completes whatever frame swallowed the close, and is no frame itself
            rest.writeZero(2 * Conversation.FRAME_MAX);
            ctx.executor().execute(() -> send(ctx, rest));
            // the same for one who has agreed on larger frames by mistake
            larger =
                    ctx.executor().schedule(() -> send(ctx, Unpooled.buffer().writeZero(LARGEST)), 1, TimeUnit.SECONDS);
        }

        private static void send(ChannelHandlerContext ctx, ByteBuf bytes) {
            ByteBuf pooled = ByteBufAllocator.DEFAULT.buffer(bytes.readableBytes());
            ctx.writeAndFlush(pooled.writeBytes(bytes));
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            if (larger != null) {
                larger.cancel(false);
            }
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf bytes) {
            received.writeBytes(bytes);
        }

        void check() {
            try {
                int code = code();
                boolean right =
                        input.wound != null ? code == input.wound.code() : code == 0 || ITS_OWN_FAULT.contains(code);
                if (!right) {
                    failures.add("ended with " + code + ", " + input + ", answers " + answered());
                }
            } catch (RuntimeException e) {
                failures.add(e + ", " + input + ", answers " + answered());
            }
        }

        private String answered() {
            return HEX.formatHex(received.array(), 0, received.writerIndex());
        }

        /** The code that ended the connection; 0 = as the client asked, or without a word because it did not log in. */
        private int code() {
            List<Method> answers = new ArrayList<>();
            while (received.isReadable()) {
                if (received.getByte(received.readerIndex()) == 'A') {
                    return 0; // the answer to a header that is not understood
                }
                int type = received.readByte();
                received.skipBytes(2);
                ByteBuf payload = received.readSlice(received.readInt());
                received.skipBytes(1);
                if (type == Protocol.FRAME_METHOD) {
                    answers.add(Method.decode(payload.readInt(), payload));
                }
            }
            for (Method answer : answers) {
                if (answer instanceof ConnectionMethod.Close close) {
                    return close.replyCode();
                }
            }
            return 0;
        }
    }
}
