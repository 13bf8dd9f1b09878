package io.sluice.engine.local;

import io.sluice.io.FileSystem;
import io.sluice.io.NoSpaceException;
import io.sluice.log.LiveOffsets;
import io.sluice.log.LogException;
import io.sluice.log.segment.OpenFiles;
import io.sluice.log.segment.Segment;
import io.sluice.log.segment.SegmentPruner;
import io.sluice.log.segment.SegmentPruner.Survivors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.WeakHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes dead batches out of closed segments; see {@link io.sluice.log.LogPartition#dropDead}. A segment is looked at when its dead
 * offsets let expect that under a quarter of its bytes is live, and written anew, together with its neighbours, when the headers say so
 * too. New files never take more than a quarter of the space that is free, so that a full disk is helped and not filled up. Cleaner
 * thread.
 */
final class DeadBatches {
    private static final Logger log = LoggerFactory.getLogger(DeadBatches.class);
    /** A segment is written anew if this many times its live bytes are less than all. */
    private static final int WORTH = 4;

    private static final int LARGEST_SEGMENT = Integer.MAX_VALUE - (64 << 20);

    private final LocalLogEngine engine;
    private final FileSystem files;
    private final OpenFiles budget;
    private final WeakHashMap<Segment, Look> looks = new WeakHashMap<>();
    /** Partitions with a damaged segment, as was said once. */
    private final Set<LocalPartition> damaged = new HashSet<>();

    private boolean waitsForSpace;

    /** What was live of a segment when its headers were read last. */
    private record Look(long runs, long bytes) {}

    DeadBatches(LocalLogEngine engine, FileSystem files, OpenFiles budget) {
        this.engine = engine;
        this.files = files;
        this.budget = budget;
    }

    /** Answers the bytes won. */
    long drop(LocalPartition partition, LiveOffsets live) {
        damaged.removeIf(LocalPartition::isClosed);
        if (partition.isClosed() || engine.isClosed() || engine.isFailed() || damaged.contains(partition)) {
            return 0;
        }
        Run run = new Run(partition, live);
        try {
            run.work();
            if (run.won > 0) {
                waitsForSpace = false;
            }
        } catch (NoSpaceException e) {
            if (!waitsForSpace) {
                waitsForSpace = true;
                log.warn("Dropping settled messages of {} waits for disk space: {}", partition, e.getMessage());
            }
        } catch (UncheckedIOException e) {
            if (!partition.isClosed()) {
                engine.fail("Replacing segments of " + partition + " failed", e);
            }
        } catch (IOException | LogException e) {
            if (!partition.isClosed() && !engine.isClosed()) {
                damaged.add(partition);
                log.error("Settled messages of {} cannot be dropped; they stay until a restart", partition, e);
            }
        }
        if (run.won > 0) {
            log.debug("Dropped {} bytes of settled messages of {}", run.won, partition);
        }
        return run.won;
    }

    /** One run over one partition. */
    private final class Run {
        private final LocalPartition partition;
        private final LiveOffsets live;
        private final long segmentBytes;
        private final List<Survivors> group = new ArrayList<>();
        private long groupBytes;
        private boolean groupIsWorth;
        private long won;

        Run(LocalPartition partition, LiveOffsets live) {
            this.partition = partition;
            this.live = live;
            this.segmentBytes = Math.min(partition.stream().config().segmentBytes(), LARGEST_SEGMENT);
        }

        void work() throws IOException {
            List<Segment> closed = closed();
            long dead = 0;
            for (Segment segment : closed) {
                dead += isWorth(segment, liveBytes(segment)) ? segment.size() - liveBytes(segment) : 0;
            }
            if (dead < segmentBytes) {
                return;
            }
            SegmentPruner pruner = new SegmentPruner(
                    files,
                    partition.segments().directory(),
                    budget,
                    () -> engine.isClosed() || engine.isFailed() || partition.isClosed());
            for (Segment segment : closed) {
                take(pruner, segment);
            }
            rewrite(pruner);
        }

        /**
         * Segments that may change. What a checkpoint does not cover yet is left out, since recovery takes gaps in it for losses.
         */
        private List<Segment> closed() {
            Segment[] all = partition.segments().all();
            long bound = Math.min(Math.min(partition.highWatermark(), partition.recoveryPoint()), live.end());
            List<Segment> closed = new ArrayList<>();
            for (int i = 0; i + 1 < all.length && all[i].isSettled() && all[i + 1].baseOffset() <= bound; i++) {
                closed.add(all[i]);
            }
            return closed;
        }

        /** Adds a segment to the group, or ends the group before it. */
        private void take(SegmentPruner pruner, Segment segment) throws IOException {
            boolean small = segment.size() * WORTH < segmentBytes;
            if (!small && !isWorth(segment, liveBytes(segment))) {
                rewrite(pruner);
                return;
            }
            Survivors survivors = pruner.look(segment, live);
            looks.put(segment, new Look(live.liveRuns(segment.baseOffset(), segment.nextOffset()), survivors.bytes()));
            boolean worth = isWorth(segment, survivors.bytes());
            if (!group.isEmpty()
                    && (groupBytes + survivors.bytes() > mostBytes()
                            || segment.nextOffset() - group.get(0).segment().baseOffset() > Integer.MAX_VALUE)) {
                rewrite(pruner);
            }
            if (!small && !worth || survivors.bytes() > mostBytes()) {
                rewrite(pruner);
                return;
            }
            group.add(survivors);
            groupBytes += survivors.bytes();
            groupIsWorth |= worth;
        }

        private long mostBytes() throws IOException {
            return Math.min(
                    segmentBytes, files.space(partition.segments().directory()).usable() / WORTH);
        }

        private void rewrite(SegmentPruner pruner) throws IOException {
            if (groupIsWorth) {
                won += pruner.rewrite(List.copyOf(group), this::replace);
            }
            group.clear();
            groupBytes = 0;
            groupIsWorth = false;
        }

        private boolean replace(List<Segment> others, Segment pruned) throws NoSpaceException {
            boolean replaced = partition.segments().replace(others, pruned);
            if (replaced) {
                looks.put(pruned, new Look(live.liveRuns(pruned.baseOffset(), pruned.nextOffset()), pruned.size()));
            }
            return replaced;
        }

        private boolean isWorth(Segment segment, long liveBytes) {
            return liveBytes * WORTH < segment.size();
        }

        /** As far as is known without reading: the share of live offsets, since the last look if there was one. */
        private long liveBytes(Segment segment) {
            long from = segment.baseOffset();
            long to = segment.nextOffset();
            long runs = live.liveRuns(from, to);
            Look look = looks.get(segment);
            long allRuns = look == null ? Math.max(1, (to - from) / LiveOffsets.RUN) : Math.max(1, look.runs());
            long bytes = look == null ? segment.size() : look.bytes();
            return Math.min(bytes, (long) ((double) bytes * runs / allRuns));
        }
    }
}
