package io.sluice.server.it;

import static org.awaitility.Awaitility.await;

import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A broker in a process of its own, on free ports that stay the same over its restarts. Its lines go to {@code broker.log}. */
final class BrokerProcess implements AutoCloseable {
    private static final Duration START_LIMIT = Duration.ofSeconds(120);

    private final Path data;
    private final Path log;
    private final int[] ports = new int[4];
    private final HttpClient http = HttpClient.newHttpClient();
    private final Thread reaper = new Thread(this::endWithTheTests);
    private volatile Process process;

    /** Starts it with everything in one directory. */
    BrokerProcess(Path directory) throws IOException {
        this(directory.resolve("data"), directory.resolve("broker.log"));
    }

    BrokerProcess(Path data, Path log) throws IOException {
        this.data = data;
        this.log = log;
        List<ServerSocket> held = new ArrayList<>();
        for (int i = 0; i < ports.length; i++) {
            ServerSocket socket = new ServerSocket(0);
            held.add(socket);
            ports[i] = socket.getLocalPort();
        }
        for (ServerSocket socket : held) {
            socket.close();
        }
        Runtime.getRuntime().addShutdownHook(reaper);
        start();
    }

    Path data() {
        return data;
    }

    /** A connection without automatic recovery, patient with a busy machine. */
    Connection connectAmqp() throws IOException, TimeoutException {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost("127.0.0.1");
        factory.setPort(ports[0]);
        factory.setAutomaticRecoveryEnabled(false);
        factory.setHandshakeTimeout(60_000);
        return factory.newConnection();
    }

    int amqpPort() {
        return ports[0];
    }

    int mqttPort() {
        return ports[1];
    }

    int nativePort() {
        return ports[2];
    }

    /** Adds a route over the management port. */
    void addRoute(String from, String to) throws IOException, InterruptedException {
        String json = "{\"from\": \"" + from + "\", \"to\": \"" + to + "\"}";
        HttpResponse<String> answer = http.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + ports[3] + "/sluice/v1/routes"))
                        .header("Content-Type", "application/json")
                        .POST(HttpRequest.BodyPublishers.ofString(json))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() / 100 != 2) {
            throw new AssertionError(answer.statusCode() + " " + answer.body());
        }
    }

    /** Starts it and waits until it is ready. */
    void start() throws IOException {
        launch();
        await("broker ready, see " + log)
                .atMost(START_LIMIT)
                .pollInterval(Duration.ofMillis(20))
                .until(this::isReady);
    }

    /** Starts it and kills it after a while, ready or not. */
    void startAndKill(long millis) throws IOException, InterruptedException {
        launch();
        if (process.waitFor(millis, TimeUnit.MILLISECONDS)) {
            throw new AssertionError("broker ended with " + process.exitValue() + ", see " + log);
        }
        kill();
    }

    /** Ends the process with SIGKILL. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    /** Ends the process with SIGTERM and waits for its clean stop. */
    void stop() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(60, TimeUnit.SECONDS)) {
            kill();
            throw new AssertionError("no clean stop within 60 s, see " + log);
        }
    }

    @Override
    public void close() throws InterruptedException {
        if (process.isAlive()) {
            stop();
        }
        Runtime.getRuntime().removeShutdownHook(reaper);
    }

    private void endWithTheTests() {
        process.destroyForcibly();
    }

    private void launch() throws IOException {
        process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "io.sluice.server.cli.Main",
                        "start",
                        "--data",
                        data.toString(),
                        "--set",
                        "amqp.port=" + ports[0],
                        "--set",
                        "mqtt.port=" + ports[1],
                        "--set",
                        "native.port=" + ports[2],
                        "--set",
                        "management.port=" + ports[3])
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .start();
    }

    private boolean isReady() throws InterruptedException {
        if (!process.isAlive()) {
            throw new AssertionError("broker ended with " + process.exitValue() + ", see " + log);
        }
        try {
            return http.send(
                                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + ports[3] + "/readyz"))
                                            .timeout(Duration.ofSeconds(5))
                                            .build(),
                                    HttpResponse.BodyHandlers.discarding())
                            .statusCode()
                    == 200;
        } catch (IOException e) {
            return false;
        }
    }
}
