package io.sluice.amqp.trace;

import io.sluice.amqp.trace.TraceConnection.Delivery;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.ChannelMethod;
import io.sluice.amqp091.codec.Method;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** A client that consumes from one queue and settles, cancels, gives back and goes away by chance. */
final class TraceConsumer implements Callable<@Nullable Void> {
    /** A delivery that waits to be settled; {@code consumer} is null where it was got. */
    private record Held(long tag, int message, @Nullable String consumer) {}

    private final int number;
    private final int port;
    private final String queue;
    private final QueueModel model;
    private final Random random;
    private final BooleanSupplier enough;
    private final List<Held> held = new ArrayList<>();
    private TraceConnection connection;
    private int prefetch;
    private int consumers;
    private @Nullable String consumer;

    TraceConsumer(int number, int port, String queue, QueueModel model, long seed, BooleanSupplier enough)
            throws IOException {
        this.number = number;
        this.port = port;
        this.queue = queue;
        this.model = model;
        this.random = new Random(seed);
        this.enough = enough;
        this.connection = new TraceConnection(port);
    }

    @Override
    public @Nullable Void call() throws IOException {
        limit();
        consume();
        while (!enough.getAsBoolean()) {
            if (!held.isEmpty() && (heldByConsumer() >= prefetch || !connection.isReadable())) {
                settleSomething();
            } else if (connection.awaitReadable(20)) {
                take(connection.next());
            }
            if (random.nextInt(3) == 0) {
                settleSomething();
            }
            if (random.nextInt(200) == 0) {
                interrupt();
            }
        }
        closeChannel();
        connection.close();
        return null;
    }

    private void limit() throws IOException {
        prefetch = random.nextInt(4) == 0 ? 1 + random.nextInt(200) : 1 + random.nextInt(20);
        boolean overTheChannel = random.nextInt(4) == 0;
        connection.call(new BasicMethod.Qos(0, overTheChannel ? 0 : prefetch, false), BasicMethod.QosOk.class);
        connection.call(new BasicMethod.Qos(0, overTheChannel ? prefetch : 0, true), BasicMethod.QosOk.class);
    }

    private void consume() throws IOException {
        String tag = "consumer-" + number + '-' + consumers++;
        consumer = tag;
        connection.call(
                new BasicMethod.Consume(queue, tag, false, false, false, false, Map.of()), BasicMethod.ConsumeOk.class);
    }

    private int heldByConsumer() {
        int count = 0;
        for (Held one : held) {
            count += one.consumer() != null && one.consumer().equals(consumer) ? 1 : 0;
        }
        return count;
    }

    private void take(Object next) {
        if (!(next instanceof Delivery delivery)) {
            throw new AssertionError("unexpected " + next);
        }
        int message = Bodies.number(delivery.body());
        model.delivered(number, message, delivery.redelivered(), delivery.failures());
        held.add(new Held(delivery.tag(), message, delivery.consumer()));
        if (delivery.consumer() != null) {
            if (!delivery.consumer().equals(consumer)) {
                throw new AssertionError("delivery to the cancelled consumer " + delivery.consumer());
            }
            int now = heldByConsumer();
            if (now > prefetch) {
                throw new AssertionError(now + " deliveries to " + consumer + " with a prefetch of " + prefetch);
            }
        }
    }

    private void settleSomething() throws IOException {
        if (held.isEmpty()) {
            return;
        }
        int at = random.nextInt(3) > 0 ? 0 : random.nextInt(held.size());
        boolean multiple = random.nextInt(5) == 0;
        int what = random.nextInt(20);
        // 0 means all there are on the broker's side: only where this client knows all of them
        boolean all = multiple && held.size() == prefetch && heldByConsumer() == prefetch && random.nextInt(4) == 0;
        long tag = all ? 0 : held.get(at).tag();
        List<Held> settled = new ArrayList<>();
        if (multiple) {
            settled.addAll(held.subList(0, all ? held.size() : at + 1));
        } else {
            settled.add(held.get(at));
        }
        held.removeAll(settled);
        Method method;
        if (what < 13) {
            settled.forEach(one -> model.acknowledge(one.message()));
            method = new BasicMethod.Ack(tag, multiple);
        } else if (what < 19) {
            settled.forEach(one -> model.requeue(one.message()));
            method = multiple || random.nextBoolean()
                    ? new BasicMethod.Nack(tag, multiple, true)
                    : new BasicMethod.Reject(tag, true);
        } else {
            settled.forEach(one -> model.reject(one.message()));
            method = multiple || random.nextBoolean()
                    ? new BasicMethod.Nack(tag, multiple, false)
                    : new BasicMethod.Reject(tag, false);
        }
        connection.send(method);
    }

    private void interrupt() throws IOException {
        switch (random.nextInt(6)) {
            case 0 -> {
                model.interrupted(prefetch);
                releaseAll();
                connection.send(new BasicMethod.Recover(true));
                discardUntil(BasicMethod.RecoverOk.class);
            }
            case 1 -> {
                model.interrupted(prefetch);
                String tag = String.valueOf(consumer);
                connection.send(new BasicMethod.Cancel(tag, false));
                takeUntil(BasicMethod.CancelOk.class);
                consume();
            }
            case 2 -> {
                closeChannel();
                connection.openChannel();
                limit();
                consume();
            }
            case 3 -> {
                // what was settled is known to the broker: a cut may take with it what was on its way
                connection.send(new BasicMethod.Qos(0, prefetch, false));
                takeUntil(BasicMethod.QosOk.class);
                model.interrupted(prefetch + 1);
                releaseAll();
                connection.close();
                connection = new TraceConnection(port);
                limit();
                consume();
            }
            default -> {
                connection.send(new BasicMethod.Get(queue, false));
                takeUntil(BasicMethod.GetEmpty.class);
            }
        }
    }

    private void closeChannel() throws IOException {
        model.interrupted(prefetch);
        releaseAll();
        connection.send(new ChannelMethod.Close(200, "enough", 0, 0));
        discardUntil(ChannelMethod.CloseOk.class);
    }

    private void releaseAll() {
        held.forEach(one -> model.release(one.message()));
        held.clear();
    }

    /** Takes deliveries until this answer or one to {@code basic.get} has come. */
    private void takeUntil(Class<? extends Method> answer) throws IOException {
        while (true) {
            Object next = connection.next();
            if (answer.isInstance(next)) {
                return;
            }
            take(next);
            if (next instanceof Delivery delivery && delivery.consumer() == null) {
                return;
            }
        }
    }

    /** What was on its way has been given back with the rest. */
    private void discardUntil(Class<? extends Method> answer) throws IOException {
        while (true) {
            Object next = connection.next();
            if (answer.isInstance(next)) {
                return;
            } else if (next instanceof Delivery delivery) {
                model.deliveredTooLate(number, Bodies.number(delivery.body()), delivery.redelivered());
            } else {
                throw new AssertionError("unexpected " + next);
            }
        }
    }
}
