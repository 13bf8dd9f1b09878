package io.sluice.log.segment;

import io.sluice.io.FileSystem;
import io.sluice.io.StorageFile;
import io.sluice.log.LogSlice;
import io.sluice.log.record.BatchFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.SoftReference;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * One file of record batches and its indexes, named by the offset it starts at (20 digits, as Kafka's). One writer; reading on
 * any thread. The index of a closed segment lives on disk and is loaded when somebody looks.
 */
public final class Segment {
    private static final int SCAN_BYTES = 8 * 1024;
    /** Bytes of a batch header that walking needs: up to and with the last offset delta. */
    private static final int WALK_BYTES = BatchFormat.LAST_OFFSET_DELTA + 4;

    private static final ThreadLocal<ByteBuffer> SCRATCH =
            ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(SCAN_BYTES));

    private final FileSystem files;
    private final Path directory;
    private final long baseOffset;
    private final SegmentFile file;
    private volatile @Nullable SegmentIndex active;
    private volatile SoftReference<@Nullable SegmentIndex> loaded = new SoftReference<>(null);
    private volatile long size;
    private volatile long nextOffset;
    private volatile long maxTimestamp = -1;
    private final long createdMillis;
    // writer only
    private long bytesSinceIndex = SegmentIndex.INTERVAL_BYTES;
    private long maxTimestampOffset = -1;
    // checkpoint thread only
    private long syncedSize;
    private int indexWritten;
    private int timesWritten;
    private volatile boolean indexComplete;

    private Segment(FileSystem files, Path directory, long baseOffset, OpenFiles budget, long createdMillis) {
        this(files, directory, baseOffset, budget, createdMillis, ".log");
    }

    private Segment(
            FileSystem files, Path directory, long baseOffset, OpenFiles budget, long createdMillis, String suffix) {
        this.files = files;
        this.directory = directory;
        this.baseOffset = baseOffset;
        this.createdMillis = createdMillis;
        this.nextOffset = baseOffset;
        this.file = new SegmentFile(files, directory.resolve(name(baseOffset, suffix)), budget);
    }

    /** Kafka's file name for a base offset. */
    public static String name(long baseOffset, String suffix) {
        String digits = Long.toString(baseOffset);
        return "0".repeat(20 - digits.length()) + digits + suffix;
    }

    /** Makes a new segment for appending; its name is durable after the next checkpoint. */
    public static Segment create(
            FileSystem files, Path directory, long baseOffset, OpenFiles budget, long createdMillis)
            throws IOException {
        Segment segment = new Segment(files, directory, baseOffset, budget, createdMillis);
        StorageFile opened = segment.file.acquire();
        try {
            opened.truncate(0);
        } finally {
            segment.file.release();
        }
        files.delete(segment.path(".index"));
        files.delete(segment.path(".timeindex"));
        segment.active = new SegmentIndex();
        return segment;
    }

    /** Makes a segment to be filled by compaction; it takes its place with {@link #named}. */
    static Segment compacted(FileSystem files, Path directory, long baseOffset, OpenFiles budget, long createdMillis)
            throws IOException {
        Segment segment = new Segment(files, directory, baseOffset, budget, createdMillis, CompactionSwap.CLEANED);
        StorageFile opened = segment.file.acquire();
        try {
            opened.truncate(0);
        } finally {
            segment.file.release();
        }
        segment.active = new SegmentIndex();
        return segment;
    }

    /** The compacted file is whole: syncs it and sets the offset that the segment reaches up to. */
    void complete(long upTo) throws IOException {
        close();
        StorageFile opened = file.acquire();
        try {
            opened.sync(true);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            file.release();
        }
        syncedSize = size;
        nextOffset = upTo;
    }

    /** Gives a compacted file up that never got its place. */
    void discard() throws IOException {
        file.delete();
    }

    /** The compacted file now has the segment's name. */
    public void named() {
        file.renamed(path(".log"));
    }

    /** Another file is about to get this segment's name, or none: readers in flight finish, others look anew. */
    public void retire() {
        file.retire();
    }

    /** True once the segment was deleted or replaced. */
    public boolean isGone() {
        return file.isGone();
    }

    /** True if file and indexes are durable and will not change. Any thread. */
    public boolean isSettled() {
        return indexComplete;
    }

    StorageFile acquireFile() throws IOException {
        return file.acquire();
    }

    void releaseFile() {
        file.release();
    }

    /**
     * Opens a segment that is known to be whole.
     *
     * @param nextOffset offset after its last record
     * @param writable load the index for appending
     */
    public static Segment open(
            FileSystem files,
            Path directory,
            long baseOffset,
            long nextOffset,
            OpenFiles budget,
            long createdMillis,
            boolean writable)
            throws IOException {
        Segment segment = new Segment(files, directory, baseOffset, budget, createdMillis);
        StorageFile opened = segment.file.acquire();
        try {
            segment.size = opened.size();
        } finally {
            segment.file.release();
        }
        segment.syncedSize = segment.size;
        segment.nextOffset = nextOffset;
        SegmentIndex index = segment.load();
        segment.maxTimestamp = index.lastTime();
        if (writable) {
            segment.active = index;
            segment.indexWritten = index.count();
            segment.timesWritten = index.timeCount();
            segment.maxTimestampOffset = nextOffset - 1;
        } else {
            segment.loaded = new SoftReference<>(index);
            segment.indexComplete = true;
        }
        return segment;
    }

    /**
     * Opens a segment after an unclean stop: trusts it below {@code trusted}, checks every batch from there on and cuts the
     * file at the first that is torn.
     *
     * @param trusted offset below which the file was synced
     * @param bound offset of the first batch to be cut off although it is whole
     * @param visitor sees every batch checked
     * @return the segment, open for appending; {@link #cutBytes} tells whether bytes were cut
     */
    public static Segment recover(
            FileSystem files,
            Path directory,
            long baseOffset,
            long trusted,
            long bound,
            OpenFiles budget,
            long createdMillis,
            BatchVisitor visitor)
            throws IOException {
        Segment segment = new Segment(files, directory, baseOffset, budget, createdMillis);
        StorageFile opened = segment.file.acquire();
        try {
            long length = opened.size();
            SegmentIndex index = segment.readIndex(length);
            index.truncate(length, Math.max(0, trusted - baseOffset));
            long from = index.positionOf(Math.max(0, trusted - baseOffset));
            segment.active = index;
            segment.maxTimestamp = index.lastTime();
            segment.bytesSinceIndex = index.count() == 0 ? SegmentIndex.INTERVAL_BYTES : 0;
            SegmentScan scan = new SegmentScan(opened, from, length);
            segment.size = from;
            while (scan.next(segment.nextOffset) && scan.baseOffset() < bound) {
                // The batch at the last index entry was indexed already; the index refuses what does not rise.
                segment.note(scan.position(), scan.size(), scan.baseOffset(), scan.lastOffset(), scan.maxTimestamp());
                if (scan.lastOffset() >= trusted) {
                    visitor.visit(scan.batch(), scan.batchIndex());
                }
            }
            segment.cut = length - segment.size;
            opened.truncate(segment.size);
            // to be synced also if nothing is left: what was cut, now or by a start that failed, must not come back
            segment.syncedSize = -1;
        } finally {
            segment.file.release();
        }
        return segment;
    }

    private long cut;

    /** Bytes that recovery cut off. */
    public long cutBytes() {
        return cut;
    }

    /** Sees a batch in a buffer. */
    @FunctionalInterface
    public interface BatchVisitor {
        void visit(io.netty.buffer.ByteBuf bytes, int at);
    }

    public long baseOffset() {
        return baseOffset;
    }

    /** Offset after the last record written. */
    public long nextOffset() {
        return nextOffset;
    }

    /** Bytes written. */
    public long size() {
        return size;
    }

    /** Largest record timestamp, -1 if empty. */
    public long maxTimestamp() {
        return maxTimestamp;
    }

    /** When the segment was made, epoch ms. */
    public long createdMillis() {
        return createdMillis;
    }

    private Path path(String suffix) {
        return directory.resolve(name(baseOffset, suffix));
    }

    // ---- writer

    /** Writes bytes at the end; {@link #note} then publishes the batches. Writer. */
    public void write(long position, ByteBuffer bytes) throws IOException {
        StorageFile opened = file.acquire();
        try {
            opened.write(position, bytes);
        } finally {
            file.release();
        }
    }

    /** Publishes a batch that is in the file: index, size, next offset. Writer. */
    public void note(long position, int bytes, long firstOffset, long lastOffset, long timestamp) {
        SegmentIndex index = active;
        if (index == null) {
            throw new IllegalStateException("segment " + baseOffset + " is closed");
        }
        if (timestamp > maxTimestamp) {
            maxTimestamp = timestamp;
            maxTimestampOffset = lastOffset;
        }
        if (bytesSinceIndex >= SegmentIndex.INTERVAL_BYTES) {
            index.add((int) (lastOffset - baseOffset), (int) position);
            index.addTime(maxTimestamp, (int) (maxTimestampOffset - baseOffset));
            bytesSinceIndex = 0;
        }
        bytesSinceIndex += bytes;
        nextOffset = lastOffset + 1;
        size = position + bytes;
    }

    /** No more appends: completes the time index. The index leaves memory after the next checkpoint. Writer. */
    public void close() {
        SegmentIndex index = active;
        if (index != null && maxTimestamp >= 0) {
            index.addTime(maxTimestamp, (int) (maxTimestampOffset - baseOffset));
        }
    }

    /** Cuts off what a broken-off write left behind the last batch. No writer may be at work. */
    public void trim() throws IOException {
        StorageFile opened = file.acquire();
        try {
            opened.truncate(size);
        } finally {
            file.release();
        }
    }

    // ---- checkpoint

    /**
     * Makes what is written durable, index files included. Checkpoint thread.
     *
     * @param closed the segment takes no more appends
     */
    public void sync(boolean closed) throws IOException {
        long upTo = size;
        if (upTo > syncedSize) {
            StorageFile opened = file.acquire();
            try {
                opened.sync(false);
            } finally {
                file.release();
            }
            syncedSize = upTo;
        }
        SegmentIndex index = active;
        if (index == null || indexComplete) {
            return;
        }
        if (index.count() > indexWritten || closed) {
            try (StorageFile out = files.open(path(".index"), true)) {
                indexWritten = index.writeOffsets(out, indexWritten);
                out.sync(false);
            }
        }
        if (index.timeCount() > timesWritten || closed) {
            try (StorageFile out = files.open(path(".timeindex"), true)) {
                timesWritten = index.writeTimes(out, timesWritten);
                out.sync(false);
            }
        }
        if (closed) {
            indexComplete = true;
            loaded = new SoftReference<>(index);
            active = null;
        }
    }

    /** True if bytes wait for a sync. Checkpoint thread. */
    public boolean isDirty(boolean closed) {
        SegmentIndex index = active;
        return size > syncedSize || closed && !indexComplete || index != null && index.timeCount() > timesWritten;
    }

    // ---- readers

    /**
     * Whole batches from the one that holds {@code offset}, at most {@code maxBytes} unless the first alone is larger, all
     * below {@code bound}.
     *
     * @return null if no batch at or after {@code offset} is in this segment below the bound
     */
    public @Nullable LogSlice read(long offset, int maxBytes, long bound, long coldBelow) throws IOException {
        SegmentIndex index = index();
        long limit = size;
        StorageFile opened = file.acquire();
        boolean kept = false;
        try {
            ByteBuffer scratch = SCRATCH.get();
            long at = index.positionOf(offset - baseOffset);
            Walk walk = new Walk(opened, scratch, limit);
            while (walk.at(at) && walk.lastOffset < offset) {
                at += walk.size;
            }
            if (!walk.valid || walk.baseOffset >= bound) {
                return null;
            }
            long start = at;
            long first = walk.baseOffset;
            long next = walk.lastOffset + 1;
            long end = at + walk.size;
            long jump = index.lastPosition(start + maxBytes, bound - baseOffset);
            at = Math.max(end, jump);
            while (walk.at(at) && walk.baseOffset < bound && at + walk.size - start <= maxBytes) {
                at += walk.size;
                end = at;
                next = walk.lastOffset + 1;
            }
            // The jump may have overshot: its own batch did not fit, so the batches before it have to be walked.
            if (jump > end) {
                at = end;
                while (at < jump && walk.at(at) && at + walk.size - start <= maxBytes) {
                    at += walk.size;
                    end = at;
                    next = walk.lastOffset + 1;
                }
            }
            kept = true;
            return new FileSlice(file, opened, first, next, start, (int) (end - start), start < coldBelow);
        } finally {
            if (!kept) {
                file.release();
            }
        }
    }

    /** An empty slice at {@code offset}. */
    public static LogSlice empty(long offset) {
        return new FileSlice(offset);
    }

    /** First offset worth looking at for a record at or after {@code timestamp}. */
    public long offsetBefore(long timestamp) throws IOException {
        return Math.max(baseOffset, baseOffset + index().offsetBefore(timestamp));
    }

    private SegmentIndex index() throws IOException {
        SegmentIndex index = active;
        if (index == null) {
            index = loaded.get();
        }
        return index == null ? load() : index;
    }

    private SegmentIndex load() throws IOException {
        SegmentIndex index = readIndex(size);
        long covered = index.count() == 0 ? 0 : index.positionOf(Long.MAX_VALUE);
        if (size - covered > SegmentIndex.INTERVAL_BYTES || index.timeCount() == 0 && size > 0) {
            index = rebuild(index);
        }
        loaded = new SoftReference<>(index);
        return index;
    }

    /** Completes a missing or short index by walking the headers it does not cover. */
    private SegmentIndex rebuild(SegmentIndex index) throws IOException {
        SegmentIndex whole = index.timeCount() == 0 ? new SegmentIndex() : index;
        StorageFile opened = file.acquire();
        try {
            long at = whole.count() == 0 ? 0 : whole.positionOf(Long.MAX_VALUE);
            boolean skipFirst = whole.count() > 0;
            long since = skipFirst ? 0 : SegmentIndex.INTERVAL_BYTES;
            long largest = whole.lastTime();
            ByteBuffer header = ByteBuffer.allocate(BatchFormat.HEADER_BYTES);
            while (at + BatchFormat.HEADER_BYTES <= size && opened.readFully(at, header.clear())) {
                int bytes = BatchFormat.PREFIX_BYTES + header.getInt(BatchFormat.LENGTH);
                int last = (int) (header.getLong(0) + header.getInt(BatchFormat.LAST_OFFSET_DELTA) - baseOffset);
                if (bytes < BatchFormat.HEADER_BYTES) {
                    break;
                }
                if (!skipFirst && since >= SegmentIndex.INTERVAL_BYTES) {
                    whole.add(last, (int) at);
                    since = 0;
                }
                long timestamp = header.getLong(BatchFormat.MAX_TIMESTAMP);
                if (timestamp > largest) {
                    largest = timestamp;
                    whole.addTime(timestamp, last);
                }
                skipFirst = false;
                since += bytes;
                at += bytes;
            }
        } finally {
            file.release();
        }
        return whole;
    }

    private SegmentIndex readIndex(long limit) throws IOException {
        Path offsets = path(".index");
        Path times = path(".timeindex");
        if (!files.exists(offsets) || !files.exists(times)) {
            return new SegmentIndex();
        }
        try (StorageFile a = files.open(offsets, false);
                StorageFile b = files.open(times, false)) {
            return SegmentIndex.read(a, b, limit);
        }
    }

    /** Removes the files; readers in flight keep what they have. */
    public void delete() throws IOException {
        file.delete();
        files.delete(path(".index"));
        files.delete(path(".timeindex"));
    }

    /** Closes the file if nobody uses it. */
    public void closeFile() {
        file.closeIfIdle();
    }

    /** Walks batch headers with few reads. */
    static final class Walk {
        private final StorageFile file;
        private final ByteBuffer scratch;
        private final long limit;
        private long from = -1;
        private long to = -1;
        boolean valid;
        long baseOffset;
        long lastOffset;
        int size;

        Walk(StorageFile file, ByteBuffer scratch, long limit) {
            this.file = file;
            this.scratch = scratch;
            this.limit = limit;
        }

        boolean at(long position) throws IOException {
            valid = false;
            if (position + BatchFormat.HEADER_BYTES > limit) {
                return false;
            }
            if (position < from || position + WALK_BYTES > to) {
                scratch.clear().limit((int) Math.min(scratch.capacity(), limit - position));
                if (!file.readFully(position, scratch)) {
                    return false;
                }
                from = position;
                to = position + scratch.position();
            }
            int i = (int) (position - from);
            baseOffset = scratch.getLong(i);
            size = BatchFormat.PREFIX_BYTES + scratch.getInt(i + BatchFormat.LENGTH);
            lastOffset = baseOffset + scratch.getInt(i + BatchFormat.LAST_OFFSET_DELTA);
            valid = size >= BatchFormat.HEADER_BYTES && position + size <= limit;
            return valid;
        }
    }
}
