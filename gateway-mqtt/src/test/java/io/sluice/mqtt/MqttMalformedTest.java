package io.sluice.mqtt;

import static io.sluice.mqtt.RawClient.connect3;
import static io.sluice.mqtt.RawClient.connect5;
import static io.sluice.mqtt.RawClient.hex;
import static io.sluice.mqtt.RawClient.packet;
import static io.sluice.mqtt.RawClient.string;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.sluice.log.Durability;
import io.sluice.routing.catalog.RoutingBroker;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Packets that are complete and that the specification refuses: the answer it asks for, the end, one log line. */
class MqttMalformedTest {
    private static final MqttSettings SETTINGS = new MqttSettings(
            4096, 1024, 5000, 4, 3, 4, 65_535, 1000, 100, 100, 100, 100, 1 << 20, 1 << 22, Durability.GROUP);

    @TempDir
    private static Path directory;

    private static TestCore core;
    private static RoutingBroker broker;
    private static TestServer server;
    private LogWatch log;

    @BeforeAll
    static void open() {
        core = new TestCore(directory);
        broker = core.broker();
        server = new TestServer(broker, SETTINGS);
    }

    @AfterAll
    static void close() {
        server.close();
        broker.close();
        core.close();
    }

    @BeforeEach
    void watch() {
        log = new LogWatch();
    }

    @AfterEach
    void unwatch() {
        log.close();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        // name, properties, reason, log line
        "session expiry twice, 11000000011100000001, 82, property 0x11 is given twice in CONNECT",
        "receive maximum twice, 210005210005, 82, property 0x21 is given twice in CONNECT",
        "maximum packet size twice, 27000010002700001000, 82, property 0x27 is given twice in CONNECT",
        "topic alias maximum twice, 220001220001, 82, property 0x22 is given twice in CONNECT",
        "request response information twice, 19001900, 82, property 0x19 is given twice in CONNECT",
        "request problem information twice, 17011701, 82, property 0x17 is given twice in CONNECT",
        "authentication method twice, 1500016115000161, 82, property 0x15 is given twice in CONNECT",
        "authentication data twice, 1600016116000161, 82, property 0x16 is given twice in CONNECT",
        "authentication data alone, 16000161, 82, authentication data without a method",
        "receive maximum 0, 210000, 82, value of property 0x21 is not allowed",
        "maximum packet size 0, 2700000000, 82, value of property 0x27 is not allowed",
        "request problem information 2, 1702, 82, value of property 0x17 is not allowed",
        "request response information 7, 1907, 82, value of property 0x19 is not allowed",
        "topic alias, 230001, 81, property 0x23 does not belong to CONNECT",
        "content type, 03000161, 81, property 0x3 does not belong to CONNECT",
        "will delay, 1800000001, 81, property 0x18 does not belong to CONNECT",
        "unknown property, 7f01, 81, property 0x7f does not belong to CONNECT",
        "property that ends early, 110000, 81, it ends early",
        "user property not UTF-8, 260001ff000161, 81, property 0x26 is not UTF-8",
    })
    void connectProperties(String name, String properties, String reason, String line) throws Exception {
        refused(connect("05", "02", hex(properties.length() / 2) + properties + string("c")), answer(reason), line);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "reserved flag, 03, '', reserved connect flag is set",
        "will QoS without will, 0a, '', will QoS or will retain without a will",
        "will retain without will, 22, '', will QoS or will retain without a will",
        "will QoS 3, 1e, 00000174000170, will with QoS 3",
        "bytes after the payload, 02, 00, it has bytes after its end",
        "user name missing, 82, '', it ends early",
    })
    void connectFlags(String name, String flags, String rest, String line) throws Exception {
        String payload = string("c") + (rest == null ? "" : rest);
        refused(connect("05", flags, "00" + payload), answer("81"), line);
        log.close();
        log = new LogWatch();
        refused(connect("04", flags, payload), "", line);
    }

    @Test
    void passwordWithoutUserName() throws Exception {
        refused(connect("04", "42", string("c") + string("p")), "", "password without user name");
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "delay twice, 18000000011800000001, 82, property 0x18 is given twice in the will",
        "content type twice, 0300016103000161, 82, property 0x3 is given twice in the will",
        "payload format 2, 0102, 82, value of property 0x1 is not allowed",
        "response topic with wildcard, 080003612f23, 82, value of property 0x8 is not allowed",
        "topic alias, 230001, 81, property 0x23 does not belong to the will",
        "session expiry, 1100000001, 81, property 0x11 does not belong to the will",
    })
    void willProperties(String name, String properties, String reason, String line) throws Exception {
        String will = hex(properties.length() / 2) + properties + string("t") + string("p");
        refused(connect("05", "06", "00" + string("c") + will), answer(reason), line);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "SUBSCRIBE reserved option bits, 82, 000100000161c0, 81, reserved bits of subscription options",
        "SUBSCRIBE one reserved option bit, 82, 00010000016140, 81, reserved bits of subscription options",
        "SUBSCRIBE second filter, 82, 0001000001610100016280, 81, reserved bits of subscription options",
        "SUBSCRIBE retain handling 3, 82, 00010000016130, 82, subscription with retain handling 3",
        "SUBSCRIBE QoS 3, 82, 00010000016103, 82, subscription with QoS 3",
        "SUBSCRIBE identifier 0, 82, 0001020b0000016101, 82, value of property 0xb is not allowed",
        "SUBSCRIBE identifier twice, 82, 0001040b010b0100016101, 82, property 0xb is given twice in SUBSCRIBE",
        "SUBSCRIBE topic alias, 82, 00010323000100016101, 81, property 0x23 does not belong to SUBSCRIBE",
        "SUBSCRIBE packet identifier 0, 82, 00000000016101, 82, SUBSCRIBE with packet identifier 0",
        "SUBSCRIBE without filter, 82, 000100, 82, SUBSCRIBE without a topic filter",
        "SUBSCRIBE without options, 82, 000100000161, 81, it ends early",
        "SUBSCRIBE shared with no local, 82, 000100000a2473686172652f672f6105, 82, shared subscription with no local",
        "UNSUBSCRIBE identifier, a2, 0001020b01000161, 81, property 0xb does not belong to UNSUBSCRIBE",
        "UNSUBSCRIBE without filter, a2, 000100, 82, UNSUBSCRIBE without a topic filter",
        "UNSUBSCRIBE packet identifier 0, a2, 000000000161, 82, UNSUBSCRIBE with packet identifier 0",
        "DISCONNECT expiry twice, e0, 000a11000000001100000000, 82, property 0x11 is given twice in DISCONNECT",
        "DISCONNECT reason string twice, e0, 00081f0001611f000161, 82, property 0x1f is given twice in DISCONNECT",
        "DISCONNECT receive maximum, e0, 0003210001, 81, property 0x21 does not belong to DISCONNECT",
        "DISCONNECT with a payload, e0, 000000, 81, it has bytes after its end",
        "PUBACK expiry, 40, 000100051100000001, 81, property 0x11 does not belong to PUBACK",
        "PUBACK reason string twice, 40, 000100081f0001611f000161, 82, property 0x1f is given twice in PUBACK",
        "PUBACK properties that exceed it, 40, 0001000a26, 81, properties exceed their packet",
    })
    void afterConnect(String name, String first, String body, String reason, String line) throws Exception {
        try (RawClient client = connect5(server.port, "c", true, "")) {
            client.send(packet(Integer.parseInt(first, 16), body));
            assertThat(client.rest()).isEqualTo("e001" + reason);
        }
        assertOneLine(line);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "SUBSCRIBE reserved bits, 82, 000100016104, reserved bits of subscription options",
        "SUBSCRIBE QoS 3, 82, 000100016103, subscription with QoS 3",
        "SUBSCRIBE without filter, 82, 0001, SUBSCRIBE without a topic filter",
        "UNSUBSCRIBE without filter, a2, 0001, UNSUBSCRIBE without a topic filter",
        "DISCONNECT with a reason, e0, 00, it has bytes after its end",
    })
    void afterConnect3(String name, String first, String body, String line) throws Exception {
        try (RawClient client = connect3(server.port, "c", true)) {
            client.send(packet(Integer.parseInt(first, 16), body));
            assertThat(client.rest()).isEmpty();
        }
        assertOneLine(line);
    }

    @Test
    void halfAConnectAndItsEnd() throws Exception {
        try (RawClient client = new RawClient(server.port)) {
            client.send("101000044d51");
            client.socket().shutdownOutput();
            assertThat(client.rest()).isEmpty();
        }
        assertOneLine("connection lost within its CONNECT");
    }

    @Test
    void everyPropertyOnceIsTaken() throws Exception {
        String ofConnect = "1100000001" + "210005" + "2700001000" + "220001" + "1901" + "1700" + "26000161000162"
                + "26000161000162";
        String ofWill = "1800000001" + "0101" + "0200000010" + "03000161" + "08000161" + "09000161" + "26000161000162";
        String payload = hex(ofConnect.length() / 2)
                + ofConnect
                + string("c")
                + hex(ofWill.length() / 2)
                + ofWill
                + string("t")
                + string("p");
        try (RawClient client = new RawClient(server.port)) {
            client.send(connect("05", "2e", payload));
            assertThat(client.packet().substring(4, 8)).isEqualTo("0000");
            client.send(packet(0x82, "0001" + "09" + "0b07" + "26000161000162" + string("a") + "2d"));
            assertThat(client.packet()).isEqualTo("9004" + "0001" + "00" + "01");
            client.send(packet(0xA2, "0002" + "07" + "26000161000162" + string("a")));
            assertThat(client.packet()).isEqualTo("b004" + "0002" + "00" + "00");
            client.send(packet(0x40, "0001" + "10" + "0b" + "1f000161" + "26000161000162"));
            client.ping();
            client.send(packet(0xE0, "00" + "10" + "1100000005" + "1f000161" + "26000161000162"));
            assertThat(client.rest()).isEmpty();
        }
        assertThat(log.ofConnections()).isEmpty();
    }

    private static String connect(String level, String flags, String rest) {
        return packet(0x10, "00044d515454" + level + flags + "0000" + rest);
    }

    private static String answer(String reason) {
        return "200300" + reason + "00";
    }

    private void refused(String bytes, String answer, String line) throws Exception {
        try (RawClient client = new RawClient(server.port)) {
            client.send(bytes);
            assertThat(client.rest()).isEqualTo(answer);
        }
        assertOneLine(line);
    }

    private void assertOneLine(String line) {
        await().until(() -> server.gateway.connections() == 0);
        assertThat(log.ofConnections())
                .singleElement()
                .asString()
                .startsWith("INFO")
                .contains(line);
    }
}
