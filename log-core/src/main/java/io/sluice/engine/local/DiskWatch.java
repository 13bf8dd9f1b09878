package io.sluice.engine.local;

import io.sluice.engine.LogEngine.DiskListener;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.io.FileSystem;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches free space: OK, WARN, FULL as it falls, and back without a restart once a tenth more than the watermark is free again.
 * While FULL only the broker's own journals grow, and not even they while less than a quarter of the watermark is left or a writer
 * waits for space. FAILED is final.
 *
 * <p>What may be read is read on any thread; checks run on an engine thread: every period, and early when the writers have used up
 * half of the space that was left above a watermark.
 */
final class DiskWatch {
    private static final Logger log = LoggerFactory.getLogger(DiskWatch.class);
    private static final long SMALLEST = 64L << 20;
    private static final long LARGEST = 1L << 30;
    private static final long SMALLEST_STEP = 1L << 20;

    private final FileSystem files;
    private final Path directory;
    private final LocalLogSettings settings;
    private final Executor executor;
    private final BooleanSupplier waiting;
    private final CopyOnWriteArrayList<DiskListener> listeners = new CopyOnWriteArrayList<>();
    /** Bytes that may be written until the next early check. */
    private final AtomicLong untilCheck = new AtomicLong(Long.MAX_VALUE);

    private final Runnable check = this::check;
    private volatile DiskState state = DiskState.OK;
    private volatile Growth growth = Growth.ALL;

    /** What may grow. */
    enum Growth {
        ALL,
        /** Streams with {@link io.sluice.log.StreamConfig#journal} only. */
        JOURNALS,
        NOTHING
    }

    /**
     * Creates the watch; it is OK until the first check.
     *
     * @param executor runs checks
     * @param waiting true while a write that found no space is to be repeated
     */
    DiskWatch(FileSystem files, Path directory, LocalLogSettings settings, Executor executor, BooleanSupplier waiting) {
        this.files = files;
        this.directory = directory;
        this.settings = settings;
        this.executor = executor;
        this.waiting = waiting;
    }

    DiskState state() {
        return state;
    }

    Growth growth() {
        return growth;
    }

    void listen(DiskListener listener) {
        listeners.add(listener);
    }

    /** Counts what a pass wrote. Any writer thread. */
    void wrote(long bytes) {
        if (untilCheck.addAndGet(-bytes) < 0) {
            untilCheck.set(Long.MAX_VALUE);
            executor.execute(check);
        }
    }

    /** Looks at the disk soon: a writer found no space, or found it again. Any thread. */
    void checkSoon() {
        executor.execute(check);
    }

    void check() {
        if (state == DiskState.FAILED) {
            return;
        }
        try {
            FileSystem.Space space = files.space(directory);
            long total = space.total();
            long full = settings.diskFullBytes() >= 0
                    ? settings.diskFullBytes()
                    : Math.min(total / 4, Math.max(SMALLEST, Math.min(LARGEST, total / 20)));
            long warn = settings.diskWarnBytes() >= 0 ? settings.diskWarnBytes() : 2 * full;
            long usable = space.usable();
            boolean writerWaits = waiting.getAsBoolean();
            if (writerWaits || usable < (state == DiskState.FULL ? full + full / 10 : full)) {
                growth = writerWaits || usable < full / 4 ? Growth.NOTHING : Growth.JOURNALS;
                change(DiskState.FULL, usable);
                untilCheck.set(Math.max(SMALLEST_STEP, usable - full / 4) / 2);
            } else {
                growth = Growth.ALL;
                boolean low = usable < (state == DiskState.OK ? warn : warn + warn / 10);
                change(low ? DiskState.WARN : DiskState.OK, usable);
                untilCheck.set(Math.max(SMALLEST_STEP, usable - (low ? full : warn)) / 2);
            }
        } catch (IOException e) {
            log.warn("Free space of {} is unknown: {}", directory, e.toString());
        }
    }

    synchronized void fail() {
        if (state != DiskState.FAILED) {
            state = DiskState.FAILED;
            tell();
        }
    }

    private synchronized void change(DiskState next, long usable) {
        if (next == state || state == DiskState.FAILED) {
            return;
        }
        state = next;
        switch (next) {
            case OK -> log.info("Disk of {}: {} MiB free", directory, usable >> 20);
            case WARN -> log.warn("Disk of {} is filling up: {} MiB free", directory, usable >> 20);
            default -> log.warn("Disk of {} is full: {} MiB free, publishers are refused", directory, usable >> 20);
        }
        tell();
    }

    private void tell() {
        for (DiskListener listener : listeners) {
            listener.changed(state);
        }
    }
}
