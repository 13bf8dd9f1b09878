package io.sluice.amqp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.ChannelMethod;
import io.sluice.amqp091.codec.ConnectionMethod;
import io.sluice.amqp091.codec.ExchangeMethod;
import io.sluice.amqp091.codec.FieldTable;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.Protocol;
import io.sluice.amqp091.codec.QueueMethod;
import io.sluice.amqp091.session.Amqp091Settings;
import io.sluice.io.DiskFileSystem;
import io.sluice.shard.CoreSettings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** What a client library would never send. */
@Timeout(60)
@ExtendWith(NoLeaks.class)
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

    private static RawPeer peer() throws IOException {
        return new RawPeer(broker.port());
    }

    @Test
    void declarationsSentTogetherAreAnsweredInOrder() throws IOException {
        try (RawPeer peer = peer()) {
            peer.login(0, 0);
            peer.openChannel(1);
            int count = 1_500;
            ByteBuf out = Unpooled.buffer();
            for (int i = 0; i < count; i++) {
                FrameWriter.method(out, 1, declare("together" + i, true));
            }
            FrameWriter.method(out, 1, new QueueMethod.Delete("together0", false, false, false));
            peer.send(out);
            for (int i = 0; i < count; i++) {
                assertThat(peer.receive()).isEqualTo(new QueueMethod.DeclareOk("together" + i, 0, 0));
            }
            assertThat(peer.receive()).isEqualTo(new QueueMethod.DeleteOk(0));
        }
    }

    @Test
    void whatIsSentBehindADeclarationThatFailsHasNoEffect() throws IOException {
        try (RawPeer peer = peer()) {
            peer.login(0);
            peer.openChannel(1);
            peer.send(
                    1,
                    declare("first", true),
                    declare("first", false),
                    declare("behind", true),
                    new QueueMethod.Declare("behind too", false, true, false, false, false, Map.of("x-max-length", -1)),
                    new ExchangeMethod.Declare("behind", "direct", false, true, false, false, false, Map.of()));
            assertThat(peer.receive()).isEqualTo(new QueueMethod.DeclareOk("first", 0, 0));
            assertThat(((ChannelMethod.Close) peer.receive()).replyCode()).isEqualTo(406);
            peer.send(1, new ChannelMethod.CloseOk());
            peer.openChannel(1);
            peer.send(1, new QueueMethod.Declare("behind", true, false, false, false, false, Map.of()));
            assertThat(((ChannelMethod.Close) peer.receive()).replyCode()).isEqualTo(404);
        }
    }

    private static QueueMethod.Declare declare(String queue, boolean durable) {
        return new QueueMethod.Declare(queue, false, durable, false, false, false, Map.of());
    }

    @ParameterizedTest
    @ValueSource(strings = {"414d515000010000", "414d515003010000", "474554202f204854", "1603010200"})
    void otherProtocolsAreAnsweredWithTheHeader(String hex) throws IOException {
        try (RawPeer peer = peer()) {
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
        try (RawPeer peer = peer()) {
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
        try (RawPeer peer = peer()) {
            peer.login(4096);
            peer.send(3, new QueueMethod.Purge("q", false));
            assertThat(((ConnectionMethod.Close) peer.receive()).replyCode()).isEqualTo(504);
            peer.send(0, new ConnectionMethod.CloseOk());
            assertThat(peer.in.read()).isEqualTo(-1);
        }
        try (RawPeer peer = peer()) {
            peer.login(4096);
            peer.send(HexFormat.of().parseHex("0100010000000500140 00A00CE".replace(" ", "")));
            peer.receive();
            // queue.declare whose name is longer than its frame
            peer.send(HexFormat.of().parseHex("010001000000080032000A0000FF61CE"));
            assertThat(((ConnectionMethod.Close) peer.receive()).replyCode()).isEqualTo(502);
        }
        try (RawPeer peer = peer()) {
            peer.login(4096);
            peer.send(HexFormat.of().parseHex("010001000000050014000A00CE"));
            peer.receive();
            // a body frame out of the blue
            peer.send(HexFormat.of().parseHex("03000100000001 61CE".replace(" ", "")));
            assertThat(((ConnectionMethod.Close) peer.receive()).replyCode()).isEqualTo(505);
        }
    }

    @Test
    void silentPeerIsDroppedAfterTwoIntervals() throws IOException {
        try (RawPeer peer = peer()) {
            peer.login(4096);
            long start = System.nanoTime();
            byte[] heartbeats = peer.in.readAllBytes();
            assertThat(heartbeats).startsWith(8, 0, 0, 0, 0, 0, 0, 0xCE);
            assertThat(System.nanoTime() - start).isBetween(1_000_000_000L, 8_000_000_000L);
        }
    }

    /** Frames sent after channel 1 was opened, and the code of the connection.close that must follow. */
    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "method number unknown, 01 0001 00000004 003C0063 CE, 503",
        "class unknown, 01 0001 00000004 00630001 CE, 503",
        "method cut off, 01 0001 00000002 003C CE, 502",
        "method empty, 01 0001 00000000 CE, 502",
        "arguments cut off, 01 0001 00000005 003C0050 00 CE, 502",
        "arguments too long, 01 0001 00000006 003C006E 01 00 CE, 502",
        "broker's method, 01 0001 00000005 0032000B 00 CE, 502",
        "get-empty from a client, 01 0001 00000005 003C0048 00 CE, 503",
        "flow-ok unasked, 01 0001 00000005 00140015 01 CE, 503",
        "header without method, 02 0001 0000000E 003C 0000 0000000000000001 0000 CE, 505",
        "body without header, 03 0001 00000001 61 CE, 505",
        "content on channel 0, 03 0000 00000001 61 CE, 505",
        "heartbeat on a channel, 08 0001 00000000 CE, 505",
        "header on a channel that is not open, 02 0002 0000000E 003C 0000 0000000000000001 0000 CE, 505",
        "body on a channel that is not open, 03 0002 00000001 61 CE, 505",
        "frame type unknown, 04 0001 00000000 CE, 501",
        "frame end wrong, 01 0001 00000005 00140014 01 00, 501",
        "channel not open, 01 0002 00000005 00140014 01 CE, 504",
        "channel opened twice, 01 0001 00000005 0014000A 00 CE, 504",
        "channel above the maximum, 01 000B 00000005 0014000A 00 CE, 530",
        "connection opened twice, 01 0000 00000008 000A0028 01 2F 00 00 CE, 504",
        "connection method on a channel, 01 0001 00000004 000A0033 CE, 503",
        "queue name not UTF-8, 01 0001 0000000D 0032000A 0000 01FF 00 00000000 CE, 501",
        "routing key not UTF-8, 01 0001 0000000A 003C0028 0000 00 01FE 00 CE, 501",
        "argument name not UTF-8, 01 0001 00000010 0032000A 0000 00 00 00000004 01FF 7401 CE, 501"
    })
    void wrongFramesCloseTheConnectionWithTheirCode(String name, String hex, int code) throws IOException {
        try (RawPeer peer = peer()) {
            peer.login(4096);
            peer.openChannel(1);
            peer.sendHex(hex);
            assertThat(peer.closedWith()).isEqualTo(code);
        }
    }

    @Test
    void wrongContentClosesTheConnectionWithItsCode() throws IOException {
        for (int wrong = 0; wrong < 5; wrong++) {
            try (RawPeer peer = peer()) {
                peer.login(4096);
                peer.openChannel(1);
                ByteBuf out = Unpooled.buffer();
                FrameWriter.method(out, 1, new BasicMethod.Publish("", "nowhere", false, false));
                switch (wrong) {
                    case 0 -> FrameWriter.method(out, 1, new BasicMethod.Publish("", "nowhere", false, false));
                    case 1 -> RawPeer.frame(out, Protocol.FRAME_BODY, 1, new byte[1]);
                    case 2 -> { // more body than announced
                        RawPeer.header(out, 1, 5);
                        RawPeer.frame(out, Protocol.FRAME_BODY, 1, new byte[3]);
                        RawPeer.frame(out, Protocol.FRAME_BODY, 1, new byte[3]);
                    }
                    case 3 -> { // a property that ends behind its frame
                        int start = FrameWriter.begin(out, Protocol.FRAME_HEADER, 1);
                        out.writeShort(60)
                                .writeShort(0)
                                .writeLong(1)
                                .writeShort(0x8000)
                                .writeByte(200);
                        FrameWriter.end(out, start);
                    }
                    default -> RawPeer.frame(out, Protocol.FRAME_BODY, 1, new byte[5000]); // above frame-max
                }
                peer.send(out);
                assertThat(peer.closedWith()).isEqualTo(new int[] {505, 505, 501, 502, 501}[wrong]);
            }
        }
    }

    @Test
    void tooLargeMessageClosesItsChannelBeforeItsBodyIsTaken() throws IOException {
        try (RawPeer peer = peer()) {
            peer.login(4096);
            peer.openChannel(1);
            ByteBuf out = Unpooled.buffer();
            FrameWriter.method(out, 1, new BasicMethod.Publish("", "nowhere", false, false));
            RawPeer.header(out, 1, 17 << 20);
            RawPeer.frame(out, Protocol.FRAME_BODY, 1, new byte[4000]); // is dropped
            peer.send(out);
            assertThat(((ChannelMethod.Close) peer.receive()).replyCode()).isEqualTo(406);
            peer.send(1, new ChannelMethod.CloseOk());
            peer.openChannel(1);
        }
    }

    @Test
    void theCloseReachesAPeerThatIsStillSending() throws IOException {
        try (RawPeer peer = peer()) {
            peer.login(4096);
            peer.openChannel(1);
            ByteBuf out = Unpooled.buffer();
            RawPeer.frame(out, Protocol.FRAME_BODY, 1, new byte[2_000_000]);
            peer.send(out);
            assertThat(((ConnectionMethod.Close) peer.receive()).replyCode()).isEqualTo(501);
            assertThat(peer.in.read()).isEqualTo(-1);
        }
        await().until(() -> broker.gateway().connectionCount() == 0);
    }

    @Test
    void handshakeMistakesHaveTheirCodes() throws IOException {
        byte[] guest = "\0guest\0guest".getBytes(StandardCharsets.UTF_8);
        Object[][] mistakes = {
            {503, new ConnectionMethod.StartOk(Map.of(), "EXTERNAL", guest, "en_US")},
            {502, new ConnectionMethod.StartOk(Map.of(), "PLAIN", new byte[] {1, 2, 3}, "en_US")},
            {502, new ConnectionMethod.StartOk(Map.of(), "AMQPLAIN", new byte[] {9, 9}, "en_US")},
            {504, new ConnectionMethod.TuneOk(0, 4096, 0)},
            {504, new ConnectionMethod.Open("/")},
        };
        for (Object[] mistake : mistakes) {
            try (RawPeer peer = peer()) {
                peer.send(Protocol.header());
                peer.receive();
                peer.send(0, (Method) mistake[1]);
                assertThat(peer.closedWith()).isEqualTo(mistake[0]);
            }
        }
        for (ConnectionMethod.TuneOk tune : new ConnectionMethod.TuneOk[] {
            new ConnectionMethod.TuneOk(3000, 4096, 0),
            new ConnectionMethod.TuneOk(10, 1000, 0),
            new ConnectionMethod.TuneOk(10, 200_000, 0)
        }) {
            try (RawPeer peer = peer()) {
                peer.authenticate();
                peer.send(0, tune);
                assertThat(peer.closedWith()).isEqualTo(530);
            }
        }
        try (RawPeer peer = peer()) { // no capabilities: the socket is closed, as the specification has it
            peer.send(Protocol.header());
            peer.receive();
            peer.send(
                    0,
                    new ConnectionMethod.StartOk(
                            Map.of(), "PLAIN", "\0guest\0no".getBytes(StandardCharsets.UTF_8), "en_US"));
            assertThat(peer.in.read()).isEqualTo(-1);
        }
        try (RawPeer peer = peer()) { // AMQPLAIN
            peer.send(Protocol.header());
            peer.receive();
            ByteBuf table = Unpooled.buffer();
            FieldTable.write(table, Map.of("LOGIN", "guest", "PASSWORD", "guest"));
            byte[] response = new byte[table.skipBytes(4).readableBytes()];
            table.readBytes(response);
            peer.send(0, new ConnectionMethod.StartOk(Map.of(), "AMQPLAIN", response, "en_US"));
            assertThat(peer.receive()).isInstanceOf(ConnectionMethod.Tune.class);
        }
    }

    @Test
    void aPeerGoneBeforeItsLoginIsOneLine() throws IOException {
        Logger root = (Logger) LoggerFactory.getLogger("io.sluice.amqp");
        Logger connections = (Logger) LoggerFactory.getLogger("io.sluice.amqp091");
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        log.start();
        root.addAppender(log);
        root.setLevel(Level.INFO);
        connections.addAppender(log);
        connections.setLevel(Level.INFO);
        try (RawPeer halfHeader = peer();
                RawPeer headerOnly = peer();
                RawPeer silent = peer()) {
            silent.socket.shutdownOutput();
            assertThat(silent.in.read()).isEqualTo(-1);
            halfHeader.sendHex("414d5150");
            halfHeader.socket.shutdownOutput();
            assertThat(halfHeader.in.read()).isEqualTo(-1);
            headerOnly.send(Protocol.header());
            headerOnly.receive();
            headerOnly.sendHex("0100");
            headerOnly.socket.shutdownOutput();
            assertThat(headerOnly.in.read()).isEqualTo(-1);
            await().until(() -> log.list.size() >= 2);
        } finally {
            root.detachAppender(log);
            root.setLevel(null);
            connections.detachAppender(log);
            connections.setLevel(null);
        }
        assertThat(log.list)
                .extracting(ILoggingEvent::getFormattedMessage)
                .satisfiesExactlyInAnyOrder(
                        line -> assertThat(line).contains("after 4 of 8 bytes of the protocol header"),
                        line -> assertThat(line).contains("peer closed the socket before connection.open"));
    }

    @Test
    void thoseWhoDoNotLogInAreDroppedInTime(@TempDir Path own) throws Exception {
        Amqp091Settings d = Amqp091Settings.DEFAULT;
        AmqpSettings hasty = new AmqpSettings(
                1,
                new Amqp091Settings(
                        d.channelMax(),
                        d.frameMax(),
                        d.handshakeFrameMax(),
                        d.heartbeatSeconds(),
                        1,
                        1 << 20,
                        0,
                        null));
        try (TestBroker strict = new TestBroker(own, new DiskFileSystem(), CoreSettings.DEFAULT, hasty)) {
            try (RawPeer silent = new RawPeer(strict.port());
                    RawPeer headerOnly = new RawPeer(strict.port());
                    RawPeer halfLogin = new RawPeer(strict.port())) {
                headerOnly.send(Protocol.header());
                headerOnly.receive();
                halfLogin.authenticate();
                assertThat(silent.in.read()).isEqualTo(-1);
                assertThat(headerOnly.in.read()).isEqualTo(-1);
                assertThat(halfLogin.in.read()).isEqualTo(-1);
            }
            // unfinished messages: 4 of the largest size per connection
            try (RawPeer greedy = new RawPeer(strict.port())) {
                greedy.login(131_072);
                for (int channel = 1; channel <= 6; channel++) {
                    greedy.openChannel(channel);
                    ByteBuf out = Unpooled.buffer();
                    FrameWriter.method(out, channel, new BasicMethod.Publish("", "q", false, false));
                    RawPeer.header(out, channel, 1 << 20);
                    for (int i = 0; i < 8; i++) {
                        RawPeer.frame(out, Protocol.FRAME_BODY, channel, new byte[120_000]);
                    }
                    try {
                        greedy.send(out);
                    } catch (IOException closed) {
                        break;
                    }
                    if (channel == 5) {
                        break;
                    }
                }
                assertThat(((ConnectionMethod.Close) greedy.receive()).replyCode())
                        .isEqualTo(506);
            }
            await().until(() -> strict.gateway().connectionCount() == 0);
        }
    }

    @Test
    void heartbeatsAreSentAlsoToAPeerThatSends() throws IOException {
        try (RawPeer peer = peer()) {
            peer.login(4096);
            peer.socket.setSoTimeout(100);
            int beats = 0;
            for (int i = 0; i < 30 && beats < 3; i++) {
                peer.send(HexFormat.of().parseHex("08000000000000CE"));
                try {
                    assertThat(peer.in.readNBytes(8)).startsWith(8);
                    beats++;
                } catch (java.net.SocketTimeoutException quiet) {
                    // not yet
                }
            }
            assertThat(beats).isEqualTo(3);
        }
    }

    /** Holds the shard, so that all that is sent meanwhile meets it in one turn. */
    private static CountDownLatch holdShard() {
        CountDownLatch release = new CountDownLatch(1);
        broker.broker().shard().execute(() -> {
            try {
                release.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        return release;
    }

    private static QueueMethod.Declare declare(String queue) {
        return new QueueMethod.Declare(queue, false, true, false, false, false, Map.of());
    }

    @Test
    void aChannelGoesOnWhileAnotherOfItsConnectionWaits() throws Exception {
        try (RawPeer peer = peer()) {
            peer.login(131_072);
            peer.openChannel(1);
            peer.openChannel(2);
            CountDownLatch release = holdShard();
            ByteBuf out = Unpooled.buffer();
            FrameWriter.method(out, 1, declare("slow"));
            FrameWriter.method(out, 1, new BasicMethod.Qos(0, 1, false));
            FrameWriter.method(
                    out,
                    2,
                    new ExchangeMethod.Declare("amq.topic", "topic", true, false, false, false, false, Map.of()));
            peer.send(out);
            try {
                assertThat(peer.receive()).isInstanceOf(ExchangeMethod.DeclareOk.class);
            } finally {
                release.countDown();
            }
            assertThat(peer.receive()).isInstanceOf(QueueMethod.DeclareOk.class);
            assertThat(peer.receive()).isInstanceOf(BasicMethod.QosOk.class);
        }
    }

    @Test
    void conditionsOfADeleteSeeWhatWasSentBefore() throws Exception {
        try (RawPeer peer = peer()) {
            peer.login(131_072);
            peer.openChannel(1);
            peer.openChannel(2);
            peer.send(1, declare("left"), declare("filled"));
            peer.receive();
            peer.receive();
            peer.consume(2, "left");
            CountDownLatch release = holdShard();
            ByteBuf out = Unpooled.buffer();
            FrameWriter.method(out, 2, new ChannelMethod.Close(200, "", 0, 0));
            FrameWriter.method(out, 1, new QueueMethod.Delete("left", true, false, false));
            RawPeer.publish(out, 1, "filled", new byte[1]);
            FrameWriter.method(out, 1, new QueueMethod.Delete("filled", false, true, false));
            peer.send(out);
            try {
                assertThat(peer.receive()).isInstanceOf(ChannelMethod.CloseOk.class);
            } finally {
                release.countDown();
            }
            assertThat(peer.receive()).isInstanceOf(QueueMethod.DeleteOk.class);
            assertThat(peer.receive())
                    .isInstanceOfSatisfying(
                            ChannelMethod.Close.class,
                            close -> assertThat(close.replyCode()).isEqualTo(406));
        }
        assertThat(broker.host()
                        .table()
                        .queue("filled")
                        .currentStats()
                        .toCompletableFuture()
                        .get(10, TimeUnit.SECONDS)
                        .ready())
                .isEqualTo(1);
    }

    @Test
    void pipelinedMethodsTakeEffectInTheirOrderAndBeforeTheClose() throws Exception {
        try (RawPeer peer = peer()) {
            peer.login(131_072);
            ByteBuf out = Unpooled.buffer();
            FrameWriter.method(out, 1, new ChannelMethod.Open());
            FrameWriter.method(out, 1, new QueueMethod.Declare("piped", false, true, false, false, true, Map.of()));
            RawPeer.publish(out, 1, "piped", "one".getBytes(StandardCharsets.UTF_8));
            FrameWriter.method(out, 1, new ChannelMethod.Close(200, "", 0, 0));
            FrameWriter.method(out, 1, new ChannelMethod.Open());
            FrameWriter.method(out, 1, new QueueMethod.Declare("piped", false, true, false, false, true, Map.of()));
            RawPeer.publish(out, 1, "piped", "two".getBytes(StandardCharsets.UTF_8));
            FrameWriter.method(out, 0, new ConnectionMethod.Close(200, "", 0, 0));
            peer.send(out);
            assertThat(peer.receive()).isInstanceOf(ChannelMethod.OpenOk.class);
            assertThat(peer.receive()).isInstanceOf(ChannelMethod.CloseOk.class);
            assertThat(peer.receive()).isInstanceOf(ChannelMethod.OpenOk.class);
            assertThat(peer.receive()).isInstanceOf(ConnectionMethod.CloseOk.class);
            assertThat(peer.in.read()).isEqualTo(-1);
        }
        await().until(() -> broker.host().table().queue("piped").stats().ready() == 2);
    }

    @Test
    void lostPeersGiveBackWhatTheyHeld() throws Exception {
        try (RawPeer owner = peer()) {
            owner.login(131_072);
            owner.openChannel(1);
            owner.send(1, new QueueMethod.Declare("held", false, false, false, false, false, Map.of()));
            owner.receive();
            ByteBuf out = Unpooled.buffer();
            RawPeer.publish(out, 1, "held", new byte[10]);
            // and one that is never finished
            FrameWriter.method(out, 1, new BasicMethod.Publish("", "held", false, false));
            RawPeer.header(out, 1, 100_000);
            RawPeer.frame(out, Protocol.FRAME_BODY, 1, new byte[50_000]);
            owner.send(out);
            await().until(() -> broker.host().table().queue("held").stats().ready() == 1);
            owner.socket.setSoLinger(true, 0); // reset instead of a close
        }
        await().until(() -> broker.gateway().connectionCount() == 0);
    }
}
