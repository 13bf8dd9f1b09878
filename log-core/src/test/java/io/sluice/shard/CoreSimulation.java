package io.sluice.shard;

import static io.sluice.shard.Invariant.HIGH_WATERMARK_NEVER_RETREATS;
import static io.sluice.shard.Invariant.NOTHING_STAYS_STUCK;
import static io.sluice.shard.Invariant.REPLAYED_INDEX_EQUALS_LIVE_INDEX;

import io.sluice.access.Caller;
import io.sluice.access.Principal;
import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.Clock;
import io.sluice.io.SimulatedFileSystem;
import io.sluice.io.SimulatedWorkers;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.Reference;
import io.sluice.queue.ReferenceVisitor;
import io.sluice.queue.StreamTarget;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;

/**
 * One seed of the simulation: the real core on the real engine, on one thread, with a simulated disk, clock, and order of
 * threads; its life from start to kill or power cut, many times over. {@link CoreTraffic} is what its clients do.
 */
final class CoreSimulation {
    static final Caller CALLER = Caller.broker("/");
    private static final int LOOPS = 2;
    private static final CoreSettings CORE = new CoreSettings(64, 1 << 16, 4 << 10, 1500, 4 << 10, 0);

    final Random random;
    final CoreModel model = new CoreModel();
    final SimulatedFileSystem files;
    final SimulatedClock clock = new SimulatedClock();
    final List<Loop> loops = new ArrayList<>();
    /** The catalog: queues that exist for the clients. */
    final TreeMap<Long, Client> queues = new TreeMap<>();

    final List<StreamTarget> streams = new ArrayList<>();
    final List<List<CoreModel.Stream>> streamModels = new ArrayList<>();
    private final Map<PartitionId, Long> watermarks = new HashMap<>();
    private final CoreTraffic traffic;
    SimulatedWorkers workers;
    LocalLogEngine engine;
    Core core;
    /** Something was made to fail in this life: refusals are no surprise. */
    boolean faulty;

    int life;
    /** A clean stop is on its way. */
    boolean stopping;

    private boolean unreadable;
    /** From then on an index may name unsynced records that are gone; it finds out when it delivers them. */
    boolean lostPower;

    private long nextQueue;
    private boolean streamsMade;
    private final StringBuilder trace = new StringBuilder();

    CoreSimulation(long seed) {
        random = new Random(seed);
        files = new SimulatedFileSystem(random);
        for (int i = 0; i < LOOPS; i++) {
            loops.add(new Loop());
        }
        for (int i = 0; i < 2; i++) {
            int partitions = 1 + 2 * i;
            streams.add(new StreamTarget(new StreamId(new UUID(7, i)), partitions));
            List<CoreModel.Stream> models = new ArrayList<>();
            for (int p = 0; p < partitions; p++) {
                models.add(new CoreModel.Stream("s" + i + "-" + p));
            }
            streamModels.add(models);
        }
        traffic = new CoreTraffic(this);
    }

    /** An event loop whose tasks run when the simulation says so. */
    static final class Loop implements Executor {
        final ArrayDeque<Runnable> tasks = new ArrayDeque<>();

        @Override
        public void execute(Runnable task) {
            tasks.add(task);
        }
    }

    /** A queue as its clients see it. */
    static final class Client {
        final QueueSpec spec;
        final CoreModel.Queue model;
        final List<CoreTraffic.Consumer> consumers = new ArrayList<>();
        final Client deadLetters;
        QueueRef ref;
        /** What the index held when the life ended at rest; else null. */
        List<Held> live;

        Client(QueueSpec spec, Client deadLetters) {
            this.spec = spec;
            this.deadLetters = deadLetters;
            this.model = new CoreModel.Queue(
                    spec.id().value(),
                    spec.durable(),
                    spec.policy().deliveryLimit(),
                    spec.policy().deadLetterExchange() != null);
        }
    }

    static final class SimulatedClock implements Clock {
        private long nanos = 1_000_000_000L;

        @Override
        public long epochMillis() {
            return 1_700_000_000_000L + nanoTime() / 1_000_000;
        }

        @Override
        public long nanoTime() {
            return nanos += 10_000;
        }
    }

    void pass(long millis) {
        clock.nanos += millis * 1_000_000;
    }

    String trace() {
        return trace.toString();
    }

    private void note(String what) {
        trace.append(trace.length() == 0 ? "" : ", ").append(what);
    }

    void run(int steps) {
        start(false);
        for (int i = 0; i < 3; i++) {
            createQueue();
        }
        for (int step = 0; step < steps; step++) {
            step();
            checkWatermarks();
        }
        queues.values().forEach(client -> client.live = null);
        traffic.finish();
        end(Stop.KILL);
    }

    private void step() {
        int choice = random.nextInt(1000);
        if (choice < 930) {
            traffic.step();
        } else if (choice < 940) {
            if (queues.size() < 6) {
                createQueue();
            }
        } else if (choice < 945) {
            if (queues.size() > 2) {
                deleteQueue();
            }
        } else if (choice < 965) {
            pass(random.nextInt(1500));
        } else if (choice < 980) {
            workers.tick();
        } else if (choice < 984) {
            files.usable(random.nextBoolean() ? 500 : 1L << 40);
            faulty = true;
            note("space");
            workers.runAll();
            workers.tickAll();
        } else if (choice < 986) {
            boolean forGood = random.nextInt(3) == 0;
            files.failCall(1 + random.nextInt(60), forGood);
            faulty = true;
            note(forGood ? "disk fails for good" : "a call fails");
        } else if (choice < 991) {
            quiesce(true);
        } else if (choice < 994 || failed()) {
            Stop stop = Stop.values()[random.nextInt(3)];
            boolean atRest = random.nextBoolean();
            if (atRest) {
                quiesce(true);
            }
            if (!atRest || faulty) {
                queues.values().forEach(client -> client.live = null);
            }
            end(stop);
            start(stop == Stop.POWER_CUT);
        }
    }

    private boolean failed() {
        return engine.diskState() == io.sluice.engine.LogEngine.DiskState.FAILED && random.nextInt(20) == 0;
    }

    // ---- queues

    void createQueue() {
        boolean durable = random.nextInt(4) > 0;
        Client target = null;
        for (Client candidate : queues.values()) {
            if (random.nextBoolean() && candidate.deadLetters == null) {
                target = candidate;
            }
        }
        QueuePolicy policy = QueuePolicy.builder()
                .deadLetterExchange(target == null ? null : "")
                .deliveryLimit(random.nextInt(3) == 0 ? random.nextInt(3) : -1)
                .build();
        long id = ++nextQueue;
        Client client =
                new Client(new QueueSpec(new QueueId(id), "/", "q" + id, durable, policy, Principal.BROKER), target);
        int at = life;
        core.queues().open(client.spec).whenComplete((ref, error) -> {
            if (at == life && error == null) {
                client.ref = ref;
                queues.put(id, client);
            }
        });
    }

    private void deleteQueue() {
        Client client = any(new ArrayList<>(queues.values()));
        queues.remove(client.spec.id().value());
        client.model.deleted = true;
        client.model.copies.values().forEach(copy -> copy.settled = true);
        client.consumers.forEach(consumer -> consumer.gone = true);
        core.queues().delete(client.spec.id());
    }

    // ---- life and death

    enum Stop {
        CLEAN,
        KILL,
        POWER_CUT
    }

    /** Ends the life; what the old process still holds is released while nothing that it does reaches the disk. */
    void end(Stop stop) {
        note(stop + " at life " + life);
        // what was posted to a connection was sent
        loops.forEach(CoreSimulation::runAll);
        if (stop == Stop.CLEAN) {
            files.heal();
            workers.runAll();
            int before = life;
            stopping = true;
            core.close();
            loops.forEach(CoreSimulation::runAll);
            stopping = false;
            life = before + 1;
        } else {
            life++;
            files.kill();
            stopping = true;
            core.close();
            stopping = false;
        }
        workers.runAll();
        engine.close();
        workers.runAll();
        loops.forEach(CoreSimulation::runAll);
        files.revive();
        if (stop == Stop.POWER_CUT) {
            lostPower = true;
            files.powerCut();
        }
        queues.values().removeIf(client -> {
            client.consumers.clear();
            return !client.spec.durable();
        });
    }

    void start(boolean afterPowerCut) {
        boolean power = afterPowerCut;
        boolean disturbed = faulty;
        unreadable = false;
        files.usable(1L << 40);
        faulty = false;
        boolean started = false;
        while (!started) {
            boolean mayFail = streamsMade && random.nextInt(5) == 0;
            if (mayFail) {
                files.failCall(1 + random.nextInt(200), true);
            }
            workers = new SimulatedWorkers(random);
            workers.direct(true);
            engine = null;
            core = null;
            try {
                engine = LocalLogEngine.open(Path.of("/data"), settings(), files, clock, random::nextLong, workers);
                makeStreams();
                Set<Long> journal = new HashSet<>();
                LogPartition state = engine.partition(new PartitionId(Core.STATE, 0));
                long journalStart = state == null ? 0 : state.logStartOffset();
                if (state != null) {
                    BatchScan.scan(state, journalStart, batch -> {
                        for (long offset = batch.baseOffset(); offset <= batch.lastOffset(); offset++) {
                            journal.add(offset);
                        }
                    });
                }
                core = Core.start(engine, clock, CORE, workers::runOne);
                files.heal();
                openQueues();
                checkStart(power, disturbed, offset -> offset < journalStart || journal.contains(offset));
                started = true;
            } catch (LogException | CompletionException | IllegalStateException e) {
                NOTHING_STAYS_STUCK.hold(mayFail, "start fails: %s", e);
                note("start fails");
                files.kill();
                if (core != null) {
                    core.close();
                }
                if (engine != null) {
                    engine.close();
                }
                files.revive();
                if (random.nextBoolean()) {
                    files.powerCut();
                    lostPower = true;
                    power = true;
                }
            }
        }
        workers.direct(false);
        core.queues().republisher(traffic);
        watermarks.clear();
    }

    private void makeStreams() {
        if (!streamsMade) {
            StreamConfig config = new StreamConfig(3000, Long.MAX_VALUE, -1, -1, false, true, 1 << 20, false, null);
            streams.forEach(s -> engine.createStream(s.stream(), s.stream().toString(), s.partitions(), config));
            streamsMade = true;
        }
    }

    private void openQueues() {
        for (Client client : queues.values()) {
            CompletableFuture<QueueRef> opened = core.queues().open(client.spec).toCompletableFuture();
            for (int i = 0; i < 100 && !opened.isDone(); i++) {
                core.step();
            }
            client.ref = opened.join();
        }
        core.queues().dropUnopened();
        for (int i = 0; i < 5; i++) {
            core.step();
        }
    }

    private void checkStart(boolean power, boolean disturbed, java.util.function.LongPredicate journalKept) {
        for (int s = 0; s < streams.size(); s++) {
            for (int p = 0; p < streams.get(s).partitions(); p++) {
                model.read(streamModels.get(s).get(p), traffic.read(partition(s, p)), true, true, power);
            }
        }
        for (Client client : queues.values()) {
            List<Held> now = held(client);
            List<Held> before = client.live;
            client.live = null;
            if (before != null && !power) {
                REPLAYED_INDEX_EQUALS_LIVE_INDEX.hold(
                        before.equals(now), "queue %s held %s and recovered %s", client.model.id, before, now);
            }
            model.recovered(client.model, now, power, !power && !disturbed, journalKept);
        }
        model.restarted(power, !power && !disturbed);
    }

    private LocalLogSettings settings() {
        LocalLogSettings d = LocalLogSettings.DEFAULT;
        return new LocalLogSettings(
                1,
                16 << 10,
                10_000,
                8 << 10,
                4 << 10,
                4 << 10,
                1 << 20,
                4,
                1,
                1 << 20,
                30_000,
                d.compactionBytes(),
                d.producerIdleMillis(),
                1000,
                1000,
                2000);
    }

    LogPartition partition(int stream, int index) {
        return engine.partition(new PartitionId(streams.get(stream).stream(), index));
    }

    LogPartition journal() {
        return engine.partition(new PartitionId(Core.STATE, 0));
    }

    // ---- rest

    /** Lets everybody work until nobody has anything to do, then compares. */
    void quiesce(boolean dyingToo) {
        queues.values().forEach(client -> client.consumers.forEach(consumer -> consumer.end.flush()));
        for (int i = 0; i < 10_000; i++) {
            boolean more = false;
            more |= core.step();
            more |= workers.runOne();
            for (Loop loop : loops) {
                more |= !loop.tasks.isEmpty();
                runAll(loop);
            }
            if (!more) {
                NOTHING_STAYS_STUCK.hold(faulty || !core.failed(), "the core stopped without a fault");
                if (core.failed() || compared(dyingToo)) {
                    return;
                }
            }
        }
        throw new Invariant.Violation(NOTHING_STAYS_STUCK, "the core never comes to rest");
    }

    /**
     * Compares all queues with the model; false if that has to be done again: reading what they hold takes time, and then the time
     * may come to try a dead letter again.
     */
    private boolean compared(boolean dyingToo) {
        long before = model.changes();
        Map<Client, List<Held>> indexes = new LinkedHashMap<>();
        for (Client client : queues.values()) {
            indexes.put(client, held(client));
            if (unreadable) {
                return true;
            }
        }
        if (model.changes() != before) {
            return false;
        }
        indexes.forEach((client, held) -> {
            client.live =
                    client.spec.durable() ? held.stream().filter(Held::onDisk).toList() : null;
            model.holdsExactly(client.model, held, dyingToo);
        });
        return true;
    }

    private static void runAll(Loop loop) {
        while (!loop.tasks.isEmpty()) {
            loop.tasks.removeFirst().run();
        }
    }

    /** A reference of a queue's index and its message. */
    record Held(boolean onDisk, String value, int deliveryCount, boolean redelivered) {
        @Override
        public String toString() {
            return "m" + CoreModel.serial(value) + (deliveryCount > 0 ? "/" + deliveryCount : "")
                    + (redelivered ? "*" : "");
        }
    }

    /** The queue's index, in its order. */
    private List<Held> held(Client client) {
        List<Held> held = new ArrayList<>();
        RecordView view = new RecordView();
        inOrder(((QueueHandle) client.ref).queue().machine(), (position, state, expiry) -> {
            BatchView[] batch = new BatchView[1];
            boolean[] answered = {false};
            for (int attempt = 0; attempt < 3 && !answered[0]; attempt++) {
                ((DeliveryQueues) core.queues())
                        .withBatch(
                                position,
                                found -> {
                                    if (answered[0]) {
                                        return;
                                    }
                                    answered[0] = true;
                                    batch[0] = found == null ? null : found.retain();
                                },
                                error -> {});
                for (int i = 0; i < 100 && !answered[0]; i++) {
                    workers.runOne();
                    core.step();
                }
            }
            if (!answered[0]) {
                NOTHING_STAYS_STUCK.hold(faulty, "queue %s cannot read its messages", client.model.id);
                unreadable = true;
                answered[0] = true;
            }
            if (batch[0] == null) {
                return; // an unsynced record that the log lost
            }
            batch[0].record(Reference.offset(position), view);
            held.add(new Held(
                    Reference.partition(position) != Reference.MEMORY_PARTITION,
                    view.valueSlice().toString(StandardCharsets.UTF_8),
                    Reference.deliveryCount(state),
                    Reference.redelivered(state)));
            batch[0].release();
        });
        // a restart puts those that only wait for their dead letter to be stored before all others
        held.sort(Comparator.comparing(message -> !client.model.isOverLimit(message.deliveryCount())));
        return held;
    }

    private static void inOrder(DeliveryMachine machine, ReferenceVisitor visitor) {
        TreeMap<Long, Runnable> delivered = new TreeMap<>();
        machine.visitDelivered((sequence, position, state, expiry) ->
                delivered.put(sequence, () -> visitor.visit(position, state, expiry)));
        delivered.values().forEach(Runnable::run);
        machine.visitFresh(0, Integer.MAX_VALUE, visitor);
    }

    private void checkWatermarks() {
        for (int i = 0; i < 8; i++) {
            checkWatermark(engine.partition(new PartitionId(Core.HOME, i)));
        }
        checkWatermark(engine.partition(new PartitionId(Core.STATE, 0)));
        for (int s = 0; s < streams.size(); s++) {
            for (int p = 0; p < streams.get(s).partitions(); p++) {
                checkWatermark(partition(s, p));
            }
        }
    }

    private void checkWatermark(LogPartition partition) {
        long now = partition.highWatermark();
        Long before = watermarks.put(partition.id(), now);
        HIGH_WATERMARK_NEVER_RETREATS.hold(
                before == null || before <= now, "%s went from %s to %s", partition, before, now);
    }

    /** No segment is kept for a queue that needs nothing of it. */
    void checkSpace() {
        for (int i = 0; i < 8; i++) {
            LogPartition home = engine.partition(new PartitionId(Core.HOME, i));
            NOTHING_STAYS_STUCK.hold(
                    home.logStartOffset() == home.logEndOffset(),
                    "%s keeps %s to %s though all queues are empty",
                    home,
                    home.logStartOffset(),
                    home.logEndOffset());
        }
    }

    <T> T any(List<T> from) {
        return from.get(random.nextInt(from.size()));
    }
}
