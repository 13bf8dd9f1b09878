package io.sluice.shard;

import static io.sluice.shard.Invariant.NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED;
import static io.sluice.shard.Invariant.NOTHING_STAYS_STUCK;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.record.BatchBuilder;
import io.sluice.log.record.BatchFormat;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.queue.DeathReason;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueRef.ConsumerSpec;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Republisher;
import io.sluice.queue.Settlement;
import io.sluice.queue.StreamTarget;
import io.sluice.queue.TargetSet;
import io.sluice.shard.CoreSimulation.Client;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executor;
import java.util.zip.CRC32C;

/** Clients of the simulated core: publishers, producers, consumers, dead-letter routing. */
final class CoreTraffic implements Republisher {
    private static final long FIRST_PRODUCER = 1000;

    private final CoreSimulation world;
    private final Random random;
    private final BatchBuilder builder = new BatchBuilder(UnpooledByteBufAllocator.DEFAULT);
    private int serial;
    /** Dead letters are taken at the first attempt. */
    boolean calm;

    private long producer = FIRST_PRODUCER;

    CoreTraffic(CoreSimulation world) {
        this.world = world;
        this.random = world.random;
    }

    void step() {
        switch (random.nextInt(43)) {
            case 0, 1, 2, 3, 4, 5, 6 -> publish();
            case 7 -> produce();
            case 8, 9, 10, 11, 12, 13, 14 -> world.core.step();
            case 15, 16, 17, 18, 19 -> world.workers.runOne();
            case 20, 21, 22, 23, 24 -> {
                CoreSimulation.Loop loop = world.any(world.loops);
                if (!loop.tasks.isEmpty()) {
                    loop.tasks.removeFirst().run();
                }
            }
            case 25 -> attach();
            case 26, 27, 28, 29, 30, 31, 32 -> {
                SimulatedConsumer consumer = consumer();
                if (consumer != null) {
                    consumer.settleSome();
                }
            }
            case 33, 34 -> {
                SimulatedConsumer consumer = consumer();
                if (consumer != null) {
                    consumer.end.credit(random.nextInt(20) == 0 ? Integer.MAX_VALUE : 1 + random.nextInt(8));
                    consumer.end.flush();
                }
            }
            case 35 -> {
                SimulatedConsumer consumer = consumer();
                if (consumer != null) {
                    consumer.end.credit(1 + random.nextInt(4));
                    consumer.flushed();
                    consumer.end.drain(() -> {});
                }
            }
            case 36 -> {
                SimulatedConsumer consumer = consumer();
                if (consumer != null && random.nextInt(3) == 0) {
                    consumer.leave();
                }
            }
            case 37 -> {
                SimulatedConsumer consumer = consumer();
                if (consumer != null) {
                    consumer.flushed();
                    consumer.end.stop();
                }
            }
            case 40, 41 -> transact();
            case 38 -> {
                if (random.nextInt(20) == 0) {
                    purge();
                }
            }
            case 39 -> {
                if (random.nextInt(6) == 0) {
                    browse();
                }
            }
            default -> {
                int s = random.nextInt(world.streams.size());
                int p = random.nextInt(world.streams.get(s).partitions());
                LogPartition partition = world.partition(s, p);
                world.model.read(world.streamModels.get(s).get(p), readQuietly(partition), false, false, false);
            }
        }
    }

    // ---- publishing

    private String value() {
        int n = ++serial;
        return "m" + n + ";" + "x".repeat(random.nextInt(random.nextInt(10) == 0 ? 2500 : 80));
    }

    private void publish() {
        List<ModelMessage> messages = new ArrayList<>();
        PublishBatch batch = batch(messages, world.any(world.loops), null, null);
        addSome(batch, messages, 1 + random.nextInt(5));
        submit(batch, messages);
    }

    private void addSome(PublishBatch batch, List<ModelMessage> messages, int count) {
        TargetSet[] sets = new TargetSet[count];
        for (int i = 0; i < count; i++) {
            Durability asked = Durability.values()[random.nextInt(3)];
            int order = random.nextInt(12);
            ModelMessage message = message(asked);
            message.priority = random.nextInt(2) * random.nextInt(random.nextInt(4) == 0 ? 256 : 12);
            message.group = random.nextInt(5);
            List<QueueRef> queues = new ArrayList<>();
            Client delayed = delayed();
            if (delayed != null) {
                queues.add(delayed.ref);
                message.copies.add(new ModelCopy(message, delayed.model));
                int horizon = new int[] {100, 3_000, 90_000, CoreSimulation.LONGEST_DELAY}[random.nextInt(4)];
                message.timeToLive = random.nextInt(horizon);
            } else if (random.nextInt(4) == 0) {
                message.timeToLive = random.nextInt(random.nextInt(3) == 0 ? 20 : 3000);
            }
            for (Client client : world.queues.values()) {
                if (delayed == null && !client.spec.policy().delayed() && random.nextInt(3) == 0) {
                    queues.add(client.ref);
                    message.copies.add(new ModelCopy(message, client.model));
                }
            }
            List<StreamTarget> streams = new ArrayList<>();
            for (int s = 0; s < world.streams.size(); s++) {
                if (delayed == null && random.nextInt(6) == 0) {
                    StreamTarget target = world.streams.get(s);
                    streams.add(target);
                    message.streams.add(world.streamModels.get(s).get(Math.floorMod(order, target.partitions())));
                }
            }
            sets[i] = new TargetSet(queues, streams);
            messages.add(message);
            message.published = messages;
            add(batch, message, sets[i], order);
        }
    }

    /** Messages and settlements that are committed together, or given up. */
    private void transact() {
        ClientTransaction transaction = new ClientTransaction();
        addSome(transaction.batch, transaction.messages, random.nextInt(4));
        List<SimulatedConsumer.Delivery> taken = new ArrayList<>();
        for (int i = random.nextInt(6); i > 0; i--) {
            SimulatedConsumer consumer = consumer();
            if (consumer != null && !consumer.held.isEmpty()) {
                taken.add(transaction.settle(
                        consumer, random.nextInt(consumer.held.size()), Settlement.values()[random.nextInt(4)]));
            }
        }
        if (random.nextInt(5) == 0) {
            // rolled back
            transaction.batch.releaseBuffer();
            transaction.messages.forEach(world.model::forget);
            for (int i = 0; i < taken.size(); i++) {
                transaction.consumers.get(i).held.add(taken.get(i));
            }
            return;
        }
        transaction.commit();
    }

    /** A transaction as told: it settles the oldest deliveries of a consumer, and has one message for each queue. */
    void transact(SimulatedConsumer consumer, List<Settlement> settlements, List<Client> to) {
        ClientTransaction transaction = new ClientTransaction();
        for (Client client : to) {
            ModelMessage message = message(Durability.GROUP);
            message.copies.add(new ModelCopy(message, client.model));
            message.published = transaction.messages;
            transaction.messages.add(message);
            add(transaction.batch, message, new TargetSet(List.of(client.ref), List.of()), 0);
        }
        settlements.forEach(how -> transaction.settle(consumer, 0, how));
        transaction.commit();
    }

    /** A transaction of a client, which has no deliveries left if it fails. */
    private final class ClientTransaction {
        final List<ModelMessage> messages = new ArrayList<>();
        final List<SimulatedConsumer> consumers = new ArrayList<>();
        private final ModelTransaction model = new ModelTransaction(messages);
        private final int life = world.life;
        final PublishBatch batch = new PublishBatch(
                CoreSimulation.CALLER,
                new PublishBatch.Completion() {
                    @Override
                    public Executor executor() {
                        return world::told;
                    }

                    @Override
                    public void completed(PublishBatch of, LogException error) {
                        ended(error);
                    }
                },
                UnpooledByteBufAllocator.DEFAULT,
                256);
        private final Transaction transaction = new Transaction(batch);

        SimulatedConsumer.Delivery settle(SimulatedConsumer consumer, int index, Settlement how) {
            SimulatedConsumer.Delivery delivery = consumer.held.remove(index);
            transaction.settle(consumer.end, delivery.id(), how);
            model.settle(delivery.copy(), how);
            consumers.add(consumer);
            return delivery;
        }

        void commit() {
            consumers.forEach(SimulatedConsumer::flushed);
            world.core.shard().commit(transaction);
            messages.forEach(world.model::submitted);
            world.model.submitted(model);
        }

        private void ended(LogException error) {
            if (life != world.life) {
                return;
            }
            boolean full = error != null && error.reason() == Reason.QUEUE_FULL;
            surprise(full ? null : error);
            Reason reason = error == null ? null : error.reason();
            messages.forEach(message -> world.model.completed(message, reason, false, world.told()));
            world.model.completed(model, reason);
            if (error != null) {
                // nobody knows who has the deliveries now
                consumers.stream().filter(c -> !c.gone).forEach(SimulatedConsumer::leave);
            }
        }
    }

    /** A message as told. */
    void publish(Durability asked, int priority, long timeToLive, int size, List<Client> to, List<Integer> toStreams) {
        int order = serial % 12;
        int number = ++serial;
        ModelMessage message = world.model.message(number, "m" + number + ";" + "x".repeat(size), asked);
        message.priority = priority;
        message.timeToLive = timeToLive;
        to.forEach(client -> message.copies.add(new ModelCopy(message, client.model)));
        List<StreamTarget> streams = new ArrayList<>();
        for (int s : toStreams) {
            StreamTarget target = world.streams.get(s);
            streams.add(target);
            message.streams.add(world.streamModels.get(s).get(Math.floorMod(order, target.partitions())));
        }
        List<QueueRef> queues = new ArrayList<>();
        to.forEach(client -> queues.add(client.ref));
        List<ModelMessage> messages = List.of(message);
        PublishBatch batch = batch(messages, world.loops.get(0), null, null);
        add(batch, message, new TargetSet(queues, streams), order);
        submit(batch, messages);
    }

    /** A queue of delayed messages for the next publish; mostly none. */
    private Client delayed() {
        List<Client> all = world.queues.values().stream()
                .filter(client -> client.spec.policy().delayed())
                .toList();
        return all.isEmpty() || random.nextInt(5) > 0 ? null : world.any(all);
    }

    private ModelMessage message(Durability asked) {
        String value = value();
        return world.model.message(serial, value, asked);
    }

    private void add(PublishBatch batch, ModelMessage message, TargetSet targets, int order) {
        batch.begin();
        String key = message.group == 0 ? "" : "g" + message.group;
        RecordFields.writeBytes(batch.buffer(), key.getBytes(StandardCharsets.UTF_8));
        RecordFields.writeBytes(batch.buffer(), message.value.getBytes(StandardCharsets.UTF_8));
        batch.headers();
        batch.options(message.priority, message.timeToLive < 0 ? PublishBatch.FOREVER : message.timeToLive);
        batch.end(0, targets, order, world.clock.epochMillis(), message.asked, 0);
    }

    private PublishBatch batch(List<ModelMessage> messages, Executor loop, Runnable stored, Runnable refused) {
        int life = world.life;
        return new PublishBatch(
                CoreSimulation.CALLER,
                new PublishBatch.Completion() {
                    @Override
                    public Executor executor() {
                        return loop;
                    }

                    @Override
                    public void completed(PublishBatch of, LogException error) {
                        if (life != world.life) {
                            return;
                        }
                        surprise(error);
                        for (int i = 0; i < messages.size(); i++) {
                            boolean turnedAway = of.isRefused(i);
                            world.model.completed(
                                    messages.get(i), error == null ? null : error.reason(), turnedAway, world.told());
                        }
                        Runnable then = error == null ? stored : refused;
                        if (then != null) {
                            then.run();
                        }
                    }
                },
                UnpooledByteBufAllocator.DEFAULT,
                256);
    }

    private boolean submit(PublishBatch batch, List<ModelMessage> messages) {
        boolean taken = world.core.shard().submit(batch);
        if (taken) {
            messages.forEach(world.model::submitted);
        } else {
            batch.releaseBuffer();
        }
        return taken;
    }

    private void surprise(LogException error) {
        // a dead letter may meet the end of a clean stop
        boolean stopping = error != null && error.reason() == Reason.CLOSED && world.stopping;
        NOTHING_STAYS_STUCK.hold(error == null || world.faulty || stopping, "refused without a fault: %s", error);
    }

    /** A Kafka client's batch with an idempotent producer of its own; sometimes sent twice. */
    void produce() {
        int s = random.nextInt(world.streams.size());
        int p = random.nextInt(world.streams.get(s).partitions());
        ModelStream stream = world.streamModels.get(s).get(p);
        Durability asked = random.nextBoolean() ? Durability.GROUP : Durability.OS;
        ModelMessage message = message(asked);
        message.produced = true;
        message.streams.add(stream);
        builder.add(world.clock.epochMillis(), null, message.value.getBytes(StandardCharsets.UTF_8));
        var built = builder.finish();
        ByteBuf bytes = Unpooled.copiedBuffer(built.buffer());
        built.release();
        bytes.setLong(BatchFormat.PRODUCER_ID, producer++);
        bytes.setShort(BatchFormat.PRODUCER_EPOCH, 0);
        bytes.setInt(BatchFormat.BASE_SEQUENCE, 0);
        bytes.setInt(BatchFormat.CRC, crc(bytes));
        int sends = random.nextInt(4) == 0 ? 2 : 1;
        long[] first = {-1};
        for (int i = 0; i < sends; i++) {
            int life = world.life;
            Executor loop = world.loops.get(0);
            ByteBuf sent = Unpooled.copiedBuffer(bytes);
            boolean taken = world.core
                    .shard()
                    .produce(
                            CoreSimulation.CALLER,
                            world.partition(s, p).id(),
                            sent,
                            asked,
                            new ShardProxy.ProduceCompletion() {
                                @Override
                                public Executor executor() {
                                    return loop;
                                }

                                @Override
                                public void completed(LogPartition.Appended appended, LogException error) {
                                    if (life != world.life) {
                                        return;
                                    }
                                    surprise(error);
                                    if (first[0] < 0 || error == null) {
                                        world.model.completed(
                                                message, error == null ? null : Reason.FENCED, false, world.told());
                                    }
                                    if (appended != null) {
                                        NOTHING_IS_DELIVERED_THAT_WAS_NOT_PUBLISHED.hold(
                                                first[0] < 0
                                                        || first[0] == appended.baseOffset() && appended.duplicate(),
                                                "m%s was produced twice",
                                                message.serial);
                                        first[0] = appended.baseOffset();
                                    }
                                }
                            });
            if (!taken) {
                sent.release();
            } else if (message.rank == 0) {
                world.model.submitted(message);
            }
        }
        bytes.release();
    }

    private static int crc(ByteBuf batch) {
        CRC32C crc = new CRC32C();
        crc.update(
                batch.array(),
                batch.arrayOffset() + BatchFormat.ATTRIBUTES,
                batch.readableBytes() - BatchFormat.ATTRIBUTES);
        return (int) crc.getValue();
    }

    // ---- dead letters

    @Override
    public void due(QueueSpec queue, BatchView source, long offset, Outcome outcome) {
        deadLetter(queue, source, offset, DeathReason.EXPIRED, 0, outcome);
    }

    @Override
    public void deadLetter(
            QueueSpec queue, BatchView source, long offset, DeathReason reason, int deliveryCount, Outcome outcome) {
        if (world.dead) {
            return;
        }
        RecordView view = new RecordView();
        source.record(offset, view);
        int original = CoreModel.serial(view.valueSlice().toString(StandardCharsets.UTF_8));
        Client from = world.queues.get(queue.id().value());
        ModelCopy copy = from == null
                ? null
                : world.model.died(
                        from.model,
                        original,
                        reason,
                        deliveryCount,
                        TargetSet.stampOf(view),
                        !world.faulty && !world.lostPower);
        Client to = from == null ? null : from.deadLetters;
        if (to == null || world.queues.get(to.spec.id().value()) != to) {
            if (copy != null) {
                copy.rejected = false;
            }
            outcome.settled();
            return;
        }
        int fate = calm ? 9 : random.nextInt(10);
        if (fate == 0) {
            throw new IllegalStateException("routing failed");
        }
        if (fate == 1) {
            outcome.failed(new LogException(Reason.OVERLOADED, "routing failed"));
            return;
        }
        ModelMessage message = message(copy.message.asked);
        message.priority = copy.message.priority;
        message.group = copy.message.group;
        ModelCopy successor = new ModelCopy(message, to.model);
        message.copies.add(successor);
        List<ModelMessage> messages = List.of(message);
        PublishBatch batch = batch(
                messages,
                world.core.shard(),
                outcome::settled,
                () -> outcome.failed(new LogException(Reason.OVERLOADED, "not stored")));
        batch.inPlaceOf(outcome);
        add(batch, message, new TargetSet(List.of(to.ref), List.of()), random.nextInt(12));
        if (submit(batch, messages)) {
            copy.successor = successor;
        } else {
            outcome.failed(new LogException(Reason.OVERLOADED, "inbox full"));
        }
    }

    // ---- consuming

    private SimulatedConsumer consumer() {
        List<SimulatedConsumer> all = new ArrayList<>();
        world.queues.values().forEach(client -> all.addAll(client.consumers));
        return all.isEmpty() ? null : world.any(all);
    }

    private SimulatedConsumer attach() {
        if (world.queues.isEmpty()) {
            return null;
        }
        Client client = world.any(new ArrayList<>(world.queues.values()));
        if (client.consumers.size() > 3) {
            return null;
        }
        client.used(world.clock.millis());
        if (random.nextInt(10) == 0) {
            client.ref.touch();
            return null;
        }
        int credit = random.nextInt(8) == 0 ? Integer.MAX_VALUE : random.nextInt(10);
        boolean auto = random.nextInt(5) == 0;
        ConsumerSpec spec = new ConsumerSpec("c", auto, random.nextInt(20) == 0, random.nextInt(3), credit);
        if (random.nextInt(6) == 0) {
            int of = 2 + random.nextInt(2);
            spec = spec.selecting(new SimulatedConsumer.Every(of, random.nextInt(of)));
        }
        if (random.nextInt(6) == 0) {
            spec = spec.locking(1 + random.nextInt(3000));
        }
        return new SimulatedConsumer(world, client, spec);
    }

    /** Looks at what waits; at rest what is shown is known. */
    private void browse() {
        if (world.queues.isEmpty()) {
            return;
        }
        Client client = world.any(new ArrayList<>(world.queues.values()));
        boolean atRest = random.nextBoolean();
        if (atRest) {
            world.quiesce(true);
        }
        if (client.ref.isOpen() && !client.spec.policy().delayed()) {
            new SimulatedBrowser(world, client).look(atRest);
        }
    }

    private void purge() {
        if (world.queues.isEmpty()) {
            return;
        }
        Client client = world.any(new ArrayList<>(world.queues.values()));
        // what a purge meets is known to the shard only: rest, purge, rest. If messages wait for disk space it waits,
        // too, and
        // a later rest shows what it took
        purge(client, random.nextInt(3) > 0);
    }

    /** Purges a queue; {@code atRest} = when nothing else is under way. */
    void purge(Client client, boolean atRest) {
        int life = world.life;
        if (atRest) {
            world.quiesce(true);
        }
        if (!client.ref.isOpen()) {
            return;
        }
        List<ModelCopy> waiting = client.model.copies.values().stream()
                .filter(c -> c.message.confirmed && !c.settled && !c.gone)
                .filter(c -> client.consumers.stream().noneMatch(consumer -> consumer.holds(c)))
                .toList();
        long[] count = {-1};
        LogPartition journal = world.journal();
        ModelPurge purge = new ModelPurge(journal.logEndOffset());
        world.model.purging(client.model, purge);
        client.ref.purge(CoreSimulation.CALLER).whenComplete((n, error) -> {
            count[0] = error == null ? n : -2;
            if (error == null && life == world.life) {
                purge.done(journal.logEndOffset());
            }
        });
        world.quiesce(true);
        boolean mayExpire = waiting.stream().anyMatch(copy -> copy.timeToLive() >= 0);
        if (!world.faulty && atRest && client.ref.isOpen()) {
            NOTHING_STAYS_STUCK.hold(
                    life == world.life
                            && (mayExpire
                                    || (world.lostPower ? count[0] >= waiting.size() : count[0] == waiting.size()))
                            && waiting.stream().allMatch(copy -> copy.settled),
                    "purge of queue %s removed %s of %s",
                    client.model.id,
                    count[0],
                    waiting.size());
        }
    }

    // ---- the end

    /** All faults are over: everything that is left must come out, and its space be given back. */
    void finish() {
        world.end(CoreSimulation.Stop.KILL);
        world.start(false);
        calm = true;
        world.quiesce(true);
        world.pass(CoreSimulation.LONGEST_DELAY);
        world.quiesce(true);
        for (Client client : world.queues.values()) {
            SimulatedConsumer consumer = new SimulatedConsumer(world, client, false, false, Integer.MAX_VALUE);
            consumer.ackAll = true;
        }
        for (int i = 0; i < 8; i++) {
            world.quiesce(true);
            world.pass(1100);
        }
        world.quiesce(false);
        for (Client client : world.queues.values()) {
            NOTHING_STAYS_STUCK.hold(
                    client.ref.stats().ready() == 0 && client.ref.stats().unacked() == 0,
                    "queue %s still has %s",
                    client.model.id,
                    client.ref.stats());
        }
        world.checkSpace();
    }

    private List<String> readQuietly(LogPartition partition) {
        try {
            return read(partition);
        } catch (LogException e) {
            NOTHING_STAYS_STUCK.hold(world.faulty, "a stream cannot be read: %s", e);
            return List.of();
        }
    }

    /** All records below the high watermark. */
    List<String> read(LogPartition partition) {
        List<String> values = new ArrayList<>();
        RecordView view = new RecordView();
        BatchScan.scan(partition, partition.logStartOffset(), batch -> {
            for (int i = 0; i < batch.recordCount(); i++) {
                batch.recordAt(i, view);
                if (view.offset() < partition.highWatermark()) {
                    values.add(view.valueSlice().toString(StandardCharsets.UTF_8));
                }
            }
        });
        return values;
    }
}
