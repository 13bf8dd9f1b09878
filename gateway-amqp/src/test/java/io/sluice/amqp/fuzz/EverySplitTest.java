package io.sluice.amqp.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.sluice.amqp.NoLeaks;
import io.sluice.amqp.TestBroker;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.FrameDecoder;
import io.sluice.amqp091.codec.FrameHandler;
import io.sluice.amqp091.codec.Protocol;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * Conversations of RabbitMQ's Java client, {@code sluice.fuzz.conversations} of them captured here: cut in two at every point they make the
 * same frames, and sent again, with all that was said in one go cut in two, they get the same answers. With {@code sluice.fuzz.every} at
 * every point, else at some.
 */
@ExtendWith(NoLeaks.class)
class EverySplitTest {
    /** That nothing is lost is seen where the whole gateway takes part; to record who touched each byte takes minutes. */
    private static final ByteBufAllocator UNWATCHED = new UnpooledByteBufAllocator(false, true);

    private final int conversations = Integer.getInteger("sluice.fuzz.conversations", 20);
    private final boolean every = Boolean.getBoolean("sluice.fuzz.every");
    private final long seed = Long.getLong("sluice.fuzz.seed", 1);
    private final List<Capture> captures = new ArrayList<>();

    @Test
    void conversationsAreTheSameWhereverTheyAreCut(@TempDir Path directory) throws Exception {
        EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
        try (TestBroker broker = new TestBroker(directory)) {
            Channel listener = new ServerBootstrap()
                    .group(loops)
                    .channel(NioServerSocketChannel.class)
                    .childHandler(new ChannelInitializer<>() {
                        @Override
                        protected void initChannel(Channel channel) {
                            Capture capture = new Capture();
                            captures.add(capture);
                            channel.pipeline().addLast(capture);
                            broker.gateway().initialize(channel.pipeline());
                        }
                    })
                    .bind("127.0.0.1", 0)
                    .sync()
                    .channel();
            int port = ((InetSocketAddress) listener.localAddress()).getPort();
            Random random = new Random(seed);
            for (int i = 0; i < conversations; i++) {
                ClientScript.run(port, i, new Random(random.nextLong()));
            }
            listener.close().sync();
            loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
            assertThat(captures).hasSize(conversations);
            for (int i = 0; i < conversations; i++) {
                Capture capture = captures.get(i);
                try {
                    framesAreTheSame(capture.all());
                    answersAreTheSame(broker.port(), capture, random);
                } catch (AssertionError | Exception e) {
                    throw new AssertionError("seed " + seed + ", conversation " + i, e);
                }
            }
        } finally {
            loops.shutdownGracefully(0, 5, TimeUnit.SECONDS);
        }
    }

    private static void framesAreTheSame(byte[] all) {
        List<String> whole = decoded(all, all.length);
        assertThat(whole).hasSizeGreaterThan(5);
        for (int cut = Protocol.header().length; cut < all.length; cut++) {
            assertThat(decoded(all, cut)).as("cut at %d", cut).isEqualTo(whole);
        }
    }

    /** Frames of a conversation, without its protocol header, in two parts. */
    private static List<String> decoded(byte[] all, int cut) {
        List<String> frames = new ArrayList<>();
        FrameHandler handler = new FrameHandler() {
            @Override
            public void frame(int type, int channel, ByteBuf payload) {
                frames.add(type + "/" + channel + "/" + HexFormat.of().formatHex(ByteBufUtil.getBytes(payload)));
            }

            @Override
            public void endOfRead() {}

            @Override
            public void malformed(AmqpException error) {
                frames.add(error.toString());
            }
        };
        EmbeddedChannel channel = new EmbeddedChannel(new FrameDecoder(handler, 131_072));
        channel.config().setAllocator(UNWATCHED);
        int header = Protocol.header().length;
        channel.writeInbound(Unpooled.copiedBuffer(all, header, cut - header));
        channel.writeInbound(Unpooled.copiedBuffer(all, cut, all.length - cut));
        channel.finishAndReleaseAll();
        return frames;
    }

    private void answersAreTheSame(int port, Capture capture, Random random) throws IOException {
        if (every) {
            for (int cut = 1; cut < capture.longest(); cut++) {
                replay(port, capture, cut);
            }
        } else {
            for (int i = 0; i < 3; i++) {
                replay(port, capture, 1 + random.nextInt(capture.longest()));
            }
        }
    }

    /** Says it all again, everything in two parts that is longer than {@code cut}. */
    private static void replay(int port, Capture capture, int cut) throws IOException {
        ByteBuf answers = Unpooled.buffer();
        try (Socket socket = new Socket("127.0.0.1", port)) {
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(20_000);
            DataInputStream in = new DataInputStream(socket.getInputStream());
            int answered = 0;
            for (Capture.Said said : capture.said()) {
                while (answered < said.answers()) {
                    readFrame(in, answers);
                    answered++;
                }
                int first = Math.min(cut, said.bytes().length);
                socket.getOutputStream().write(said.bytes(), 0, first);
                if (first < said.bytes().length) {
                    Thread.yield(); // gives the broker a chance to see the first part alone
                    socket.getOutputStream().write(said.bytes(), first, said.bytes().length - first);
                }
            }
            answers.writeBytes(in.readAllBytes());
        }
        assertThat(Capture.frames(answers))
                .as("answers with cuts at %d", cut)
                .containsExactlyInAnyOrderElementsOf(capture.answers());
    }

    private static void readFrame(DataInputStream in, ByteBuf into) throws IOException {
        byte[] head = new byte[Protocol.FRAME_HEADER_BYTES];
        in.readFully(head);
        byte[] rest = new byte[Unpooled.wrappedBuffer(head).getInt(3) + 1];
        in.readFully(rest);
        into.writeBytes(head).writeBytes(rest);
    }
}
