package io.sluice.amqp.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.sluice.amqp.NoLeaks;
import io.sluice.amqp.TestBroker;
import io.sluice.amqp.trace.TraceConnection.Delivery;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.ConfirmMethod;
import io.sluice.amqp091.codec.QueueMethod;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * Three consumers of one queue, a publisher, and chance: acknowledge, return, reject, one or many, recover, get, cancel, close the
 * channel, cut the connection, with a prefetch of 1 to 200. A model is told all of it. In episodes, each with a queue of another
 * kind, until {@code sluice.trace.deliveries} were made. What the clients choose follows from {@code sluice.trace.seed};
 * what the threads make of it does not.
 */
@ExtendWith(NoLeaks.class)
class RandomTraceTest {
    private static final int CONSUMERS = 3;
    private static final int EPISODE = 20_000;

    private final long deliveries = Long.getLong("sluice.trace.deliveries", 20_000);
    private final long seed = Long.getLong("sluice.trace.seed", 1);
    private final ExecutorService threads = Executors.newFixedThreadPool(CONSUMERS + 1);

    @Test
    void theQueueAgreesWithTheModel(@TempDir Path directory) throws Exception {
        try (TestBroker broker = new TestBroker(directory)) {
            Random random = new Random(seed);
            long done = 0;
            for (int episode = 0; done < deliveries; episode++) {
                try {
                    done += episode(broker.port(), random, (int) Math.min(EPISODE, deliveries - done));
                } catch (AssertionError | Exception e) {
                    throw new AssertionError("seed " + seed + ", episode " + episode + ": " + e.getMessage(), e);
                }
            }
        } finally {
            threads.shutdownNow();
        }
    }

    /** Answers how many deliveries there were. */
    private long episode(int port, Random random, int target) throws Exception {
        boolean quorum = random.nextBoolean();
        int limit = random.nextBoolean() ? -1 : random.nextInt(6);
        Map<String, @Nullable Object> arguments = new LinkedHashMap<>();
        arguments.put("x-queue-type", quorum ? "quorum" : "classic");
        arguments.put("x-dead-letter-exchange", "");
        arguments.put("x-dead-letter-routing-key", "dead");
        arguments.put("x-delivery-limit", limit);
        try (TraceConnection control = new TraceConnection(port)) {
            declare(control, "traced", arguments);
            declare(control, "dead", Map.of());
            QueueModel model = new QueueModel(CONSUMERS, limit);
            run(port, random, model, () -> model.deliveries() >= target);
            assertThat(count(control, "traced")).isEqualTo(model.ready());
            drain(control, model);
            assertThat(count(control, "traced")).isZero();
            checkDead(control, model);
            model.check();
            control.call(new QueueMethod.Delete("traced", false, false, false), QueueMethod.DeleteOk.class);
            control.call(new QueueMethod.Delete("dead", false, false, false), QueueMethod.DeleteOk.class);
            return model.deliveries();
        }
    }

    private void run(int port, Random random, QueueModel model, BooleanSupplier enough) throws Exception {
        CompletionService<@Nullable Void> running = new ExecutorCompletionService<>(threads);
        boolean[] failed = new boolean[1];
        BooleanSupplier end = () -> failed[0] || enough.getAsBoolean();
        for (int i = 0; i < CONSUMERS; i++) {
            running.submit(new TraceConsumer(i, port, "traced", model, random.nextLong(), end));
        }
        long publisherSeed = random.nextLong();
        running.submit(() -> {
            publish(port, new Random(publisherSeed), model, end);
            return null;
        });
        List<Throwable> failures = new ArrayList<>();
        for (int i = 0; i <= CONSUMERS; i++) {
            try {
                running.take().get();
            } catch (ExecutionException e) {
                failed[0] = true;
                failures.add(e.getCause());
            }
        }
        model.check();
        if (!failures.isEmpty()) {
            throw new AssertionError(failures.get(0).toString(), failures.get(0));
        }
    }

    private static void publish(int port, Random random, QueueModel model, BooleanSupplier end)
            throws IOException, InterruptedException {
        try (TraceConnection connection = new TraceConnection(port)) {
            connection.call(new ConfirmMethod.Select(false), ConfirmMethod.SelectOk.class);
            long sent = 0;
            while (!end.getAsBoolean()) {
                int burst = 1 + random.nextInt(400);
                for (int i = 0; i < burst; i++) {
                    connection.publish("traced", Bodies.of(model.publish()), random.nextBoolean());
                }
                connection.flush();
                sent += burst;
                long confirmed = 0;
                while (confirmed < sent) {
                    confirmed = Math.max(
                            confirmed, connection.expect(BasicMethod.Ack.class).deliveryTag());
                }
                int backlog = random.nextInt(4) == 0 ? random.nextInt(5_000) : random.nextInt(50);
                while (model.ready() > backlog && !end.getAsBoolean()) {
                    model.awaitReady(backlog, 100);
                }
            }
        }
    }

    private static void declare(TraceConnection control, String queue, Map<String, @Nullable Object> arguments)
            throws IOException {
        control.call(
                new QueueMethod.Declare(queue, false, true, false, false, false, arguments),
                QueueMethod.DeclareOk.class);
    }

    private static int count(TraceConnection control, String queue) throws IOException {
        return control.call(
                        new QueueMethod.Declare(queue, true, false, false, false, false, Map.of()),
                        QueueMethod.DeclareOk.class)
                .messageCount();
    }

    /** What is left comes in the order in which it was published, whatever became of it meanwhile. */
    private static void drain(TraceConnection control, QueueModel model) throws IOException {
        int left = model.ready();
        int last = -1;
        for (int i = 0; i < left; i++) {
            control.send(new BasicMethod.Get("traced", false));
            Object next = control.next();
            assertThat(next).as("message %d of %d that are left", i + 1, left).isInstanceOf(Delivery.class);
            Delivery delivery = (Delivery) next;
            int message = Bodies.number(delivery.body());
            assertThat(message).isGreaterThan(last);
            last = message;
            model.delivered(CONSUMERS, message, delivery.redelivered(), delivery.failures());
            model.acknowledge(message);
            control.send(new BasicMethod.Ack(delivery.tag(), false));
        }
    }

    private static void checkDead(TraceConnection control, QueueModel model) {
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(count(control, "dead")).isEqualTo(model.dead()));
        Set<Integer> found = new HashSet<>();
        try {
            for (int i = model.dead(); i > 0; i--) {
                control.send(new BasicMethod.Get("dead", true));
                Delivery dead = (Delivery) control.next();
                int message = Bodies.number(dead.body());
                assertThat(model.isDead(message))
                        .as("message %d is dead", message)
                        .isTrue();
                assertThat(found.add(message))
                        .as("message %d is dead once", message)
                        .isTrue();
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
