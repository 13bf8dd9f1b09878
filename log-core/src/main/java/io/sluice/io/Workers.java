package io.sluice.io;

import java.util.concurrent.Executor;
import java.util.concurrent.locks.LockSupport;

/** Threads as the core sees them, so that a simulation can run everything on one. */
public interface Workers extends AutoCloseable {
    /** Runs tasks one after another, in order. */
    Executor serial(String name);

    /** Runs tasks on up to {@code threads} threads. */
    Executor pool(String name, int threads);

    /** Runs {@code task} on {@code executor} every {@code periodMillis} ms until closed; skips a turn that is still running. */
    void every(long periodMillis, Executor executor, Runnable task);

    /** For a thread that waits for another: lets the others work a moment. */
    default void pause() {
        LockSupport.parkNanos(100_000);
    }

    /** Runs what was handed in, then ends the threads. */
    @Override
    void close();
}
