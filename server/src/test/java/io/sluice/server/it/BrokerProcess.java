package io.sluice.server.it;

import static org.awaitility.Awaitility.await;

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

/** A broker in a process of its own, on free ports that stay the same over its restarts. */
final class BrokerProcess implements AutoCloseable {
    private static final Duration START_LIMIT = Duration.ofSeconds(60);

    private final Path data;
    private final int[] ports = new int[4];
    private final HttpClient http = HttpClient.newHttpClient();
    private Process process;

    BrokerProcess(Path data) throws IOException {
        this.data = data;
        List<ServerSocket> held = new ArrayList<>();
        for (int i = 0; i < ports.length; i++) {
            ServerSocket socket = new ServerSocket(0);
            held.add(socket);
            ports[i] = socket.getLocalPort();
        }
        for (ServerSocket socket : held) {
            socket.close();
        }
        process = launch();
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

    /** Ends the process with SIGKILL and starts it again on the same data. */
    void killAndRestart() throws IOException, InterruptedException {
        process.destroyForcibly().waitFor();
        process = launch();
    }

    @Override
    public void close() throws InterruptedException {
        process.destroy();
        process.waitFor();
    }

    private Process launch() throws IOException {
        Process started = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "io.sluice.server.cli.Main",
                        "start",
                        "--data",
                        data.resolve("data").toString(),
                        "--set",
                        "amqp.port=" + ports[0],
                        "--set",
                        "mqtt.port=" + ports[1],
                        "--set",
                        "native.port=" + ports[2],
                        "--set",
                        "management.port=" + ports[3])
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        data.resolve("broker.log").toFile()))
                .start();
        await("broker ready").atMost(START_LIMIT).until(() -> ready(started));
        return started;
    }

    private boolean ready(Process started) throws InterruptedException {
        if (!started.isAlive()) {
            throw new AssertionError(
                    "broker ended with " + started.exitValue() + ", see " + data.resolve("broker.log"));
        }
        try {
            return http.send(
                                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + ports[3] + "/readyz"))
                                            .build(),
                                    HttpResponse.BodyHandlers.discarding())
                            .statusCode()
                    == 200;
        } catch (IOException e) {
            return false;
        }
    }
}
