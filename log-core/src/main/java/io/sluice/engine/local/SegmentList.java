package io.sluice.engine.local;

import io.sluice.io.Clock;
import io.sluice.io.FileSystem;
import io.sluice.io.NoSpaceException;
import io.sluice.log.LogSlice;
import io.sluice.log.StreamConfig;
import io.sluice.log.segment.CompactionSwap;
import io.sluice.log.segment.OpenFiles;
import io.sluice.log.segment.Segment;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The segments of a partition, ascending; the last is open for appending. Readers take the published array and need no lock;
 * the writer (rolling, deleting prefixes) and the cleaner (retention, compaction) change it under the monitor, which is free but
 * for these rare moments.
 */
final class SegmentList {
    private final FileSystem files;
    private final Path directory;
    private final OpenFiles budget;
    private volatile Segment[] segments;
    private volatile boolean namesChanged = true;

    SegmentList(FileSystem files, Path directory, OpenFiles budget, List<Segment> found) {
        this.files = files;
        this.directory = directory;
        this.budget = budget;
        this.segments = found.toArray(new Segment[0]);
    }

    Path directory() {
        return directory;
    }

    Segment[] all() {
        return segments;
    }

    Segment active() {
        Segment[] now = segments;
        return now[now.length - 1];
    }

    long sizeInBytes() {
        long bytes = 0;
        for (Segment segment : segments) {
            bytes += segment.size();
        }
        return bytes;
    }

    /** The segment that takes a batch, a new one if the active is full or old. Writer. */
    Segment forAppend(long first, long last, int length, StreamConfig config, Clock clock) throws IOException {
        Segment active = active();
        if (active.size() == 0 && active.baseOffset() == first) {
            return active;
        }
        if (last - active.baseOffset() <= Integer.MAX_VALUE
                && (active.size() == 0
                        || active.size() + length <= Math.min(config.segmentBytes(), Integer.MAX_VALUE)
                                && clock.epochMillis() - active.createdMillis() <= config.segmentMillis())) {
            return active;
        }
        return roll(first, clock);
    }

    /** Ends the active segment and starts one at {@code first}. Writer. */
    Segment roll(long first, Clock clock) throws IOException {
        active().close();
        Segment next = Segment.create(files, directory, first, budget, clock.epochMillis());
        synchronized (this) {
            Segment[] now = segments;
            Segment[] longer = Arrays.copyOf(now, now.length + 1);
            longer[now.length] = next;
            segments = longer;
        }
        namesChanged = true;
        return next;
    }

    /** True if a further batch of a run fits the segment whose size would be {@code size}. */
    boolean fits(Segment segment, long size, StagedBatches staged, int i, StreamConfig config) {
        return size + staged.length(i) <= Math.min(config.segmentBytes(), Integer.MAX_VALUE)
                && staged.lastOffset(i) - segment.baseOffset() <= Integer.MAX_VALUE;
    }

    LogSlice read(long offset, int maxBytes, long bound, long warmBytes) throws IOException {
        while (true) {
            Segment[] now = segments;
            try {
                return read(now, offset, maxBytes, bound, warmBytes);
            } catch (IOException e) {
                if (!isReplaced(now, offset)) {
                    throw e;
                }
            }
        }
    }

    /** True if the segments that were looked at are no longer the right ones; waits for a replacement at work. */
    private synchronized boolean isReplaced(Segment[] seen, long offset) {
        Segment[] now = segments;
        return !Arrays.equals(seen, now) && indexOf(now, offset) >= 0;
    }

    private static LogSlice read(Segment[] now, long offset, int maxBytes, long bound, long warmBytes)
            throws IOException {
        int at = indexOf(now, offset);
        long after = 0;
        for (int i = now.length - 1; i > at; i--) {
            after += now[i].size();
        }
        for (int i = Math.max(0, at); i < now.length; i++) {
            Segment segment = now[i];
            LogSlice slice = segment.read(offset, maxBytes, bound, segment.size() + after - warmBytes);
            if (slice != null) {
                return slice;
            }
            after -= i + 1 < now.length ? now[i + 1].size() : 0;
        }
        return Segment.empty(offset);
    }

    private static int indexOf(Segment[] segments, long offset) {
        int low = 0;
        int high = segments.length - 1;
        int found = -1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (segments[middle].baseOffset() <= offset) {
                found = middle;
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return found;
    }

    /** Takes out the segments that end at or below {@code start}, never the active one. */
    synchronized List<Segment> removeBelow(long start) {
        Segment[] now = segments;
        int first = 0;
        while (first + 1 < now.length && now[first + 1].baseOffset() <= start) {
            first++;
        }
        List<Segment> gone = new ArrayList<>(Arrays.asList(now).subList(0, first));
        if (first > 0) {
            segments = Arrays.copyOfRange(now, first, now.length);
        }
        return gone;
    }

    /** True if all closed segments are durable, indexes included. */
    boolean isSettled() {
        Segment[] now = segments;
        for (int i = 0; i + 1 < now.length; i++) {
            if (!now[i].isSettled()) {
                return false;
            }
        }
        return true;
    }

    /** Makes everything written durable. Checkpoint thread. */
    void sync() throws IOException {
        Segment[] now = segments;
        boolean names = namesChanged;
        namesChanged = false;
        boolean done = false;
        try {
            for (int i = 0; i < now.length; i++) {
                boolean closed = i < now.length - 1;
                if (now[i].isDirty(closed)) {
                    sync(now[i], closed);
                    names = names || closed;
                }
            }
            done = true;
        } finally {
            namesChanged |= names && !done;
        }
        if (names) {
            files.syncDirectory(directory);
        }
    }

    private static void sync(Segment segment, boolean closed) throws IOException {
        try {
            segment.sync(closed);
        } catch (IOException e) {
            if (!segment.isGone()) {
                throw e;
            }
        }
    }

    /**
     * Puts a compacted segment in the place of adjacent others. Cleaner thread.
     *
     * @return false if the others are no longer all there
     * @throws NoSpaceException if there is no space: nothing was replaced
     * @throws UncheckedIOException if it failed half-way: the engine must be fenced, the next start finishes it
     */
    boolean replace(List<Segment> others, Segment compacted) throws NoSpaceException {
        long[] bases = others.stream().mapToLong(Segment::baseOffset).toArray();
        CompactionSwap swap = new CompactionSwap(files, directory, bases);
        try {
            swap.write();
        } catch (NoSpaceException e) {
            throw e;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        try {
            return replace(others, compacted, bases, swap);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private boolean replace(List<Segment> others, Segment compacted, long[] bases, CompactionSwap swap)
            throws IOException {
        boolean there;
        synchronized (this) {
            Segment[] now = segments;
            int first = indexOf(now, bases[0]);
            int after = first + bases.length;
            there = first >= 0
                    && after < now.length
                    && Arrays.asList(now).subList(first, after).equals(others);
            if (there) {
                others.forEach(Segment::retire);
                swap.apply();
                compacted.named();
                Segment[] next = new Segment[now.length - bases.length + 1];
                System.arraycopy(now, 0, next, 0, first);
                next[first] = compacted;
                System.arraycopy(now, after, next, first + 1, now.length - after);
                segments = next;
            }
        }
        if (there) {
            swap.finish();
        } else {
            swap.abandon();
        }
        return there;
    }

    void closeFiles() {
        for (Segment segment : segments) {
            segment.closeFile();
        }
    }
}
