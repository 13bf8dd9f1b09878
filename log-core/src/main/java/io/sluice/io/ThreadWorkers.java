package io.sluice.io;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Real daemon threads. */
public final class ThreadWorkers implements Workers {
    private static final Logger log = LoggerFactory.getLogger(ThreadWorkers.class);

    private final List<ExecutorService> executors = new ArrayList<>();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(named("sluice-timer"));

    @Override
    public synchronized Executor serial(String name) {
        ExecutorService executor = Executors.newSingleThreadExecutor(named(name));
        executors.add(executor);
        return executor;
    }

    @Override
    public synchronized Executor pool(String name, int threads) {
        ExecutorService executor = Executors.newFixedThreadPool(threads, named(name));
        executors.add(executor);
        return executor;
    }

    @Override
    public void every(long periodMillis, Executor executor, Runnable task) {
        AtomicBoolean running = new AtomicBoolean();
        Runnable turn = () -> {
            try {
                task.run();
            } catch (RuntimeException e) {
                log.error("A periodic task failed", e);
            } finally {
                running.set(false);
            }
        };
        timer.scheduleAtFixedRate(
                () -> {
                    if (running.compareAndSet(false, true)) {
                        executor.execute(turn);
                    }
                },
                periodMillis,
                periodMillis,
                TimeUnit.MILLISECONDS);
    }

    @Override
    public synchronized void close() {
        timer.shutdownNow();
        for (ExecutorService executor : executors) {
            executor.shutdown();
        }
        try {
            for (ExecutorService executor : executors) {
                if (!executor.awaitTermination(30, TimeUnit.SECONDS)) {
                    log.warn("A worker did not end within 30 s");
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static ThreadFactory named(String name) {
        AtomicInteger count = new AtomicInteger();
        return task -> {
            int n = count.getAndIncrement();
            Thread thread = new Thread(task, n == 0 ? name : name + "-" + n);
            thread.setDaemon(true);
            thread.setUncaughtExceptionHandler((t, e) -> log.error("Thread {} ended by an error", t.getName(), e));
            return thread;
        };
    }
}
