package io.sluice.amqp091.stream;

import io.sluice.log.AdvanceListener;
import io.sluice.log.Isolation;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.record.BatchView;
import io.sluice.message.RecordView;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Reads one partition from a position on, batch by batch, each loaded through the reader pool. At the end of the partition it waits
 * for what is stored next. Confined to one event loop; only {@link #advanced} runs on the partition's writer thread.
 *
 * <pre>
 * starting --position known--> ready
 * ready --batch read up--> loading --loaded--> ready
 * ready --nothing to read--> waiting --high watermark moves--> ready
 * any --close--> closed
 * </pre>
 */
public final class StreamReader implements AdvanceListener {
    /** Told on the loop. */
    public interface Listener {
        /** There is something to read. */
        void readable();

        /** Nothing will come any more: the stream is gone or its log cannot be read. */
        void ended(String why);
    }

    private final LogPartition partition;
    private final Executor loop;
    private final Listener listener;
    private final AtomicBoolean woken = new AtomicBoolean();
    private volatile boolean waiting;

    private long next = -1;
    private @Nullable BatchView batch;
    private int index;
    private boolean loading;
    private boolean closed;

    public StreamReader(LogPartition partition, Executor loop, Listener listener) {
        this.partition = partition;
        this.loop = loop;
        this.listener = listener;
    }

    /** Finds the first offset to read; completes on any thread. */
    public static CompletionStage<Long> find(LogPartition partition, StreamStart start) {
        long end = partition.lastStableOffset();
        if (start instanceof StreamStart.First) {
            return CompletableFuture.completedFuture(partition.logStartOffset());
        } else if (start instanceof StreamStart.Offset from) {
            return CompletableFuture.completedFuture(from.offset());
        } else if (start instanceof StreamStart.Time from) {
            return partition.offsetForTimestamp(from.millis()).thenApply(found -> found == null ? end : found.offset());
        } else if (start instanceof StreamStart.Last) {
            long last = Math.max(partition.logStartOffset(), end - 1);
            long base = last < end ? base(partition, last) : -1;
            return CompletableFuture.completedFuture(base < 0 ? end : Math.max(base, partition.logStartOffset()));
        }
        return CompletableFuture.completedFuture(end);
    }

    /** Begins to read at an offset. */
    public void start(long offset) {
        if (closed) {
            return;
        }
        next = offset;
        partition.addAdvanceListener(this);
        listener.readable();
    }

    /**
     * Moves to the next record. False if there is none at hand: then {@link Listener#readable} follows.
     *
     * @param into valid until the next call
     */
    public boolean next(RecordView into) {
        while (next >= 0 && !closed && !loading) {
            BatchView current = batch;
            if (current == null) {
                load();
                continue;
            }
            while (index < current.recordCount()) {
                current.recordAt(index, into);
                if (into.offset() >= partition.lastStableOffset()) {
                    break;
                }
                index++;
                if (into.offset() >= next) {
                    next = into.offset() + 1;
                    return true;
                }
            }
            if (index < current.recordCount()) {
                awaitMore();
                return false;
            }
            next = Math.max(next, current.lastOffset() + 1);
            drop();
        }
        return false;
    }

    private void load() {
        next = Math.max(next, partition.logStartOffset());
        if (next >= partition.lastStableOffset()) {
            awaitMore();
            return;
        }
        loading = true;
        partition.loadBatch(next, loop).whenComplete((loaded, error) -> {
            loading = false;
            if (closed) {
                if (loaded != null) {
                    loaded.release();
                }
            } else if (error != null) {
                failed(error);
            } else if (loaded != null) {
                batch = loaded;
                index = 0;
                listener.readable();
            } else {
                skipGap();
            }
        });
    }

    private void skipGap() {
        try {
            long base = next < partition.logStartOffset() ? partition.logStartOffset() : base(partition, next);
            next = base > next ? base : next + 1;
            listener.readable();
        } catch (LogException e) {
            failed(e);
        }
    }

    private static long base(LogPartition partition, long offset) {
        LogSlice slice = partition.read(offset, 1, Isolation.HIGH_WATERMARK);
        try {
            return slice.sizeInBytes() == 0 ? -1 : slice.baseOffset();
        } finally {
            slice.release();
        }
    }

    private void failed(Throwable error) {
        Throwable cause = error.getCause() != null ? error.getCause() : error;
        if (cause instanceof LogException log
                && log.reason() == Reason.OFFSET_OUT_OF_RANGE
                && next < partition.logStartOffset()) {
            listener.readable(); // retention was faster
        } else {
            close();
            listener.ended(String.valueOf(cause.getMessage()));
        }
    }

    /** Looks once more after it says that it waits, so that no move of the high watermark falls between. */
    private void awaitMore() {
        waiting = true;
        if (next < partition.lastStableOffset()) {
            wake();
        }
        loading = true;
    }

    @Override
    public void advanced(LogPartition advanced, long highWatermark) {
        if (waiting) {
            wake();
        }
    }

    private void wake() {
        if (woken.compareAndSet(false, true)) {
            try {
                loop.execute(() -> {
                    waiting = false;
                    woken.set(false);
                    loading = false;
                    if (!closed) {
                        listener.readable();
                    }
                });
            } catch (RejectedExecutionException e) {
                closed = true; // the loop is gone, and the connection with it
            }
        }
    }

    private void drop() {
        BatchView done = batch;
        if (done != null) {
            batch = null;
            done.release();
        }
    }

    /** Reads nothing more. */
    public void close() {
        if (!closed) {
            closed = true;
            partition.removeAdvanceListener(this);
            drop();
        }
    }
}
