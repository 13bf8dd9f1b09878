package io.sluice.mqtt.session;

import io.netty.util.concurrent.FastThreadLocal;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/**
 * Connections of one event loop that have deliveries to flush: flushed together when the tasks that the pass brought have run,
 * so that many publishers cost a subscriber one system call. Confined to its loop.
 */
final class LoopFlush implements Runnable {
    private static final FastThreadLocal<LoopFlush> OF_LOOP = new FastThreadLocal<>() {
        @Override
        protected LoopFlush initialValue() {
            return new LoopFlush();
        }
    };

    private List<Outbound> waiting = new ArrayList<>();
    private List<Outbound> flushing = new ArrayList<>();

    /** The one of the current loop. */
    static LoopFlush ofLoop() {
        return OF_LOOP.get();
    }

    void add(Outbound out, Executor loop) {
        waiting.add(out);
        if (waiting.size() == 1) {
            try {
                loop.execute(this);
            } catch (RejectedExecutionException e) {
                run(); // the loop is shutting down
            }
        }
    }

    @Override
    public void run() {
        List<Outbound> now = waiting;
        waiting = flushing;
        flushing = now;
        for (int i = 0; i < now.size(); i++) {
            now.get(i).flush();
        }
        now.clear();
    }
}
