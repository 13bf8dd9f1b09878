package io.sluice.shard;

import static io.sluice.shard.Invariant.HIGH_WATERMARK_NEVER_RETREATS;
import static io.sluice.shard.Invariant.NOTHING_STAYS_STUCK;
import static io.sluice.shard.Invariant.REPLAYED_INDEX_EQUALS_LIVE_INDEX;
import static io.sluice.shard.Invariant.UNUSED_QUEUES_EXPIRE;

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
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.MessageGroups;
import io.sluice.queue.Overflow;
import io.sluice.queue.QueueId;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.QueueRef;
import io.sluice.queue.QueueSpec;
import io.sluice.queue.RetryBackoff;
import io.sluice.queue.StreamTarget;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
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
    /** No delayed message waits longer, milliseconds. */
    static final int LONGEST_DELAY = 7_200_000;

    final Random random;
    final SimulatedFileSystem files;
    final SimulatedClock clock = new SimulatedClock();
    final CoreModel model = new CoreModel(clock::millis);
    private final CoreSettings settings;
    final List<Loop> loops = new ArrayList<>();
    /** The catalog: queues that exist for the clients. */
    final TreeMap<Long, Client> queues = new TreeMap<>();

    final List<StreamTarget> streams = new ArrayList<>();
    final List<List<ModelStream>> streamModels = new ArrayList<>();
    private final Map<PartitionId, Long> watermarks = new HashMap<>();
    final CoreTraffic traffic;
    final IndexReader index = new IndexReader(this);
    SimulatedWorkers workers;
    LocalLogEngine engine;
    Core core;
    /** Something was made to fail in this life: refusals are no surprise. */
    boolean faulty;

    int life;
    /** A clean stop is on its way. */
    boolean stopping;

    /** The process was killed: what its objects still do did not happen. */
    boolean dead;

    /** From then on an index may name unsynced records that are gone; it finds out when it delivers them. */
    boolean lostPower;

    private long nextQueue;
    private boolean streamsMade;
    private final boolean smallSegments;
    private final StringBuilder trace = new StringBuilder();
    private final ArrayDeque<Long> unused = new ArrayDeque<>();
    /** When the core posted the task that an event loop is running, epoch ms; -1 if none is. */
    private long posted = -1;

    CoreSimulation(long seed) {
        this(new Random(seed), seed % 2 == 0);
    }

    /**
     * One that does what it is told.
     *
     * @param memory true = small home segments; false = backlogs in scratch files of a few blocks of a few references, checkpoints
     *     in many slices
     */
    CoreSimulation(Random random, boolean memory) {
        this.random = random;
        smallSegments = memory;
        files = new SimulatedFileSystem(random);
        settings = memory
                ? new CoreSettings(64, 1 << 16, 4 << 10, 1500, 4 << 10, 0)
                : new CoreSettings(
                        64,
                        1 << 16,
                        4 << 10,
                        1500,
                        4 << 10,
                        random.nextInt(3) == 0 ? 50 : 0,
                        1 + random.nextInt(4),
                        30 + random.nextInt(300),
                        1 + random.nextInt(10));
        for (int i = 0; i < LOOPS; i++) {
            loops.add(new Loop());
        }
        for (int i = 0; i < 2; i++) {
            int partitions = 1 + 2 * i;
            streams.add(new StreamTarget(new StreamId(new UUID(7, i)), partitions));
            List<ModelStream> models = new ArrayList<>();
            for (int p = 0; p < partitions; p++) {
                models.add(new ModelStream("s" + i + "-" + p));
            }
            streamModels.add(models);
        }
        traffic = new CoreTraffic(this);
    }

    /** An event loop whose tasks run when the simulation says so. */
    final class Loop implements Executor {
        final ArrayDeque<Runnable> tasks = new ArrayDeque<>();

        @Override
        public void execute(Runnable task) {
            long at = core == null ? -1 : ((DeliveryQueues) core.queues()).now();
            tasks.add(() -> {
                posted = at;
                try {
                    task.run();
                } finally {
                    posted = -1;
                }
            });
        }
    }

    /** Who is told at the end of the very turn. */
    void told(Runnable task) {
        long before = posted;
        posted = core == null ? -1 : ((DeliveryQueues) core.queues()).now();
        try {
            task.run();
        } finally {
            posted = before;
        }
    }

    /** When what is being told was decided, epoch ms. */
    long told() {
        return posted < 0 ? clock.millis() : posted;
    }

    /** A queue as its clients see it. */
    static final class Client {
        QueueSpec spec;
        final ModelQueue model;
        final List<SimulatedConsumer> consumers = new ArrayList<>();
        final Client deadLetters;
        QueueRef ref;
        final int bornIn;
        /** Used by a call that need not have reached the shard yet. */
        boolean touched;

        long lastCall;
        /** Last use that the shard knows of, and the first rest since the last use, epoch ms. */
        long usedAt;

        long unusedAt = -1;
        /** What the index held when the life ended at rest; else null. */
        List<IndexReader.Held> live;

        Client(QueueSpec spec, Client deadLetters, int life) {
            this.bornIn = life;
            this.spec = spec;
            this.deadLetters = deadLetters;
            this.model = new ModelQueue(spec.id().value(), spec.durable(), spec.policy());
        }

        DeliveryMachine machine() {
            return ((QueueHandle) ref).queue().machine();
        }

        /** A call that keeps the queue in use goes to the shard. */
        void used(long now) {
            touched = true;
            lastCall = now;
            unusedAt = -1;
        }
    }

    static final class SimulatedClock implements Clock {
        private long nanos = 1_000_000_000L;

        @Override
        public long epochMillis() {
            return 1_700_000_000_000L + nanoTime() / 1_000_000;
        }

        /** Looks without taking time. */
        long millis() {
            return 1_700_000_000_000L + nanos / 1_000_000;
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
            deleteUnused();
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
            pass(random.nextInt(random.nextInt(6) == 0 ? LONGEST_DELAY / 4 : 1500));
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
            if (!faulty && !queues.isEmpty() && random.nextInt(3) == 0) {
                changeLimits(any(new ArrayList<>(queues.values())));
            }
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
        boolean delayed = target != null && random.nextInt(4) == 0;
        createQueue(
                delayed ? QueuePolicy.builder().delayed(true).build() : policy(target != null),
                durable || delayed,
                target);
    }

    /** Creates a queue; it is there for clients when the core says so. */
    Client createQueue(QueuePolicy policy, boolean durable, Client target) {
        long id = policy.delayed() ? - ++nextQueue : ++nextQueue;
        Client client = new Client(
                new QueueSpec(new QueueId(id), "/", "q" + id, durable, policy, Principal.BROKER), target, life);
        client.usedAt = clock.millis();
        int at = life;
        core.queues().open(client.spec).whenComplete((ref, error) -> {
            if (at == life && error == null) {
                client.ref = ref;
                queues.put(id, client);
            }
        });
        return client;
    }

    private QueuePolicy policy(boolean deadLetters) {
        QueuePolicy.Builder policy = QueuePolicy.builder()
                .deadLetterExchange(deadLetters ? "" : null)
                .deliveryLimit(random.nextInt(3) == 0 ? random.nextInt(3) : -1);
        if (random.nextInt(3) == 0) {
            policy.maxPriority(new int[] {1, 4, 10, 31, 32, 255}[random.nextInt(6)]);
        }
        if (random.nextInt(4) == 0) {
            policy.messageTtl(random.nextInt(5) == 0 ? 0 : random.nextInt(4000));
        }
        if (random.nextInt(4) == 0) {
            policy.maxLength(random.nextInt(12));
        }
        if (random.nextInt(6) == 0) {
            policy.maxBytes(random.nextInt(2000));
        }
        if (random.nextInt(10) == 0) {
            policy.expires(500 + random.nextInt(20_000));
        }
        if (random.nextInt(4) == 0) {
            policy.groups(new MessageGroups(MessageGroups.By.KEY, random.nextBoolean()));
        }
        if (random.nextInt(4) == 0) {
            int first = 1 + random.nextInt(2000);
            policy.retry(new RetryBackoff(first, first + random.nextInt(5000), random.nextInt(3), random.nextInt(101)));
        }
        return policy.overflow(Overflow.values()[random.nextInt(3)])
                .singleActiveConsumer(random.nextInt(5) == 0)
                .build();
    }

    /** An administrator sets other limits on a queue at rest: they hold at once, for what is there too. */
    private void changeLimits(Client client) {
        QueuePolicy before = client.spec.policy();
        if (before.delayed()) {
            return;
        }
        boolean other = random.nextInt(4) == 0;
        QueuePolicy after = QueuePolicy.builder()
                .deadLetterExchange(before.deadLetterExchange())
                .deliveryLimit(before.deliveryLimit())
                .messageTtl(before.messageTtl())
                .expires(other ? 500 + random.nextInt(20_000) : before.expires())
                .maxLength(random.nextBoolean() ? random.nextInt(12) : before.maxLength())
                .maxBytes(random.nextInt(3) == 0 ? random.nextInt(2000) : before.maxBytes())
                .overflow(before.overflow())
                .maxPriority(before.maxPriority())
                .singleActiveConsumer(before.singleActiveConsumer())
                .retry(before.retry())
                .groups(before.groups())
                .build();
        client.spec = client.spec.with(after);
        client.model.policy = after;
        client.model.mayExceed = true;
        if (after.expires() != before.expires()) {
            client.usedAt = clock.millis();
            client.unusedAt = -1;
        }
        core.queues().reconfigure(client.spec.id(), after);
    }

    private void deleteQueue() {
        delete(any(new ArrayList<>(queues.values())));
    }

    /** The catalog deletes what the core found unused. */
    private void deleteUnused() {
        while (!unused.isEmpty()) {
            Client client = queues.get(unused.remove());
            if (client != null) {
                delete(client);
            }
        }
    }

    private void expired(QueueSpec spec) {
        Client client = queues.get(spec.id().value());
        if (client == null) {
            return;
        }
        long now = clock.millis();
        boolean held = !client.touched && !client.consumers.isEmpty();
        UNUSED_QUEUES_EXPIRE.hold(
                now - client.usedAt >= spec.policy().expires() && !held,
                "queue %s is unused for %s ms, it expires after %s%s",
                client.model.id,
                now - client.usedAt,
                spec.policy().expires(),
                held ? " without consumers, and has some" : "");
        unused.add(spec.id().value());
    }

    void delete(Client client) {
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
            dead = true;
            core.close();
            dead = false;
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
        unused.clear();
        queues.values().removeIf(client -> {
            client.consumers.clear();
            client.touched = false;
            client.unusedAt = -1;
            return !client.spec.durable();
        });
    }

    void start(boolean afterPowerCut) {
        boolean power = afterPowerCut;
        boolean disturbed = faulty;
        index.unreadable = false;
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
                queues.values().forEach(client -> client.usedAt = clock.millis());
                core = Core.start(engine, clock, settings, workers::runOne);
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
        core.queues().onExpired(this::expired);
        watermarks.clear();
    }

    private void makeStreams() {
        if (!streamsMade) {
            StreamConfig config = new StreamConfig(3000, Long.MAX_VALUE, -1, -1, false, true, 1 << 20, false, null);
            streams.forEach(s -> engine.createStream(s.stream(), s.stream().toString(), s.partitions(), config));
            if (smallSegments) {
                // so that settled messages leave the middle of home partitions
                engine.createStream(Core.HOME, "__home", 8, config);
            }
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
            List<IndexReader.Held> now = index.held(client);
            List<IndexReader.Held> before = client.live;
            client.live = null;
            if (before != null && !power) {
                REPLAYED_INDEX_EQUALS_LIVE_INDEX.hold(
                        index.areSame(client, before, now),
                        "queue %s held %s and recovered %s",
                        client.model.id,
                        before,
                        now);
            }
            model.recovered(client.model, now, power, !power && !disturbed, journalKept);
        }
        model.restarted(power);
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

    /** Everybody works a little; false if nobody has anything to do. */
    boolean work() {
        boolean more = core.step();
        // a head that expired before it was the head
        more |= ((DeliveryQueues) core.queues()).idleNanos() == 0;
        more |= workers.runOne();
        more |= !unused.isEmpty();
        deleteUnused();
        for (Loop loop : loops) {
            more |= !loop.tasks.isEmpty();
            runAll(loop);
        }
        return more;
    }

    /** Lets everybody work until nobody has anything to do, then compares. */
    void quiesce(boolean dyingToo) {
        queues.values().forEach(client -> client.consumers.forEach(consumer -> consumer.end.flush()));
        for (int i = 0; i < 10_000; i++) {
            if (!work()) {
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
     * may come to try a dead letter again, or for a message to expire.
     */
    private boolean compared(boolean dyingToo) {
        long before = model.changes();
        index.checkLimits(((DeliveryQueues) core.queues()).now());
        index.moved = false;
        Map<Client, List<IndexReader.Held>> indexes = new LinkedHashMap<>();
        for (Client client : List.copyOf(queues.values())) {
            indexes.put(client, index.held(client));
            if (index.unreadable) {
                return true;
            }
        }
        if (model.changes() != before || index.moved || !unused.isEmpty()) {
            return false;
        }
        indexes.forEach((client, held) -> {
            client.live = client.spec.durable()
                    ? held.stream().filter(IndexReader.Held::onDisk).toList()
                    : null;
            model.holdsExactly(client.model, held, dyingToo, !faulty && !lostPower);
        });
        return true;
    }

    private static void runAll(Loop loop) {
        while (!loop.tasks.isEmpty()) {
            loop.tasks.removeFirst().run();
        }
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
