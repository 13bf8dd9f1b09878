package io.sluice.io;

import java.util.concurrent.Executor;

/** Threads as the core sees them, so that a simulation can run everything on one. */
public interface Workers extends AutoCloseable {
    /** Runs tasks one after another, in order. */
    Executor serial(String name);

    /** Runs tasks on up to {@code threads} threads. */
    Executor pool(String name, int threads);

    /** Runs {@code task} on {@code executor} every {@code periodMillis} ms until closed; skips a turn that is still running. */
    void every(long periodMillis, Executor executor, Runnable task);

    /** Runs what was handed in, then ends the threads. */
    @Override
    void close();
}
