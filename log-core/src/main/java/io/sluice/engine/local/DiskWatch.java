package io.sluice.engine.local;

import io.sluice.engine.LogEngine.DiskListener;
import io.sluice.engine.LogEngine.DiskState;
import io.sluice.io.FileSystem;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches free space: OK, WARN, FULL as it falls, and back without a restart once a tenth more than the watermark is free again.
 * FAILED is final. The state is read on any thread; checks run on an engine thread.
 */
final class DiskWatch {
    private static final Logger log = LoggerFactory.getLogger(DiskWatch.class);
    private static final long SMALLEST = 64L << 20;
    private static final long LARGEST = 1L << 30;

    private final FileSystem files;
    private final Path directory;
    private final LocalLogSettings settings;
    private final CopyOnWriteArrayList<DiskListener> listeners = new CopyOnWriteArrayList<>();
    private volatile DiskState state = DiskState.OK;
    private volatile boolean exhausted;

    DiskWatch(FileSystem files, Path directory, LocalLogSettings settings) {
        this.files = files;
        this.directory = directory;
        this.settings = settings;
    }

    DiskState state() {
        return state;
    }

    /** True if not even the broker's own state may grow. */
    boolean isExhausted() {
        return exhausted;
    }

    void listen(DiskListener listener) {
        listeners.add(listener);
    }

    void check() {
        if (state == DiskState.FAILED) {
            return;
        }
        try {
            FileSystem.Space space = files.space(directory);
            long full = settings.diskFullBytes() >= 0
                    ? settings.diskFullBytes()
                    : Math.max(SMALLEST, Math.min(LARGEST, space.total() / 20));
            long warn = settings.diskWarnBytes() >= 0 ? settings.diskWarnBytes() : 2 * full;
            long usable = space.usable();
            exhausted = usable < full / 4;
            if (usable < (state == DiskState.FULL ? full + full / 10 : full)) {
                change(DiskState.FULL, usable);
            } else if (usable < (state == DiskState.OK ? warn : warn + warn / 10)) {
                change(DiskState.WARN, usable);
            } else {
                change(DiskState.OK, usable);
            }
        } catch (IOException e) {
            log.warn("Free space of {} is unknown: {}", directory, e.toString());
        }
    }

    void fail() {
        if (state != DiskState.FAILED) {
            state = DiskState.FAILED;
            tell();
        }
    }

    private void change(DiskState next, long usable) {
        if (next == state) {
            return;
        }
        state = next;
        if (next == DiskState.OK) {
            log.info("Disk of {}: {} bytes free, publishing goes on", directory, usable);
        } else {
            log.warn("Disk of {} is {}: {} bytes free", directory, next, usable);
        }
        tell();
    }

    private void tell() {
        for (DiskListener listener : listeners) {
            listener.changed(state);
        }
    }
}
