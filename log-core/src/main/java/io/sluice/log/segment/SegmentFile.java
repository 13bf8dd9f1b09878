package io.sluice.log.segment;

import io.sluice.io.FileSystem;
import io.sluice.io.StorageFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A segment's log file, opened on demand and closed by {@link OpenFiles} while nobody uses it. Thread-safe; acquiring an open
 * file is one compare-and-set. Nobody waits for a second file's monitor while holding one.
 */
final class SegmentFile {
    private static final Logger log = LoggerFactory.getLogger(SegmentFile.class);
    private static final int CLOSED = -1;

    private final FileSystem files;
    private final OpenFiles budget;
    private final AtomicInteger users = new AtomicInteger(CLOSED);
    private volatile Path path;
    private volatile @Nullable StorageFile file;
    private volatile long lastUsed;
    private volatile boolean deleted;

    SegmentFile(FileSystem files, Path path, OpenFiles budget) {
        this.files = files;
        this.path = path;
        this.budget = budget;
    }

    Path path() {
        return path;
    }

    long lastUsed() {
        return lastUsed;
    }

    /** Opens if need be and counts a user, who must {@link #release}. */
    StorageFile acquire() throws IOException {
        while (true) {
            int now = users.get();
            if (now >= 0) {
                if (users.compareAndSet(now, now + 1)) {
                    lastUsed = budget.tick();
                    StorageFile opened = file;
                    if (opened == null) {
                        throw new IllegalStateException("segment file in use but not open");
                    }
                    return opened;
                }
            } else {
                StorageFile opened = open();
                if (opened != null) {
                    // without the monitor: it may close other files, whose threads may be about to close this one
                    budget.opened(this);
                    return opened;
                }
            }
        }
    }

    /** Opens the file for its first user, so that nobody closes it before the budget knows it; null if somebody else did. */
    private synchronized @Nullable StorageFile open() throws IOException {
        if (users.get() != CLOSED) {
            return null;
        }
        if (deleted) {
            throw new IOException("segment was deleted: " + path);
        }
        StorageFile opened = files.open(path, true);
        file = opened;
        lastUsed = budget.tick();
        users.set(1);
        return opened;
    }

    void release() {
        if (users.decrementAndGet() == 0 && deleted) {
            closeIfIdle();
        }
    }

    /** Closes the file unless somebody uses it. */
    synchronized void closeIfIdle() {
        if (users.compareAndSet(0, CLOSED)) {
            StorageFile opened = file;
            file = null;
            budget.closed(this);
            try {
                if (opened != null) {
                    opened.close();
                }
            } catch (IOException e) {
                log.warn("Closing {} failed: {}", path, e.toString());
            }
        }
    }

    /** True if the name is no longer this file's. */
    boolean isGone() {
        return deleted;
    }

    /** The name is about to be given to another file: users in flight keep reading, nobody opens it any more. */
    void retire() {
        deleted = true;
        closeIfIdle();
    }

    /** The file has a new name. */
    void renamed(Path to) {
        path = to;
    }

    /** Removes the name; users in flight keep reading. */
    void delete() throws IOException {
        deleted = true;
        files.delete(path);
        closeIfIdle();
    }
}
