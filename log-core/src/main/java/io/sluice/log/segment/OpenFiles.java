package io.sluice.log.segment;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The budget of open segment files. Files without users are closed, least recently used first, when more than the budget are
 * open; files in use stay open, so the budget may be exceeded by their number. Thread-safe.
 */
public final class OpenFiles {
    private final int budget;
    private final AtomicInteger open = new AtomicInteger();
    private final AtomicLong ticks = new AtomicLong();
    private final Set<SegmentFile> files = ConcurrentHashMap.newKeySet();

    public OpenFiles(int budget) {
        this.budget = budget;
    }

    /** Files open now. */
    public int count() {
        return open.get();
    }

    long tick() {
        return ticks.get();
    }

    /** A file was opened and is in use; closes others. The caller holds no file's monitor. */
    void opened(SegmentFile file) {
        ticks.incrementAndGet();
        files.add(file);
        if (open.incrementAndGet() > budget) {
            closeIdle();
        }
    }

    void closed(SegmentFile file) {
        files.remove(file);
        open.decrementAndGet();
    }

    /** Closes an eighth more than needed, so that the sort is paid seldom. */
    private void closeIdle() {
        // others use files meanwhile: the order is that of one moment
        List<Candidate> candidates = new ArrayList<>();
        for (SegmentFile file : files) {
            candidates.add(new Candidate(file, file.lastUsed()));
        }
        candidates.sort(Comparator.comparingLong(Candidate::lastUsed)
                .thenComparing(c -> c.file().path()));
        int target = budget - budget / 8;
        for (Candidate candidate : candidates) {
            if (open.get() <= target) {
                return;
            }
            candidate.file().closeIfIdle();
        }
    }

    private record Candidate(SegmentFile file, long lastUsed) {}
}
