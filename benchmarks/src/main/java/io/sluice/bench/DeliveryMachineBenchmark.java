package io.sluice.bench;

import io.sluice.queue.DeathReason;
import io.sluice.queue.DeliveryEffects;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.Reference;
import io.sluice.queue.index.MemoryBlocks;
import io.sluice.queue.index.QueueIndex;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * The state machine of a queue: 1,000 messages go through it per invocation, and one operation is one message. The queue is as
 * it was after each invocation.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class DeliveryMachineBenchmark {
    private static final int MESSAGES = 1_000;
    private static final int PREFETCH = 50;
    private static final int CONSUMERS = 4;

    private final Deliveries deliveries = new Deliveries();
    private DeliveryMachine unlimited;
    private DeliveryMachine windowed;
    private DeliveryMachine waiting;
    private DeliveryMachine dropping;
    private int consumer;
    private long offset;

    /** Makes the queues: one consumer without a limit, several with a window, one with 1,000 messages in flight. */
    @Setup
    public void setUp() {
        unlimited = new DeliveryMachine(QueuePolicy.NONE, new MemoryBlocks(), 0);
        consumer = unlimited.attach(false, false, 0, DeliveryMachine.UNLIMITED);
        windowed = new DeliveryMachine(QueuePolicy.NONE, new MemoryBlocks(), 0);
        for (int i = 0; i < CONSUMERS; i++) {
            windowed.attach(false, false, 0, PREFETCH);
        }
        waiting = new DeliveryMachine(QueuePolicy.NONE, new MemoryBlocks(), 0);
        waiting.attach(false, false, 0, DeliveryMachine.UNLIMITED);
        enqueue(waiting);
        dropping =
                new DeliveryMachine(QueuePolicy.builder().deadLetterExchange("").build(), new MemoryBlocks(), 0);
        dropping.attach(false, false, 0, DeliveryMachine.UNLIMITED);
    }

    /** Enqueued, delivered to the one consumer, acknowledged in order. */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public long enqueueDeliverAck() {
        enqueue(unlimited);
        dispatchAll(unlimited);
        for (int i = 0; i < MESSAGES; i++) {
            unlimited.ack(consumer, deliveries.ids[i], deliveries);
        }
        return check(unlimited.ready() + unlimited.unacked());
    }

    /** Delivered, then returned to its place as failed: nack with requeue. The same 1,000 messages each time. */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public long deliverNackRequeue() {
        dispatchAll(waiting);
        for (int i = 0; i < MESSAGES; i++) {
            waiting.release(deliveries.consumers[i], deliveries.ids[i], true, deliveries);
        }
        return check(waiting.ready() - MESSAGES);
    }

    /** Enqueued, delivered, rejected, and settled once its dead letter is stored. */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public long enqueueDeliverReject() {
        enqueue(dropping);
        dispatchAll(dropping);
        for (int i = 0; i < MESSAGES; i++) {
            dropping.reject(deliveries.consumers[i], deliveries.ids[i], deliveries);
        }
        for (int i = 0; i < MESSAGES; i++) {
            dropping.deadLettered(deliveries.ids[i], deliveries);
        }
        return check(dropping.ready() + dropping.unacked());
    }

    /** Enqueued, delivered to four consumers in turn with a window of 50 each, acknowledged one by one as the window moves. */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public long prefetch() {
        enqueue(windowed);
        deliveries.clear();
        int acked = 0;
        while (acked < MESSAGES) {
            while (windowed.nextPosition() != Reference.NONE) {
                windowed.dispatch(deliveries);
            }
            int by = deliveries.consumers[acked];
            windowed.ack(by, deliveries.ids[acked], deliveries);
            windowed.credit(by, 1);
            acked++;
        }
        return check(windowed.ready() + windowed.unacked());
    }

    private void enqueue(DeliveryMachine machine) {
        for (int i = 0; i < MESSAGES; i++) {
            machine.enqueue(Reference.position(3, offset++), Reference.fresh(256, 0), Reference.NEVER, 0, 0);
        }
    }

    private void dispatchAll(DeliveryMachine machine) {
        deliveries.clear();
        while (machine.nextPosition() != Reference.NONE) {
            machine.dispatch(deliveries);
        }
    }

    /** Fails the run if the machine did not do the work; else something that depends on all of it. */
    private long check(long left) {
        if (left != 0 || deliveries.size != MESSAGES) {
            throw new IllegalStateException(left + " messages left, " + deliveries.size + " delivered");
        }
        return deliveries.sum;
    }

    /** Keeps the ids as a connection does. */
    private static final class Deliveries implements DeliveryEffects {
        private final long[] ids = new long[MESSAGES];
        private final int[] consumers = new int[MESSAGES];
        private int size;
        private long sum;

        void clear() {
            size = 0;
        }

        @Override
        public void deliver(int consumer, long deliveryId, long position, long state, boolean settled) {
            ids[size] = deliveryId;
            consumers[size] = consumer;
            size++;
            sum += position + state;
        }

        @Override
        public void settled(long position) {
            sum -= position;
        }

        @Override
        public void failed(long position, int deliveryCount) {
            sum ^= deliveryCount;
        }

        @Override
        public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {
            sum += reason.ordinal();
        }

        @Override
        public void purged(QueueIndex references) {
            sum += references.size();
        }
    }
}
