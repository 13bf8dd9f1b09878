package io.sluice.server.tour;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A broker in a process of its own, on free ports, so that it can be killed. */
final class TourBroker implements AutoCloseable {
    private static final String MAIN = "io.sluice.server.cli.Main";
    private static final Duration START_LIMIT = Duration.ofSeconds(60);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(30);
    private static final long POLL_MILLIS = 20;

    private final Path directory;
    private final int mqttPort;
    private final int amqpPort;
    private final int kafkaPort;
    private final int managementPort;
    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(2))
            .build();
    private @Nullable Process process;

    TourBroker(Path directory) throws TourFailedException {
        this.directory = directory;
        List<Integer> ports = freePorts(4);
        mqttPort = ports.get(0);
        amqpPort = ports.get(1);
        kafkaPort = ports.get(2);
        managementPort = ports.get(3);
    }

    private static List<Integer> freePorts(int count) throws TourFailedException {
        List<ServerSocket> held = new ArrayList<>();
        List<Integer> ports = new ArrayList<>();
        try {
            for (int i = 0; i < count; i++) {
                ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                held.add(socket);
                ports.add(socket.getLocalPort());
            }
            for (ServerSocket socket : held) {
                socket.close();
            }
            return ports;
        } catch (IOException e) {
            throw new TourFailedException("There are no free ports on this machine: " + e.getMessage() + ".", e);
        }
    }

    int mqttPort() {
        return mqttPort;
    }

    int amqpPort() {
        return amqpPort;
    }

    int kafkaPort() {
        return kafkaPort;
    }

    long pid() {
        return process == null ? -1 : process.pid();
    }

    Path log() {
        return directory.resolve("broker.log");
    }

    /** Starts the broker and returns once it is ready. Answers the milliseconds that took. */
    long start() throws TourFailedException {
        long begin = System.nanoTime();
        try {
            process = new ProcessBuilder(command())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()))
                    .start();
        } catch (IOException e) {
            throw new TourFailedException("The broker process cannot be started: " + e.getMessage() + ".", e);
        }
        while (!isReady()) {
            if (!process.isAlive()) {
                throw new TourFailedException("The broker ended with code " + process.exitValue()
                        + " instead of starting; see " + log() + ".");
            }
            if (System.nanoTime() - begin > START_LIMIT.toNanos()) {
                throw new TourFailedException(
                        "The broker was not ready within " + START_LIMIT.toSeconds() + " s; see " + log() + ".");
            }
            pause();
        }
        return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin);
    }

    private List<String> command() {
        List<String> command = new ArrayList<>();
        command.add(ProcessHandle.current()
                .info()
                .command()
                .orElseGet(() ->
                        Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(argument -> !argument.startsWith("-agentlib") && !argument.startsWith("-javaagent"))
                .forEach(command::add);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), MAIN, "start"));
        command.addAll(List.of("--data", directory.resolve("data").toString()));
        set(command, "mqtt.port", mqttPort);
        set(command, "amqp.port", amqpPort);
        set(command, "native.port", kafkaPort);
        set(command, "management.port", managementPort);
        return command;
    }

    private static void set(List<String> command, String key, int value) {
        command.add("--set");
        command.add(key + "=" + value);
    }

    private boolean isReady() {
        try {
            return http.send(request("/readyz").build(), HttpResponse.BodyHandlers.discarding())
                            .statusCode()
                    == 200;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + managementPort + path))
                .timeout(Duration.ofSeconds(10));
    }

    /** Makes a route over the management port. */
    void addRoute(String from, String to) throws TourFailedException {
        String body = "{\"from\": \"" + from + "\", \"to\": \"" + to + "\"}";
        try {
            HttpResponse<String> response = http.send(
                    request("/sluice/v1/routes")
                            .header("Content-Type", "application/json")
                            .POST(HttpRequest.BodyPublishers.ofString(body))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() != 201) {
                throw new TourFailedException("The route " + from + " -> " + to + " was refused: " + response.body());
            }
        } catch (IOException e) {
            throw new TourFailedException("The management port does not answer: " + e.getMessage() + ".", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TourFailedException("Interrupted.", e);
        }
    }

    /** Ends the broker as {@code kill -9} does: it gets no chance to write anything. */
    void kill() throws TourFailedException {
        end(true);
    }

    /** Ends the broker as Ctrl-C or a service manager does. */
    void stop() throws TourFailedException {
        end(false);
    }

    private void end(boolean forcibly) throws TourFailedException {
        Process running = process;
        if (running == null) {
            return;
        }
        if (forcibly) {
            running.destroyForcibly();
        } else {
            running.destroy();
        }
        try {
            if (!running.waitFor(STOP_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                running.destroyForcibly();
                throw new TourFailedException(
                        "The broker did not stop within " + STOP_LIMIT.toSeconds() + " s; see " + log() + ".");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TourFailedException("Interrupted.", e);
        }
        process = null;
    }

    private static void pause() throws TourFailedException {
        try {
            Thread.sleep(POLL_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TourFailedException("Interrupted.", e);
        }
    }

    /** Kills what still runs. */
    @Override
    public void close() throws TourFailedException {
        kill();
    }

    /** Removes a directory and all in it. */
    static void delete(Path directory) throws IOException {
        try (var paths = Files.walk(directory)) {
            for (Path path : paths.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
