package io.sluice.log.segment;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.io.FileSystem;
import io.sluice.io.NoSpaceException;
import io.sluice.io.StorageFile;
import io.sluice.log.LiveOffsets;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.record.BatchFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Writes closed segments anew without the batches that hold nothing live. Batches that stay are copied byte for byte, so records keep
 * their offsets. Not thread-safe.
 */
public final class SegmentPruner {
    private static final int WALK_BYTES = 8 << 10;
    private static final int COPY_BYTES = 256 << 10;

    private final FileSystem files;
    private final Path directory;
    private final OpenFiles budget;
    private final BooleanSupplier stopped;
    private final SegmentCopy copy = new SegmentCopy();
    private final ByteBuffer walked = ByteBuffer.allocateDirect(WALK_BYTES);
    private ByteBuffer bytes = ByteBuffer.allocateDirect(COPY_BYTES);
    private ByteBuf view = Unpooled.wrappedBuffer(bytes);

    /**
     * Prepares a run.
     *
     * @param stopped asked often; ends the run with CLOSED
     */
    public SegmentPruner(FileSystem files, Path directory, OpenFiles budget, BooleanSupplier stopped) {
        this.files = files;
        this.directory = directory;
        this.budget = budget;
        this.stopped = stopped;
    }

    /** What stays of a segment. */
    public static final class Survivors {
        private final Segment segment;
        private int[] positions = new int[16];
        private int[] sizes = new int[16];
        private int count;
        private long bytes;

        private Survivors(Segment segment) {
            this.segment = segment;
        }

        private void add(long position, int size) {
            if (count == positions.length) {
                positions = Arrays.copyOf(positions, count * 2);
                sizes = Arrays.copyOf(sizes, count * 2);
            }
            positions[count] = (int) position;
            sizes[count++] = size;
            bytes += size;
        }

        public Segment segment() {
            return segment;
        }

        /** Bytes of the batches that stay. */
        public long bytes() {
            return bytes;
        }
    }

    /**
     * Walks the headers of a closed segment.
     *
     * @throws LogException CORRUPT_BATCH, or CLOSED if it was stopped
     */
    public Survivors look(Segment segment, LiveOffsets live) throws IOException {
        Survivors survivors = new Survivors(segment);
        StorageFile file = segment.acquireFile();
        try {
            Segment.Walk walk = new Segment.Walk(file, walked, segment.size());
            long expected = segment.baseOffset();
            long at = 0;
            while (walk.at(at) && walk.baseOffset >= expected && walk.lastOffset >= walk.baseOffset) {
                checkStopped();
                if (live.anyLive(walk.baseOffset, walk.lastOffset)) {
                    survivors.add(at, walk.size);
                }
                expected = walk.lastOffset + 1;
                at += walk.size;
            }
            if (at != segment.size()) {
                throw damaged(segment, at);
            }
        } finally {
            segment.releaseFile();
        }
        return survivors;
    }

    /**
     * Puts one segment with what stays in the place of adjacent others.
     *
     * @return bytes won; 0 if the segments are no longer there
     * @throws NoSpaceException if there is no space for the new file: nothing was replaced
     * @throws LogException CORRUPT_BATCH, or CLOSED if it was stopped: nothing was replaced
     * @throws UncheckedIOException if a file could not be synced or replaced: the directory must not be written any more
     */
    public long rewrite(List<Survivors> group, SegmentCompactor.Replacer replacer) throws IOException {
        List<Segment> others = new ArrayList<>();
        long before = 0;
        for (Survivors survivors : group) {
            others.add(survivors.segment);
            before += survivors.segment.size();
        }
        Segment first = others.get(0);
        Segment target = Segment.compacted(files, directory, first.baseOffset(), budget, first.createdMillis());
        boolean nothingReplaced = true;
        try {
            copy.begin();
            for (Survivors survivors : group) {
                copy(survivors, target);
            }
            copy.flush(target);
            target.complete(others.get(others.size() - 1).nextOffset());
            nothingReplaced = !replacer.replace(others, target);
        } catch (UncheckedIOException e) {
            // what has which name is for the next start to find out
            nothingReplaced = false;
            throw e;
        } finally {
            if (nothingReplaced) {
                target.discard();
            }
        }
        return nothingReplaced ? 0 : before - copy.position();
    }

    private void copy(Survivors from, Segment target) throws IOException {
        StorageFile file = from.segment.acquireFile();
        try {
            for (int i = 0; i < from.count; i++) {
                checkStopped();
                int size = from.sizes[i];
                if (size > bytes.capacity()) {
                    bytes = ByteBuffer.allocateDirect(size);
                    view = Unpooled.wrappedBuffer(bytes);
                }
                bytes.clear().limit(size);
                if (!file.readFully(from.positions[i], bytes) || !BatchFormat.isCrcValid(view, 0, size)) {
                    throw damaged(from.segment, from.positions[i]);
                }
                copy.put(target, view, 0, size);
            }
        } finally {
            from.segment.releaseFile();
        }
    }

    private static LogException damaged(Segment segment, long at) {
        return new LogException(Reason.CORRUPT_BATCH, "segment " + segment.baseOffset() + " is damaged at " + at);
    }

    private void checkStopped() {
        if (stopped.getAsBoolean()) {
            throw new LogException(Reason.CLOSED, "dropping dead batches is broken off");
        }
    }
}
