package io.sluice.shard;

import io.sluice.log.record.BatchView;
import io.sluice.queue.Reference;
import org.jspecify.annotations.Nullable;

/**
 * The batch of the message that goes out next: from the cache, or read from disk while its user waits. Holds one batch at a time.
 * Shard thread.
 */
final class QueueReader {
    private final DeliveryQueues queues;
    private final User user;
    private @Nullable BatchView view;
    private int partition = -1;
    private boolean fromDisk;
    private boolean loading;
    private boolean released;

    /** Who is told what became of a read. */
    interface User {
        /** The batch is here. */
        void loaded();

        /** There is no such message any more. */
        void missing(long position);

        void failed(Throwable error);
    }

    QueueReader(DeliveryQueues queues, User user) {
        this.queues = queues;
        this.user = user;
    }

    /** The batch that was opened last. */
    BatchView view() {
        BatchView held = view;
        if (held == null) {
            throw new IllegalStateException("no batch is open");
        }
        return held;
    }

    boolean isLoading() {
        return loading;
    }

    boolean isFromDisk() {
        return fromDisk;
    }

    boolean isOpen() {
        return view != null;
    }

    /** Makes {@link #view} hold the message; false if its user is told later. */
    boolean open(long position) {
        if (holds(position)) {
            return true;
        }
        close();
        partition = Reference.partition(position);
        view = queues.cachedBatch(position);
        if (view != null) {
            return true;
        }
        loading = true;
        queues.homePartition(partition)
                .loadBatch(Reference.offset(position), queues.executor())
                .whenComplete((loaded, error) -> loaded(position, loaded, error));
        // an engine may answer at once
        return holds(position);
    }

    private boolean holds(long position) {
        BatchView held = view;
        long offset = Reference.offset(position);
        return held != null
                && partition == Reference.partition(position)
                && offset >= held.baseOffset()
                && offset <= held.lastOffset();
    }

    private void loaded(long position, @Nullable BatchView loaded, @Nullable Throwable error) {
        loading = false;
        if (released) {
            if (loaded != null) {
                loaded.release();
            }
        } else if (error != null) {
            user.failed(error);
        } else if (loaded == null) {
            user.missing(position);
        } else {
            close();
            view = loaded;
            partition = Reference.partition(position);
            fromDisk = true;
            user.loaded();
        }
    }

    /** Lets the batch go. */
    void close() {
        BatchView held = view;
        if (held != null) {
            view = null;
            fromDisk = false;
            held.release();
        }
    }

    /** As {@link #close}, for good: what is being read is let go, too. */
    void release() {
        released = true;
        close();
    }
}
