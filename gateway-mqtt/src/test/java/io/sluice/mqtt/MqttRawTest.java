package io.sluice.mqtt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.sluice.log.LogException;
import io.sluice.routing.catalog.RoutingBroker;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bytes on a socket: what the broker answers to correct, hostile and unsupported packets (MQTT 3.1.1 and 5.0). */
class MqttRawTest {
    private static final MqttSettings SETTINGS = new MqttSettings(
            4096, 1024, 1000, 2, 10, 4, 65_535, 50, 20, 5, 10, 100, 1 << 20, 1 << 22, io.sluice.log.Durability.GROUP);
    private static final String CONNECT5 = "1010" + "00044d515454" + "05" + "02" + "0000" + "00" + "0003616263";
    private static final String CONNECT3 = "100f" + "00044d515454" + "04" + "02" + "0000" + "0003616263";

    @TempDir
    private Path directory;

    private TestCore core;
    private RoutingBroker broker;
    private TestServer server;

    @BeforeEach
    void open() {
        core = new TestCore(directory);
        broker = core.broker();
        server = new TestServer(broker, SETTINGS);
    }

    @AfterEach
    void close() {
        server.close();
        broker.close();
        core.close();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        // name, bytes, exact answer before the connection is closed
        "MQTT 3.1, 101100064d514973647003020000000361626300, 20020001",
        "level 6, 100f00044d515454060200000003616263, 2003008400",
        "not MQTT, 474554202f20485454502f312e310d0a, ''",
        "first packet is PINGREQ, c000, ''",
        "remaining length of 5 bytes, 10ffffffff01, ''",
        "CONNECT above its limit, 10ff7f00044d515454, ''",
        "empty id of a persistent 3.1.1 session, 100c00044d51545404000000" + "0000, 20020002",
        "reserved connect flag, 100f00044d515454040300000003616263, ''",
    })
    void refusesConnect(String name, String bytes, String answer) throws Exception {
        try (Socket socket = connect()) {
            send(socket, bytes);
            assertThat(rest(socket)).isEqualTo(answer == null ? "" : answer);
        }
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "QoS 2, 340600016100010078, e0019b",
        "QoS 3, 360600016100010078, e00181",
        "DUP with QoS 0, 380400016100, e00181",
        "topic with wildcard, 30040001" + "2b00, e00190",
        "topic not UTF-8, 30040001" + "ff00, e00190",
        "topic of NUL, 30040001" + "0000, e00190",
        "packet identifier 0, 3206000161000000, e00182",
        "topic longer than the packet, 3004000961" + "00, e00181",
        "topic alias above the maximum, 3007000161032300" + "05, e00194",
        "topic alias not set, 30060000032300" + "03, e00182",
        "subscription identifier from a client, 30060001" + "61020b01, e00182",
        "property twice, 30080001" + "6104010101" + "01, e00182",
        "second CONNECT, " + "101000044d515454050200000000036162" + "63, e00182",
        "packet above its limit, 30ffff7f, e00195",
        "SUBSCRIBE with wrong flags, 800700010000016100, e00181",
        "SUBSCRIBE without filter, 8203000100, e00182",
        "PUBREL, 62020001, e0019b",
        "CONNACK from a client, 20020000, e00182",
        "AUTH, f000, e00182",
    })
    void endsConnection5(String name, String bytes, String answer) throws Exception {
        try (Socket socket = connect()) {
            send(socket, CONNECT5);
            read(socket, 26);
            send(socket, bytes);
            assertThat(rest(socket)).isEqualTo(answer == null ? "" : answer);
        }
    }

    @Test
    void closesOnQos2In3() throws Exception {
        try (Socket socket = connect()) {
            send(socket, CONNECT3);
            assertThat(read(socket, 4)).isEqualTo("20020000");
            send(socket, "34060001610001" + "78");
            assertThat(rest(socket)).isEmpty();
        }
    }

    @Test
    void announcesWhatItCanDo() throws Exception {
        try (Socket socket = connect()) {
            send(socket, CONNECT5);
            assertThat(read(socket, 26))
                    .isEqualTo("2018" + "0000" + "15" + "210002" + "2401" + "2501" + "2700001000" + "220004" + "2801"
                            + "2901" + "2a00");
        }
    }

    @Test
    void closesWithoutConnectInTime() throws Exception {
        try (Socket socket = connect()) {
            send(socket, "10");
            assertThat(rest(socket)).isEmpty();
        }
    }

    @Test
    void takesPacketsByteByByteAndManyInOneWrite() throws Exception {
        try (Socket socket = connect()) {
            for (byte b : HexFormat.of().parseHex(CONNECT3)) {
                socket.getOutputStream().write(b);
                socket.getOutputStream().flush();
            }
            assertThat(read(socket, 4)).isEqualTo("20020000");
            String publish = "320600016100" + "0178";
            // SUBSCRIBE a QoS 1, then two publishes and a ping in one segment
            send(socket, "820600010001" + "6101");
            assertThat(read(socket, 5)).isEqualTo("9003000101");
            send(socket, publish + "320600016100" + "0279" + "c000");
            String answers = read(socket, 8 + 8 + 4 + 4 + 2);
            assertThat(answers)
                    .contains("40020001", "40020002", "d000", "320600016100" + "0178", "320600016100" + "0279");
            assertThat(answers.indexOf("40020001")).isLessThan(answers.indexOf("40020002"));
        }
    }

    @Test
    void refusesSharedInvalidAndForbiddenFilters() throws Exception {
        try (Socket socket = connect()) {
            send(socket, CONNECT5);
            read(socket, 26);
            // $share/g/a, a/#/b, secret/x, a (QoS 2)
            String filters = filter("$share/g/a", 1) + filter("a/#/b", 1) + filter("secret/x", 1) + filter("a", 2);
            String body = "0007" + "00" + filters;
            send(socket, "82" + hex(body.length() / 2) + body);
            assertThat(read(socket, 9)).isEqualTo("9007" + "0007" + "00" + "9e8f8701");
        }
        try (Socket socket = connect()) {
            send(socket, CONNECT3);
            read(socket, 4);
            String body = "0007" + filter("$share/g/a", 1) + filter("secret/x", 1);
            send(socket, "82" + hex(body.length() / 2) + body);
            assertThat(read(socket, 6)).isEqualTo("9004" + "0007" + "8080");
        }
    }

    @Test
    void answersForbiddenPublishAndFailedStore() throws Exception {
        try (Socket socket = connect();
                Socket durable = connect()) {
            // a durable session makes topic a stored
            send(durable, "100f" + "00044d515454" + "04" + "00" + "0000" + "0003646566");
            assertThat(read(durable, 4)).isEqualTo("20020000");
            send(durable, "820600010001" + "6101");
            assertThat(read(durable, 5)).isEqualTo("9003000101");
            send(socket, CONNECT5);
            read(socket, 26);
            String topic = HexFormat.of().formatHex("secret/x".getBytes(StandardCharsets.UTF_8));
            send(socket, "320d" + "0008" + topic + "0001" + "00");
            assertThat(read(socket, 5)).isEqualTo("4003000187");
            core.refuseNext.set(new LogException(LogException.Reason.DISK_FULL, "no space"));
            send(socket, "3207" + "000161" + "0002" + "00" + "78");
            assertThat(read(socket, 5)).isEqualTo("4003000297");
            send(socket, "3207" + "000161" + "0003" + "00" + "78");
            assertThat(read(socket, 4)).isEqualTo("40020003");
            assertThat(read(durable, 8)).isEqualTo("3206" + "000161" + "0001" + "78");
        }
    }

    @Test
    void resendsUnacknowledgedWithTheSameIdentifierAndDup() throws Exception {
        String connect = "100f" + "00044d515454" + "04" + "00" + "0000" + "0003646566";
        try (Socket durable = connect()) {
            send(durable, connect);
            read(durable, 4);
            send(durable, "820600010001" + "6101");
            read(durable, 5);
            send(durable, "3206" + "000161" + "0009" + "78");
            String both = read(durable, 12);
            assertThat(both).contains("40020009", "3206" + "000161" + "0001" + "78");
        }
        await().untilAsserted(() -> {
            try (Socket durable = connect()) {
                send(durable, connect);
                assertThat(read(durable, 4 + 8)).isEqualTo("20020100" + "3a06" + "000161" + "0001" + "78");
            }
        });
        try (Socket durable = connect()) {
            send(durable, connect);
            assertThat(read(durable, 4 + 8)).isEqualTo("20020100" + "3a06" + "000161" + "0001" + "78");
            send(durable, "40020001" + "e000");
            assertThat(rest(durable)).isEmpty();
        }
        try (Socket durable = connect()) {
            send(durable, connect + "c000");
            assertThat(read(durable, 6)).isEqualTo("20020100" + "d000");
        }
    }

    @Test
    void takesOverSession() throws Exception {
        try (Socket first = connect();
                Socket second = connect()) {
            send(first, CONNECT5);
            read(first, 26);
            send(second, CONNECT5);
            read(second, 26);
            assertThat(rest(first)).isEqualTo("e0018e");
            send(second, "c000");
            assertThat(read(second, 2)).isEqualTo("d000");
        }
    }

    @Test
    void endsSilentConnectionAfterKeepAliveAndPublishesWill() throws Exception {
        try (Socket watcher = connect();
                Socket silent = connect()) {
            send(watcher, CONNECT3);
            read(watcher, 4);
            send(watcher, "820600010001" + "7701");
            read(watcher, 5);
            // keep-alive 1 s, will "w" with payload "bye"
            send(
                    silent,
                    "1017" + "00044d515454" + "05" + "06" + "0001" + "00" + "000178" + "00" + "000177" + "0003627965");
            assertThat(read(silent, 26)).startsWith("2018");
            assertThat(rest(silent)).isEqualTo("e0018d");
            assertThat(read(watcher, 8)).isEqualTo("3006" + "000177" + "627965");
        }
    }

    private static String filter(String filter, int qos) {
        byte[] bytes = filter.getBytes(StandardCharsets.UTF_8);
        return String.format("%04x", bytes.length) + HexFormat.of().formatHex(bytes) + hex(qos);
    }

    private static String hex(int value) {
        return String.format("%02x", value);
    }

    private Socket connect() throws Exception {
        Socket socket = new Socket("127.0.0.1", server.port);
        socket.setSoTimeout(5000);
        return socket;
    }

    private static void send(Socket socket, String hex) throws Exception {
        socket.getOutputStream().write(HexFormat.of().parseHex(hex));
        socket.getOutputStream().flush();
    }

    private static String read(Socket socket, int bytes) throws Exception {
        return HexFormat.of().formatHex(socket.getInputStream().readNBytes(bytes));
    }

    private static String rest(Socket socket) throws Exception {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        InputStream in = socket.getInputStream();
        try {
            for (int b = in.read(); b >= 0; b = in.read()) {
                all.write(b);
            }
        } catch (java.net.SocketException e) {
            // reset because unread input was left: closed as well
        }
        return HexFormat.of().formatHex(all.toByteArray());
    }
}
