package io.sluice.log.segment;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.sluice.io.FileSystem;
import io.sluice.io.NoSpaceException;
import io.sluice.io.StorageFile;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.StreamConfig;
import io.sluice.log.record.BatchFormat;
import io.sluice.log.record.BatchRewriter;
import io.sluice.log.record.DecodedBatch;
import io.sluice.message.RecordView;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Compaction by key of closed segments (Kafka's {@code cleanup.policy=compact}): of each key the newest record stays, with its
 * offset; batches that lose records are written anew with the offsets they cover, batches that lose all of them go. A tombstone
 * (record without value) stays until its horizon, which the run that first keeps it writes into its batch as Kafka does (KIP-534).
 * Records without a key stay.
 *
 * <p>One run reads the keys of as many new batches as fit its memory, then writes the segments up to there again, oldest first, so
 * that a tombstone never goes before what it deletes. Not thread-safe.
 */
public final class SegmentCompactor {
    private final FileSystem files;
    private final Path directory;
    private final OpenFiles budget;
    private final StreamConfig config;
    private final int keys;
    private final int maxDecodedBytes;
    private final long now;
    private final BooleanSupplier stopped;
    private final RecordView view = new RecordView();
    private final SegmentCopy copy = new SegmentCopy();
    private final BatchRewriter rewriter;
    private KeyOffsets newest = new KeyOffsets(0);

    /** The file being written lacks something that was there. */
    private boolean changed;

    /** Puts a compacted segment in the place of others. */
    @FunctionalInterface
    public interface Replacer {
        /**
         * Takes over {@code compacted}, whose file is durable but has no name yet.
         *
         * @return false if the others are no longer there: nothing was replaced
         */
        boolean replace(List<Segment> others, Segment compacted) throws NoSpaceException;
    }

    /**
     * Prepares a run.
     *
     * @param keyBytes memory for keys, bytes
     * @param maxDecodedBytes largest batch after decompression, bytes
     * @param now epoch ms
     * @param stopped asked often; ends the run with CLOSED
     */
    public SegmentCompactor(
            FileSystem files,
            Path directory,
            OpenFiles budget,
            StreamConfig config,
            long keyBytes,
            int maxDecodedBytes,
            long now,
            BooleanSupplier stopped) {
        this.files = files;
        this.directory = directory;
        this.budget = budget;
        this.config = config;
        this.keys = KeyOffsets.keysIn(keyBytes);
        this.maxDecodedBytes = maxDecodedBytes;
        this.now = now;
        this.stopped = stopped;
        this.rewriter = new BatchRewriter(maxDecodedBytes);
    }

    /**
     * Compacts.
     *
     * @param segments all closed segments that may change, ascending
     * @param from how far earlier runs came
     * @return how far this run came
     * @throws NoSpaceException if there is no space for a new file: what was replaced stays replaced
     * @throws LogException CORRUPT_BATCH, or CLOSED if it was stopped
     * @throws UncheckedIOException if a file could not be synced or replaced: the directory must not be written any more
     */
    public CompactionState run(List<Segment> segments, CompactionState from, Replacer replacer) throws IOException {
        long to = readKeys(segments, from.cleanedTo());
        long horizon = Long.MAX_VALUE;
        List<Segment> group = new ArrayList<>();
        Segment target = null;
        try {
            for (Segment segment : segments) {
                if (segment.baseOffset() >= to) {
                    break;
                }
                if (target != null && !fits(target, segment)) {
                    Segment full = target;
                    target = null;
                    finish(group, full, replacer);
                    group.clear();
                }
                if (target == null) {
                    target = begin(segment);
                }
                group.add(segment);
                horizon = Math.min(horizon, copy(segment, target, to));
            }
            Segment last = target;
            target = null;
            if (last != null) {
                finish(group, last, replacer);
            }
            return new CompactionState(to, horizon);
        } finally {
            if (target != null) {
                target.discard();
            }
        }
    }

    /** Notes the keys from {@code from} on, as many whole batches as fit; answers the offset that it came to. */
    private long readKeys(List<Segment> segments, long from) throws IOException {
        long to = from;
        newest = new KeyOffsets(0);
        for (Segment segment : segments) {
            if (segment.nextOffset() <= from) {
                continue;
            }
            StorageFile file = segment.acquireFile();
            try {
                SegmentScan scan = new SegmentScan(file, 0, segment.size());
                while (scan.next(segment.baseOffset())) {
                    checkStopped();
                    if (scan.lastOffset() < from) {
                        continue;
                    }
                    int records = BatchFormat.recordCount(scan.batch(), scan.batchIndex());
                    if (newest.size() > 0 && newest.size() + records > keys) {
                        return scan.baseOffset();
                    }
                    newest.ensureCapacity(newest.size() + records);
                    readKeys(scan);
                }
                checkWhole(segment, scan);
            } finally {
                segment.releaseFile();
            }
            to = segment.nextOffset();
        }
        return to;
    }

    private void readKeys(SegmentScan scan) {
        DecodedBatch batch = DecodedBatch.decode(
                scan.batch().retainedSlice(scan.batchIndex(), scan.size()),
                UnpooledByteBufAllocator.DEFAULT,
                maxDecodedBytes);
        try {
            for (int i = 0; i < batch.recordCount(); i++) {
                batch.recordAt(i, view);
                if (view.keyLength() >= 0) {
                    newest.put(view.buffer(), view.keyStart(), view.keyLength(), view.offset());
                }
            }
        } finally {
            batch.release();
        }
    }

    private static void checkWhole(Segment segment, SegmentScan scan) {
        if (scan.position() != segment.size()) {
            throw new LogException(
                    Reason.CORRUPT_BATCH, "segment " + segment.baseOffset() + " is damaged at " + scan.position());
        }
    }

    private void checkStopped() {
        if (stopped.getAsBoolean()) {
            throw new LogException(Reason.CLOSED, "compaction is broken off");
        }
    }

    private boolean fits(Segment target, Segment segment) {
        long limit = Math.min(config.segmentBytes(), Integer.MAX_VALUE - (64L << 20));
        return copy.position() + segment.size() <= limit
                && segment.nextOffset() - target.baseOffset() <= Integer.MAX_VALUE;
    }

    private Segment begin(Segment first) throws IOException {
        changed = false;
        copy.begin();
        return Segment.compacted(files, directory, first.baseOffset(), budget, first.createdMillis());
    }

    /** Copies what stays of a segment and answers when the first of its tombstones may go. */
    private long copy(Segment segment, Segment target, long to) throws IOException {
        long horizon = Long.MAX_VALUE;
        StorageFile file = segment.acquireFile();
        try {
            SegmentScan scan = new SegmentScan(file, 0, segment.size());
            while (scan.next(segment.baseOffset())) {
                checkStopped();
                int at = scan.batchIndex();
                if (scan.baseOffset() >= to || BatchFormat.isControl(scan.batch(), at)) {
                    copy.put(target, scan.batch(), at, scan.size());
                    continue;
                }
                BatchRewriter.Outcome outcome =
                        rewriter.rewrite(scan.batch(), at, this::isNewest, now, config.tombstoneMillis());
                horizon = Math.min(horizon, rewriter.horizon());
                switch (outcome) {
                    case UNCHANGED -> copy.put(target, scan.batch(), at, scan.size());
                    case REWRITTEN -> {
                        changed = true;
                        ByteBuf rewritten = rewriter.batch();
                        copy.put(target, rewritten, 0, rewritten.writerIndex());
                    }
                    case EMPTY -> changed = true;
                }
            }
            checkWhole(segment, scan);
        } finally {
            segment.releaseFile();
        }
        return horizon;
    }

    private boolean isNewest(RecordView record) {
        return record.keyLength() < 0
                || newest.newest(record.buffer(), record.keyStart(), record.keyLength()) <= record.offset();
    }

    private void finish(List<Segment> group, Segment target, Replacer replacer) throws IOException {
        if (!changed && group.size() == 1) {
            target.discard();
            return;
        }
        boolean nothingReplaced = true;
        try {
            copy.flush(target);
            target.complete(group.get(group.size() - 1).nextOffset());
            nothingReplaced = !replacer.replace(List.copyOf(group), target);
        } catch (UncheckedIOException e) {
            // what has which name is for the next start to find out
            nothingReplaced = false;
            throw e;
        } finally {
            if (nothingReplaced) {
                target.discard();
            }
        }
    }
}
