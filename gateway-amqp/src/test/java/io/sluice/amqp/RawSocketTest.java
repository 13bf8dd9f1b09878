package io.sluice.amqp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.ConnectionMethod;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.Protocol;
import io.sluice.amqp091.codec.QueueMethod;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client library would never send. */
@Timeout(60)
class RawSocketTest {
    @TempDir
    private static Path directory;

    private static TestBroker broker;

    @BeforeAll
    static void open() throws Exception {
        broker = new TestBroker(directory);
    }

    @AfterAll
    static void close() {
        broker.close();
    }

    private static final class Peer implements AutoCloseable {
        final Socket socket;
        final DataInputStream in;

        Peer() throws IOException {
            socket = new Socket("127.0.0.1", broker.port());
            socket.setSoTimeout(10_000);
            in = new DataInputStream(socket.getInputStream());
        }

        void send(byte[] bytes) throws IOException {
            socket.getOutputStream().write(bytes);
        }

        void send(int channel, Method method) throws IOException {
            ByteBuf out = Unpooled.buffer();
            FrameWriter.method(out, channel, method);
            byte[] bytes = new byte[out.readableBytes()];
            out.readBytes(bytes);
            send(bytes);
        }

        /** Next method; heartbeats are skipped. */
        Method receive() throws IOException {
            int type = in.readUnsignedByte();
            in.readUnsignedShort();
            byte[] payload = in.readNBytes(in.readInt());
            assertThat(in.readUnsignedByte()).isEqualTo(Protocol.FRAME_END);
            if (type == Protocol.FRAME_HEARTBEAT) {
                return receive();
            }
            ByteBuf bytes = Unpooled.wrappedBuffer(payload);
            return Method.decode(bytes.readInt(), bytes);
        }

        void login() throws IOException {
            send(Protocol.header());
            assertThat(receive()).isInstanceOfSatisfying(ConnectionMethod.Start.class, start -> {
                assertThat(start.serverProperties()).containsEntry("product", "Sluice");
                assertThat((Map<?, ?>) start.serverProperties().get("capabilities"))
                        .hasSize(7);
            });
            send(
                    0,
                    new ConnectionMethod.StartOk(
                            Map.of(), "PLAIN", "\0guest\0guest".getBytes(StandardCharsets.UTF_8), "en_US"));
            assertThat(receive()).isEqualTo(new ConnectionMethod.Tune(2047, 131_072, 60));
            send(0, new ConnectionMethod.TuneOk(10, 4096, 1));
            send(0, new ConnectionMethod.Open("/"));
            assertThat(receive()).isInstanceOf(ConnectionMethod.OpenOk.class);
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"414d515000010000", "414d515003010000", "474554202f204854", "1603010200"})
    void otherProtocolsAreAnsweredWithTheHeader(String hex) throws IOException {
        try (Peer peer = new Peer()) {
            peer.send(HexFormat.of().parseHex(hex));
            assertThat(peer.in.readAllBytes()).isEqualTo(Protocol.header());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0900000000000CE0, 501",
        "01000000002001, 501",
        "0100000000000400000000CD, 501",
        "01000000000004003C0063CE, 503",
        "0100010000000400140000CE, 504",
    })
    void malformedFramesBeforeLoginCloseTheConnection(String hex, int code) throws IOException {
        try (Peer peer = new Peer()) {
            peer.send(Protocol.header());
            peer.receive();
            peer.send(HexFormat.of().parseHex(hex));
            assertThat(peer.receive())
                    .isInstanceOfSatisfying(
                            ConnectionMethod.Close.class,
                            close -> assertThat(close.replyCode()).isEqualTo(code));
            assertThat(peer.in.read()).isEqualTo(-1);
        }
        await().until(() -> broker.gateway().connectionCount() == 0);
    }

    @Test
    void methodsOutOfOrderAndBrokenArgumentsHaveTheirCodes() throws IOException {
        try (Peer peer = new Peer()) {
            peer.login();
            peer.send(3, new QueueMethod.Purge("q", false));
            assertThat(((ConnectionMethod.Close) peer.receive()).replyCode()).isEqualTo(504);
            peer.send(0, new ConnectionMethod.CloseOk());
            assertThat(peer.in.read()).isEqualTo(-1);
        }
        try (Peer peer = new Peer()) {
            peer.login();
            peer.send(HexFormat.of().parseHex("0100010000000500140 00A00CE".replace(" ", "")));
            peer.receive();
            // queue.declare whose name is longer than its frame
            peer.send(HexFormat.of().parseHex("010001000000080032000A0000FF61CE"));
            assertThat(((ConnectionMethod.Close) peer.receive()).replyCode()).isEqualTo(502);
        }
        try (Peer peer = new Peer()) {
            peer.login();
            peer.send(HexFormat.of().parseHex("010001000000050014000A00CE"));
            peer.receive();
            // a body frame out of the blue
            peer.send(HexFormat.of().parseHex("03000100000001 61CE".replace(" ", "")));
            assertThat(((ConnectionMethod.Close) peer.receive()).replyCode()).isEqualTo(505);
        }
    }

    @Test
    void silentPeerIsDroppedAfterTwoIntervals() throws IOException {
        try (Peer peer = new Peer()) {
            peer.login();
            long start = System.nanoTime();
            byte[] heartbeats = peer.in.readAllBytes();
            assertThat(heartbeats).startsWith(8, 0, 0, 0, 0, 0, 0, 0xCE);
            assertThat(System.nanoTime() - start).isBetween(1_000_000_000L, 8_000_000_000L);
        }
    }
}
