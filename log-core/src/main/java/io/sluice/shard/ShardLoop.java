package io.sluice.shard;

import io.netty.util.concurrent.FastThreadLocalThread;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jctools.queues.MpscUnboundedArrayQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread and its inbox. Work arrives in one order for all kinds: publishes, which are refused above the bound, and
 * control work, which is always taken (its senders are bounded by what they own: consumers, declarations). The thread parks
 * when there is nothing to do; a sender pays for an unpark only while it sleeps.
 */
final class ShardLoop {
    private static final Logger LOG = LoggerFactory.getLogger(ShardLoop.class);
    private static final int MESSAGES_PER_TURN = 1024;

    /** What the loop runs; all methods on its thread. */
    interface Handler {
        void handle(Object message);

        /**
         * Ends a turn.
         *
         * @return true if there is more to do without new messages
         */
        boolean endTurn();

        /** How long the loop may sleep at most without a message, nanoseconds; asked after {@link #endTurn}. */
        long idleNanos();

        /** Something was thrown out of {@link #handle} or {@link #endTurn}: state may be broken. */
        void failed(Throwable error);

        /** The last call on the loop's thread, after the inbox was drained. */
        void stopped();

        /** A message that came too late: it must be completed with an error, or let go. On any thread, one at a time. */
        void late(Object message);
    }

    private final MpscUnboundedArrayQueue<Object> inbox = new MpscUnboundedArrayQueue<>(1024);
    private final int capacity;
    private final Handler handler;
    private final @Nullable Thread thread;
    private final AtomicLong refusals = new AtomicLong();
    private final AtomicBoolean signalled = new AtomicBoolean();
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile boolean sleeping;
    private volatile boolean stopping;
    private volatile boolean over;

    /**
     * Creates the loop.
     *
     * @param stepped true = no thread of its own: somebody calls {@link #step} and {@link #stop}, as simulations do
     */
    ShardLoop(String name, int capacity, boolean stepped, Handler handler) {
        this.capacity = capacity;
        this.handler = handler;
        if (stepped) {
            thread = null;
        } else {
            // Netty keeps caches of buffers for such threads only.
            thread = new FastThreadLocalThread(this::run, name);
            thread.setDaemon(true);
        }
    }

    void start() {
        if (thread != null) {
            thread.start();
        }
    }

    boolean inLoop() {
        return thread == null || Thread.currentThread() == thread;
    }

    /**
     * One turn of a stepped loop.
     *
     * @return true if another turn has something to do without a new message, signal or the passing of time
     */
    boolean step() {
        boolean told = signalled.getAndSet(false);
        return turn() || told || !inbox.isEmpty();
    }

    /** Takes the message unless the inbox is full; a refusal is counted. */
    boolean offer(Object message) {
        if (inbox.size() >= capacity) {
            refusals.incrementAndGet();
            return false;
        }
        put(message);
        return true;
    }

    /** Takes the message whatever the bound says. */
    void put(Object message) {
        inbox.offer(message);
        if (over) {
            handleLate();
        } else {
            wake();
        }
    }

    /** Makes the loop turn once more. Any thread. */
    void signal() {
        signalled.set(true);
        wake();
    }

    /** Messages waiting, approximately. */
    int waiting() {
        return inbox.size();
    }

    int capacity() {
        return capacity;
    }

    /** Messages refused since the start. */
    long refusals() {
        return refusals.get();
    }

    boolean isStopping() {
        return stopping;
    }

    /** Handles what is in the inbox and ends. Waits for it unless called by the loop itself. */
    void stop() {
        stopping = true;
        signal();
        if (thread == null) {
            run();
        } else if (!inLoop()) {
            boolean interrupted = false;
            while (true) {
                try {
                    ended.await();
                    break;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void wake() {
        if (sleeping) {
            LockSupport.unpark(thread);
        }
    }

    private void run() {
        try {
            boolean more = true;
            while (more || !stopping || !inbox.isEmpty()) {
                more = turn();
                if (!more && !signalled.getAndSet(false) && !stopping) {
                    park();
                }
            }
            handler.stopped();
        } catch (RuntimeException | Error e) {
            LOG.error("A shard ended by an unexpected error", e);
        } finally {
            over = true;
            handleLate();
            ended.countDown();
        }
    }

    /** Whoever puts a message after the end, or beside it, sees to it that somebody takes it out. */
    private synchronized void handleLate() {
        for (Object message = inbox.poll(); message != null; message = inbox.poll()) {
            try {
                handler.late(message);
            } catch (RuntimeException e) {
                LOG.warn("A message to a shard that ended failed", e);
            }
        }
    }

    private boolean turn() {
        try {
            int handled = 0;
            Object message = null;
            while (handled < MESSAGES_PER_TURN && (message = inbox.poll()) != null) {
                handler.handle(message);
                handled++;
            }
            return handler.endTurn() || message != null;
        } catch (RuntimeException | Error e) {
            handler.failed(e);
            return false;
        }
    }

    private void park() {
        sleeping = true;
        // a sender that did not see the flag has its message visible here
        if (inbox.isEmpty() && !signalled.get() && !stopping) {
            LockSupport.parkNanos(this, handler.idleNanos());
        }
        sleeping = false;
    }
}
