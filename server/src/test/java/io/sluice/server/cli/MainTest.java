package io.sluice.server.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.sluice.server.SluiceServer;
import io.sluice.server.config.ConfigLoader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** The commands against a broker in this process, and what operators see of it. */
@Timeout(60)
class MainTest {
    @TempDir
    private static Path data;

    private static SluiceServer server;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @BeforeAll
    static void start() {
        server = SluiceServer.start(ConfigLoader.load(
                null,
                Map.of(),
                List.of(
                        "data=" + data,
                        "amqp.port=0",
                        "mqtt.port=0",
                        "native.port=0",
                        "management.port=0",
                        "connect.timeout-seconds=1")));
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private int run(String... args) {
        return Main.run(new PrintWriter(out, true), new PrintWriter(err, true), args);
    }

    private static String get(String path) throws IOException, InterruptedException {
        URI uri = URI.create("http://127.0.0.1:" + server.ports().get("management") + path);
        return HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString())
                .body();
    }

    @Test
    void routesAreAddedListedAndRemovedAndEachRefusalIsOneSentence() {
        String at = "--data=" + data;
        assertThat(run("route", "add", at, "exchange:amq.topic", "exchange:amq.fanout"))
                .isZero();
        assertThat(run("route", "add", at, "exchange:amq.fanout", "exchange:amq.topic"))
                .isEqualTo(ExitCodes.SOFTWARE);
        assertThat(err.toString().lines())
                .singleElement()
                .asString()
                .contains("cycle exchange:amq.fanout -> exchange:amq.topic -> exchange:amq.fanout");
        assertThat(run("route", "add", at, "exchange:amq.fanout", "exchange:amq.fanout"))
                .isEqualTo(ExitCodes.SOFTWARE);
        assertThat(run("route", "add", at, "mqtt:$share/g/a", "stream:s")).isEqualTo(ExitCodes.SOFTWARE);
        assertThat(err.toString()).contains("cannot share them");
        assertThat(run("route", "remove", at, "exchange:amq.topic", "queue:none"))
                .isEqualTo(ExitCodes.SOFTWARE);
        assertThat(err.toString()).contains("there is no route from exchange:amq.topic to queue:none");
        assertThat(run("route", "remove", at, "exchange:amq.topic", "exchange:amq.fanout"))
                .isZero();
        assertThat(err.toString().lines()).hasSize(4);
    }

    @Test
    void aStartOnATakenPortSaysOneSentenceAndLogsNothing(@TempDir Path other) {
        Logger root = (Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME);
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        log.start();
        root.addAppender(log);
        try {
            int taken = server.ports().get("MQTT");
            assertThat(run(
                            "start",
                            "--data=" + other,
                            "--set=management.port=0",
                            "--set=amqp.port=0",
                            "--set=mqtt.port=" + taken))
                    .isEqualTo(ExitCodes.CONFIG);
        } finally {
            root.detachAppender(log);
        }
        assertThat(err.toString().lines())
                .singleElement()
                .asString()
                .contains("which another program uses", "--set mqtt.port=PORT");
        assertThat(log.list).extracting(ILoggingEvent::getFormattedMessage).isEmpty();
    }

    @Test
    void metricsHaveDoorsQueuesAndConnections() throws Exception {
        assertThat(run("route", "add", "--data=" + data, "mqtt:m/#", "queue:counted\"1"))
                .isZero();
        try (Socket device = new Socket("127.0.0.1", server.ports().get("MQTT"))) {
            device.getOutputStream().write(new byte[] {0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 1, 'm'});
            device.getOutputStream().write(new byte[] {0x32, 7, 0, 3, 'm', '/', 'x', 0, 1});
            assertThat(device.getInputStream().readNBytes(8)).endsWith(0x40, 2, 0, 1);
            await().untilAsserted(() -> assertThat(get("/metrics"))
                    .contains(
                            "sluice_connections{protocol=\"mqtt\"} 1.0",
                            "sluice_messages_received_total{protocol=\"mqtt\"} 1.0",
                            "sluice_messages_sent_total{protocol=\"amqp\"} 0.0",
                            "sluice_messages_received_total{protocol=\"kafka\"} 0.0",
                            "sluice_mqtt_sessions 0.0",
                            "sluice_queues_messages_ready{vhost=\"/\"} 1.0",
                            "sluice_queues_messages_unacked{vhost=\"/\"} 0.0",
                            "sluice_queues_consumers{vhost=\"/\"} 0.0")
                    .containsPattern("sluice_connections_opened_total\\{protocol=\"mqtt\"} [1-9]")
                    .doesNotContain("counted"));
        }
        assertThat(get("/metrics/per-object"))
                .contains(
                        "# TYPE sluice_queue_messages_ready gauge\n",
                        "sluice_queue_messages_ready{vhost=\"/\",queue=\"counted\\\"1\"} 1\n",
                        "sluice_queues_not_listed{vhost=\"/\"} 0\n");
    }

    @Test
    void connectionsThatSayNothingAreClosedByEveryDoor() throws Exception {
        for (String door : List.of("MQTT", "AMQP", "Kafka")) {
            try (Socket silent = new Socket("127.0.0.1", server.ports().get(door))) {
                silent.setSoTimeout(10_000);
                assertThat(silent.getInputStream().read()).as(door).isEqualTo(-1);
            }
        }
    }
}
