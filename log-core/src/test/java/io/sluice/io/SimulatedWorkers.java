package io.sluice.io;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executor;

/** All threads of an engine on one, in a seeded order; each executor keeps its own order. */
public final class SimulatedWorkers implements Workers {
    private final Random random;
    private final List<ArrayDeque<Runnable>> queues = new ArrayList<>();
    private final List<Runnable> periodic = new ArrayList<>();
    private boolean direct;

    public SimulatedWorkers(Random random) {
        this.random = random;
    }

    /** While set, whoever hands a task in runs it: for code that waits for the result. */
    public void direct(boolean now) {
        direct = now;
    }

    @Override
    public Executor serial(String name) {
        ArrayDeque<Runnable> queue = new ArrayDeque<>();
        queues.add(queue);
        return task -> {
            if (direct) {
                task.run();
            } else {
                queue.add(task);
            }
        };
    }

    @Override
    public Executor pool(String name, int threads) {
        return serial(name);
    }

    @Override
    public void every(long periodMillis, Executor executor, Runnable task) {
        periodic.add(() -> executor.execute(task));
    }

    /** Runs one waiting task; false if there is none. */
    public boolean runOne() {
        List<ArrayDeque<Runnable>> waiting =
                queues.stream().filter(queue -> !queue.isEmpty()).toList();
        if (waiting.isEmpty()) {
            return false;
        }
        waiting.get(random.nextInt(waiting.size())).removeFirst().run();
        return true;
    }

    public void runAll() {
        boolean more = true;
        while (more) {
            more = runOne();
        }
    }

    @Override
    public void pause() {
        runOne();
    }

    /** Time has come for one of the periodic tasks. */
    public void tick() {
        if (!periodic.isEmpty()) {
            periodic.get(random.nextInt(periodic.size())).run();
        }
    }

    /** Time has come for all of them. */
    public void tickAll() {
        periodic.forEach(Runnable::run);
        runAll();
    }

    @Override
    public void close() {
        runAll();
    }
}
