package io.sluice.mqtt;

import static io.sluice.mqtt.RawClient.connect3;
import static io.sluice.mqtt.RawClient.connect5;
import static io.sluice.mqtt.RawClient.hex2;
import static io.sluice.mqtt.RawClient.packet;
import static io.sluice.mqtt.RawClient.string;
import static io.sluice.mqtt.RawClient.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.routing.catalog.RoutingBroker;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Peers that break the protocol or stop in the middle: one log line each, no buffer lost, the next client is served. */
class MqttHostileTest {
    private static final MqttSettings SETTINGS = new MqttSettings(
            4096, 1024, 500, 4, 3, 4, 65_535, 1000, 100, 100, 100, 100, 1 << 20, 1 << 22, Durability.GROUP);

    @TempDir
    private Path directory;

    private TestCore core;
    private RoutingBroker broker;
    private TestServer server;
    private LogWatch log;

    @BeforeEach
    void open() {
        core = new TestCore(directory);
        broker = core.broker();
        server = new TestServer(broker, SETTINGS);
        log = new LogWatch();
    }

    @AfterEach
    void close() {
        server.close();
        broker.close();
        core.close();
        log.close();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "not MQTT, 474554202f20485454502f312e310d0a, first packet is not CONNECT",
        "first packet is PUBLISH, 3003000161, first packet is not CONNECT",
        "remaining length of 5 bytes, 10ffffffff01, remaining length is longer than 4 bytes",
        "CONNECT above its limit, 10ff7f00044d515454, 'packet of 16386 bytes, limit is 1024'",
        "level 3, 100f00044d515454030200000003616263, protocol level 3 is not supported",
        "client id longer than the packet, 101000044d5154540502000000ff036162" + "63, malformed packet",
        "half a CONNECT, 101000044d51, no complete CONNECT in time",
        "nothing, '', no complete CONNECT in time",
    })
    void beforeConnect(String name, String bytes, String line) throws Exception {
        try (RawClient client = new RawClient(server.port)) {
            client.send(bytes == null ? "" : bytes);
            client.rest();
        }
        await().until(() -> !log.ofConnections().isEmpty());
        assertHarmless(line);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "second CONNECT, 101000044d51545405020000000003616263, second CONNECT, e00182",
        "QoS 2, 34060001610001" + "00, 'PUBLISH with QoS 2, maximum is 1', e0019b",
        "packet above its limit, 30ffff7f, 'packet of 2097155 bytes, limit is 4096', e00195",
        "properties longer than the packet, 300500016120" + "00, properties exceed their packet, e00181",
        "PUBREL, 62020001, packet type 6 belongs to QoS 2, e0019b",
        "SUBSCRIBE without filter, 8203000100, SUBSCRIBE without a topic filter, e00182",
        "filter longer than the packet, 820700010000ff6100, 'malformed packet: SUBSCRIBE: it ends early', e00181",
        "reserved packet type 0, 0000, packet type 0 from a client, e00182",
    })
    void afterConnect(String name, String bytes, String line, String answer) throws Exception {
        try (RawClient client = connect5(server.port, "c", true, "")) {
            client.send(bytes);
            assertThat(client.rest()).isEqualTo(answer);
        }
        assertHarmless(line);
    }

    @Test
    void aConnectionLostWithinAPacketLosesNoBuffer() throws Exception {
        String publish = packet(0x32, string("t") + "0001" + "00" + text("x".repeat(500)));
        for (int cut = 2; cut < publish.length(); cut += 100) {
            try (RawClient client = connect5(server.port, "c" + cut, true, "")) {
                client.send(publish + publish.substring(0, cut));
                assertThat(client.packet()).isEqualTo("40020001");
            }
        }
        await().until(() -> server.gateway.connections() == 0);
        assertNoLeak();
    }

    @Test
    void randomBytesHarmNobodyElse() throws Exception {
        Random random = new Random(42);
        try (RawClient bystander = connect3(server.port, "bystander", true)) {
            for (int i = 0; i < 200; i++) {
                byte[] garbage = new byte[1 + random.nextInt(300)];
                random.nextBytes(garbage);
                try (RawClient client =
                        i % 2 == 0 ? new RawClient(server.port) : connect5(server.port, "g", true, "")) {
                    try {
                        client.send(HexFormat.of().formatHex(garbage));
                    } catch (SocketException e) {
                        // closed already
                    }
                }
            }
            bystander.ping();
            await().until(() -> server.gateway.connections() == 1);
        }
        assertThat(log.containing("unexpected failure")).isEmpty();
        assertNoLeak();
    }

    @Test
    void mutatedPacketsEndWithAReasonAndNotWithAFailure() throws Exception {
        String[] valid = {
            packet(
                    0x32,
                    string("topic") + "0001" + "0d" + "0101" + "0200000010" + "23" + "0001" + "030001" + "61" + "78"),
            packet(0x82, "0001" + "02" + "0b07" + string("a/+") + "01" + string("b") + "00"),
            packet(0xA2, "0002" + "00" + string("a/+")),
            packet(0x40, "0001" + "10" + "00"),
            packet(0xE0, "00" + "05" + "1100000005"),
        };
        Random random = new Random(7);
        for (int i = 0; i < 150; i++) {
            byte[] bytes = HexFormat.of().parseHex(valid[i % valid.length]);
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            try (RawClient client = connect5(server.port, "m" + i, true, "")) {
                client.send(HexFormat.of().formatHex(bytes));
            }
        }
        await().until(() -> server.gateway.connections() == 0);
        assertThat(log.containing("unexpected failure")).isEmpty();
        assertNoLeak();
    }

    @Test
    void inputIsNotReadWhileTheUserIsUnknown() throws Exception {
        // user "never": the authenticator does not answer
        byte[] connect = HexFormat.of()
                .parseHex(packet(0x10, "00044d515454" + "05" + "82" + "0000" + "00" + string("c") + string("never")));
        ByteBuffer flood = ByteBuffer.allocate(1024 * 1024);
        try (SocketChannel socket = SocketChannel.open(new InetSocketAddress("127.0.0.1", server.port))) {
            socket.write(ByteBuffer.wrap(connect));
            socket.configureBlocking(false);
            long taken = 0;
            int refusals = 0;
            while (refusals < 20 && taken < 64L * 1024 * 1024) {
                flood.clear();
                int wrote = socket.write(flood);
                taken += wrote;
                refusals = wrote == 0 ? refusals + 1 : 0;
            }
            // what the kernel buffers on both sides, and no more
            assertThat(taken).isLessThan(32L * 1024 * 1024);
        } catch (java.io.IOException e) {
            // the connect timeout came first: closed as well
        }
        await().until(() -> server.gateway.connections() == 0);
        assertHarmless("no complete CONNECT in time");
    }

    @Test
    void aPublishThatCannotBeStoredIsNotAcknowledgedToMqtt311() throws Exception {
        RawClient durable = connect3(server.port, "durable", false);
        assertThat(durable.subscribe(false, "t", 1)).isEqualTo(1);
        core.refuseNext.set(new LogException(LogException.Reason.DISK_FULL, "no space"));
        try (RawClient old = connect3(server.port, "old", true)) {
            old.publish3("t", 1, 1, "lost unless sent again");
            assertThat(old.rest()).isEmpty();
        }
        assertThat(log.containing("publish could not be stored: DISK_FULL; closed"))
                .hasSize(1);
        try (RawClient old = connect3(server.port, "old", true)) {
            old.publish3("t", 1, 1, "sent again");
            assertThat(old.packet()).isEqualTo("40020001");
        }
        assertThat(durable.packet()).endsWith(text("sent again"));
        // MQTT 5.0 is told, and the connection goes on
        core.refuseNext.set(new LogException(LogException.Reason.OVERLOADED, "too much"));
        try (RawClient client = connect5(server.port, "new", true, "")) {
            client.publish5("t", 1, 7, "", "refused");
            assertThat(client.packet()).isEqualTo("4003" + hex2(7) + "97");
            client.ping();
        }
        durable.close();
    }

    private void assertHarmless(String line) throws Exception {
        assertThat(log.ofConnections()).hasSize(1);
        assertThat(log.ofConnections().get(0)).contains(line).startsWith("INFO");
        try (RawClient next = connect3(server.port, "next", true)) {
            next.ping();
        }
        assertNoLeak();
    }

    /** Leaks are reported when a later buffer is made after a collection. */
    private void assertNoLeak() {
        System.gc();
        for (int i = 0; i < 200; i++) {
            ByteBuf probe = ByteBufAllocator.DEFAULT.buffer(16);
            probe.release();
        }
        assertThat(log.containing("LEAK")).isEmpty();
    }
}
