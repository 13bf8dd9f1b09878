package io.sluice.bench;

import io.netty.util.concurrent.DefaultThreadFactory;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Threads for JMH of the kind that event loops and the shard are: Netty keeps caches of buffers for them. JMH makes it. */
public final class BrokerThreads extends ThreadPoolExecutor {
    /** Tells a forked JVM to use it. */
    static final String CUSTOM = "-Djmh.executor=CUSTOM";

    /** Names it to a forked JVM. */
    static final String CLASS = "-Djmh.executor.class=io.sluice.bench.BrokerThreads";

    /** The constructor that JMH looks for. */
    public BrokerThreads(int threads, String name) {
        super(threads, threads, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), new DefaultThreadFactory(name, true));
    }
}
