package io.sluice.server;

import io.netty.util.concurrent.DefaultThreadFactory;
import io.sluice.access.Authenticator;
import io.sluice.routing.catalog.Routes;
import io.sluice.server.config.RouteSetting;
import io.sluice.server.config.SluiceConfig;
import io.sluice.server.management.ManagementServer;
import io.sluice.server.management.RoutesEndpoint;
import io.sluice.server.management.rabbit.RabbitApi;
import io.sluice.server.metrics.BrokerMetrics;
import io.sluice.server.security.LoopbackAuthenticator;
import io.sluice.server.security.LoopbackAuthorizer;
import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running broker. Parts are opened from the disk up and closed in reverse: lock, engine, core, routing, gateways, listeners. The
 * management port opens first, so that {@code /healthz} answers during a long recovery, and {@code /readyz} says ready once the
 * log is recovered and every listener is up. Thread-safe.
 */
public final class SluiceServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SluiceServer.class);
    private static final int CALLS = 2;
    private static final int CALLS_IN_LINE = 256;

    /** What has been opened, newest first. */
    private final Deque<Part> parts = new ArrayDeque<>();

    private final Map<String, Integer> ports = new LinkedHashMap<>();
    private final AtomicBoolean closing = new AtomicBoolean();
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile @Nullable String notReady = "starting";

    private record Part(String name, AutoCloseable close) {}

    private SluiceServer() {}

    /**
     * Starts a broker and returns once it serves clients.
     *
     * @throws StartException with one sentence for the operator; whatever was opened is closed again
     */
    public static SluiceServer start(SluiceConfig config) {
        SluiceServer server = new SluiceServer();
        try {
            server.open(config);
            return server;
        } catch (RuntimeException | IOException e) {
            server.abandon();
            Throwable cause = e instanceof CompletionException && e.getCause() != null ? e.getCause() : e;
            if (cause instanceof StartException known) {
                throw known;
            }
            throw new StartException(
                    "The broker could not start on " + config.data() + ": " + readable(cause) + ".", cause);
        }
    }

    private static String readable(Throwable error) {
        String message = error.getMessage();
        return message == null ? error.toString() : message;
    }

    private void open(SluiceConfig config) throws IOException {
        DataDirectory directory = DataDirectory.lock(config.data());
        opened("data directory", directory);
        Doors.check(config);
        BrokerMetrics metrics = new BrokerMetrics();
        opened("metrics", metrics);
        Listeners listeners = new Listeners(metrics);
        opened("event loops", listeners);
        RoutesEndpoint routesEndpoint = new RoutesEndpoint();
        RabbitApi rabbit = new RabbitApi(callWorker());
        ManagementServer management = new ManagementServer(() -> notReady, metrics, worker(), routesEndpoint, rabbit);
        int port = listen(
                listeners, new Door("management", "management.port", config.managementPort(), management), config);
        directory.publish("http://" + host(config.bind().get(0)) + ":" + port);
        Kernel kernel = Kernel.open(directory.path(), config);
        opened("log", kernel);
        kernel.bindTo(metrics);
        Routes routes = new Routes(kernel.broker());
        configure(routes, config.routes());
        Authenticator authenticator = new LoopbackAuthenticator(new LoopbackAuthorizer());
        Doors doors = Doors.start(kernel.broker(), authenticator, config, metrics, this::opened);
        for (Door door : doors.list()) {
            listen(listeners, door, config);
        }
        opened("listeners", listeners::stopAccepting);
        routesEndpoint.serve(kernel.broker(), routes);
        rabbit.serve(
                kernel.broker(),
                authenticator,
                doors.gateways(),
                config.bind().get(0).getHostAddress(),
                ports);
        notReady = null;
    }

    private static void configure(Routes routes, List<RouteSetting> settings) {
        List<Routes.Spec> specs = settings.stream()
                .map(route -> new Routes.Spec(route.from(), route.to(), route.key(), route.vhost()))
                .toList();
        try {
            routes.configure(specs).toCompletableFuture().join();
        } catch (CompletionException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new StartException(
                    "A route of the configuration file is refused: " + cause.getMessage()
                            + "; correct it and start again.",
                    e);
        }
    }

    /** For management requests that take milliseconds; ends with the broker. */
    private ExecutorService worker() {
        ExecutorService worker = Executors.newSingleThreadExecutor(new DefaultThreadFactory("sluice-management"));
        opened("management worker", worker::shutdown);
        return worker;
    }

    /** For management requests that wait for an AMQP answer: few at once, some more in line. Ends with the broker. */
    private ExecutorService callWorker() {
        ThreadPoolExecutor worker = new ThreadPoolExecutor(
                CALLS,
                CALLS,
                30,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(CALLS_IN_LINE),
                new DefaultThreadFactory("sluice-api"));
        worker.allowCoreThreadTimeOut(true);
        opened("API worker", worker::shutdown);
        return worker;
    }

    private int listen(Listeners listeners, Door door, SluiceConfig config) {
        int port = listeners.open(door, config.bind());
        ports.put(door.name(), port);
        LOG.info("{} listens on port {}", door.name(), port);
        return port;
    }

    private void opened(String name, AutoCloseable part) {
        synchronized (parts) {
            parts.push(new Part(name, part));
        }
    }

    static String host(InetAddress address) {
        String text = address.getHostAddress();
        return text.contains(":") ? "[::1]" : text;
    }

    /** The port of each door by name ({@code MQTT}, {@code AMQP}, {@code Kafka}, {@code management}), in the order opened. */
    public Map<String, Integer> ports() {
        return new LinkedHashMap<>(ports);
    }

    /** Waits until {@link #close} has ended. */
    public void awaitStop() {
        try {
            closed.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Stops accepting, says goodbye to clients, makes everything durable and releases the directory. Safe to call twice. */
    @Override
    public void close() {
        if (!closing.compareAndSet(false, true)) {
            awaitStop();
            return;
        }
        notReady = "stopping";
        try {
            LOG.info("Stopping");
            closeParts();
            LOG.info("Stopped");
        } finally {
            closed.countDown();
        }
    }

    /** After a failed start, of which the exception says all: nothing was running that could stop. */
    private void abandon() {
        closing.set(true);
        try {
            closeParts();
        } finally {
            closed.countDown();
        }
    }

    private void closeParts() {
        synchronized (parts) {
            while (!parts.isEmpty()) {
                closePart(parts.pop());
            }
        }
    }

    private static void closePart(Part part) {
        try {
            part.close().close();
        } catch (Exception e) {
            LOG.error("Closing the {} failed; the next start recovers what was confirmed", part.name(), e);
        }
    }
}
