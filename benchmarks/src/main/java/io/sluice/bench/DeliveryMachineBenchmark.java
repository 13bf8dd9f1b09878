package io.sluice.bench;

import io.sluice.queue.DeathReason;
import io.sluice.queue.DeliveryEffects;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.MessageGroups;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.Reference;
import io.sluice.queue.index.MemoryBlocks;
import io.sluice.queue.index.QueueIndex;
import java.util.Random;
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
    private static final int BACKLOG = 100_000;
    private static final int MESSAGES = 1_000;
    private static final int PREFETCH = 50;
    private static final int CONSUMERS = 4;
    private static final int GROUPS = 100;

    private final Deliveries deliveries = new Deliveries();
    private DeliveryMachine unlimited;
    private DeliveryMachine windowed;
    private DeliveryMachine waiting;
    private DeliveryMachine dropping;
    private DeliveryMachine prioritized;
    private DeliveryMachine settling;
    private DeliveryMachine delayed;
    private DeliveryMachine grouped;
    private DeliveryMachine selecting;
    private DeliveryMachine locked;
    private final Settlements settlements = new Settlements();
    private final Due due = new Due();
    private final Random random = new Random(1);
    private long now = 1_800_000_000_000L;
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
        prioritized = new DeliveryMachine(QueuePolicy.builder().maxPriority(10).build(), new MemoryBlocks(), 0);
        prioritized.attach(false, false, 0, DeliveryMachine.UNLIMITED);
        settling = new DeliveryMachine(QueuePolicy.NONE, new MemoryBlocks(), 0);
        settling.attach(true, false, 0, DeliveryMachine.UNLIMITED);
        delayed = new DeliveryMachine(QueuePolicy.builder().delayed(true).build(), new MemoryBlocks(), now);
        dropping.attach(false, false, 0, DeliveryMachine.UNLIMITED);
        QueuePolicy groups = QueuePolicy.builder()
                .groups(new MessageGroups(MessageGroups.By.KEY, true))
                .build();
        grouped = new DeliveryMachine(groups, new MemoryBlocks(), 0);
        selecting = new DeliveryMachine(QueuePolicy.NONE, new MemoryBlocks(), 0);
        for (int i = 0; i < CONSUMERS; i++) {
            grouped.attach(false, false, 0, PREFETCH);
            selecting.select(selecting.attach(false, false, 0, DeliveryMachine.UNLIMITED), 2L << i, true);
        }
        locked = new DeliveryMachine(QueuePolicy.NONE, new MemoryBlocks(), 0);
        locked.lock(locked.attach(false, false, 0, DeliveryMachine.UNLIMITED), 30_000);
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
            waiting.release(deliveries.consumers[i], deliveries.ids[i], true, 0, deliveries);
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
                windowed.dispatch(0, deliveries);
            }
            int by = deliveries.consumers[acked];
            windowed.ack(by, deliveries.ids[acked], deliveries);
            windowed.credit(by, 1);
            acked++;
        }
        return check(windowed.ready() + windowed.unacked());
    }

    /** As {@link #enqueueDeliverAck} with ten priorities, which come in turn; delivered highest first. */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public long priorities() {
        for (int i = 0; i < MESSAGES; i++) {
            prioritized.enqueue(Reference.position(3, offset++), Reference.fresh(256, i % 10), Reference.NEVER, 0, 0);
        }
        dispatchAll(prioritized);
        for (int i = 0; i < MESSAGES; i++) {
            prioritized.ack(consumer, deliveries.ids[i], deliveries);
        }
        return check(prioritized.ready() + prioritized.unacked());
    }

    /**
     * As {@link #prefetch} with one message of each of 100 groups in flight at a time: most are passed over first, and each
     * acknowledgement is followed by a walk along them; the shard walks once for all that one turn brings.
     */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public long groups() {
        long first = offset;
        enqueue(grouped);
        deliveries.clear();
        int acked = 0;
        while (acked < MESSAGES) {
            dispatchExamined(grouped, true, first);
            int by = deliveries.consumers[acked];
            grouped.ack(by, deliveries.ids[acked], deliveries);
            grouped.credit(by, 1);
            acked++;
        }
        return check(grouped.ready() + grouped.unacked());
    }

    /** As {@link #enqueueDeliverAck} with four consumers, each of which wants every fourth message. */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public long selectors() {
        enqueue(selecting);
        deliveries.clear();
        dispatchExamined(selecting, false, 0);
        for (int i = 0; i < MESSAGES; i++) {
            selecting.ack(deliveries.consumers[i], deliveries.ids[i], deliveries);
        }
        return check(selecting.ready() + selecting.unacked());
    }

    /** As {@link #enqueueDeliverAck} with a lock on each delivery. */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public long locks() {
        enqueue(locked);
        deliveries.clear();
        now += 1_000;
        locked.expire(now, deliveries);
        while (locked.nextPosition() != Reference.NONE) {
            locked.dispatch(now, deliveries);
        }
        for (int i = 0; i < MESSAGES; i++) {
            locked.ack(consumer, deliveries.ids[i], deliveries);
        }
        return check(locked.ready() + locked.unacked());
    }

    private void dispatchExamined(DeliveryMachine machine, boolean inGroups, long first) {
        long position;
        while ((position = machine.nextPosition()) != Reference.NONE) {
            long number = Reference.offset(position);
            long group = inGroups ? 1 + (number - first) % GROUPS : 0;
            if (!machine.needsExamination() || machine.examine(1 | 2L << number % CONSUMERS, group)) {
                machine.dispatch(0, deliveries);
            }
        }
    }

    /** A backlog that grows beyond what the heap keeps decoded, then goes to a consumer that settles by receipt. */
    @Benchmark
    @OperationsPerInvocation(BACKLOG)
    public long longBacklog() {
        deliveries.clear();
        for (int i = 0; i < BACKLOG; i++) {
            settling.enqueue(Reference.position(3, offset++), Reference.fresh(256, 0), Reference.NEVER, 0, 0);
        }
        while (settling.nextPosition() != Reference.NONE) {
            settling.dispatch(0, settlements);
        }
        if (settling.ready() != 0) {
            throw new IllegalStateException(settling.ready() + " messages left");
        }
        return settlements.sum;
    }

    /** Delayed by random times up to a minute; then the minute passes in steps of 100 ms, and each is settled when it is due. */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public long delayUntilDue() {
        for (int i = 0; i < MESSAGES; i++) {
            long due = now + 1 + random.nextInt(60_000);
            delayed.enqueue(Reference.position(3, offset++), Reference.fresh(256, 0), due, now, now);
        }
        long end = now + 60_100;
        while (now < end) {
            now += 100;
            due.size = 0;
            delayed.expire(now, due);
            for (int i = 0; i < due.size; i++) {
                delayed.deadLettered(due.ids[i], due);
            }
        }
        if (delayed.ready() + delayed.unacked() != 0) {
            throw new IllegalStateException(delayed.ready() + " messages are not due");
        }
        return due.sum;
    }

    private void enqueue(DeliveryMachine machine) {
        for (int i = 0; i < MESSAGES; i++) {
            machine.enqueue(Reference.position(3, offset++), Reference.fresh(256, 0), Reference.NEVER, 0, 0);
        }
    }

    private void dispatchAll(DeliveryMachine machine) {
        deliveries.clear();
        while (machine.nextPosition() != Reference.NONE) {
            machine.dispatch(0, deliveries);
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
        public void postponed(long position, long due) {
            throw new IllegalStateException("postponed");
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

    /** Takes what settles by receipt. */
    private static final class Settlements implements DeliveryEffects {
        private long sum;

        @Override
        public void deliver(int consumer, long deliveryId, long position, long state, boolean settled) {
            sum += position;
        }

        @Override
        public void settled(long position) {
            sum ^= position;
        }

        @Override
        public void failed(long position, int deliveryCount) {
            throw new IllegalStateException("failed");
        }

        @Override
        public void postponed(long position, long due) {
            throw new IllegalStateException("postponed");
        }

        @Override
        public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {
            throw new IllegalStateException("dead letter");
        }

        @Override
        public void purged(QueueIndex references) {
            throw new IllegalStateException("purged");
        }
    }

    /** Takes what falls due. */
    private static final class Due implements DeliveryEffects {
        private final long[] ids = new long[MESSAGES];
        private int size;
        private long sum;

        @Override
        public void deliver(int consumer, long deliveryId, long position, long state, boolean settled) {
            throw new IllegalStateException("delivered");
        }

        @Override
        public void settled(long position) {
            sum ^= position;
        }

        @Override
        public void failed(long position, int deliveryCount) {
            throw new IllegalStateException("failed");
        }

        @Override
        public void postponed(long position, long due) {
            throw new IllegalStateException("postponed");
        }

        @Override
        public void deadLetter(long deliveryId, long position, long state, DeathReason reason) {
            ids[size++] = deliveryId;
        }

        @Override
        public void purged(QueueIndex references) {
            throw new IllegalStateException("purged");
        }
    }
}
