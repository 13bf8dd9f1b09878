package io.sluice.engine.local;

import io.sluice.io.Workers;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;

/** Threads of an engine under contract: syncs can be held, and periods end on command. */
final class HeldWorkers implements Workers {
    private final Workers workers;
    private final List<Runnable> periodic = new ArrayList<>();
    private final List<Runnable> syncs = new ArrayList<>();
    private boolean held;

    HeldWorkers(Workers workers) {
        this.workers = workers;
    }

    synchronized void hold() {
        held = true;
    }

    synchronized void release() {
        held = false;
        syncs.forEach(Runnable::run);
        syncs.clear();
    }

    /** The period of every periodic task is over: they run here and now. */
    void tick() {
        periodic.forEach(Runnable::run);
    }

    @Override
    public Executor serial(String name) {
        Executor executor = workers.serial(name);
        return name.equals("sluice-sync") ? task -> sync(executor, task) : executor;
    }

    private synchronized void sync(Executor executor, Runnable task) {
        if (held) {
            syncs.add(() -> executor.execute(task));
        } else {
            executor.execute(task);
        }
    }

    @Override
    public Executor pool(String name, int threads) {
        return workers.pool(name, threads);
    }

    @Override
    public void every(long periodMillis, Executor executor, Runnable task) {
        periodic.add(task);
    }

    @Override
    public void pause() {
        workers.pause();
    }

    @Override
    public void close() {
        release();
        workers.close();
    }
}
