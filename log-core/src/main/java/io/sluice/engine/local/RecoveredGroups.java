package io.sluice.engine.local;

import io.netty.buffer.ByteBuf;
import io.sluice.log.PartitionId;
import io.sluice.log.record.BatchFormat;
import io.sluice.log.record.GroupMark;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.roaringbitmap.longlong.Roaring64Bitmap;

/**
 * Finds the groups of which a crash left some batches and not others: segments are written while the write-ahead log syncs, or
 * without it, so they may hold a part. A group is whole if all its batches are in segments, or if the log has it, which brings back
 * what is missing. Of any other nothing may stay: its partitions are cut where it begins. A cut takes what stands behind, and so
 * may tear further groups, which go too; what the log has comes back from it.
 *
 * <p>Nothing confirmed goes that way but what its durability did not promise to keep: a group that is not whole was never
 * confirmed, or was not synced and lost a part with the power. In a process that is killed only the last pass of a writer can be torn,
 * and nothing stands behind that.
 */
final class RecoveredGroups {
    private final Map<PartitionId, Marks> found = new HashMap<>();
    private final Roaring64Bitmap logged = new Roaring64Bitmap();

    /** Batches of groups in one partition above its recovery point, ascending. */
    private static final class Marks {
        private long[] marks = new long[16];
        private long[] offsets = new long[16];
        private int size;
        private int cutAt = Integer.MAX_VALUE;

        void add(long mark, long offset) {
            if (size == marks.length) {
                marks = Arrays.copyOf(marks, size * 2);
                offsets = Arrays.copyOf(offsets, size * 2);
            }
            marks[size] = mark;
            offsets[size++] = offset;
        }

        int kept() {
            return Math.min(size, cutAt);
        }
    }

    private record Part(Marks marks, int index) {}

    /** A batch in a segment. */
    void inSegment(PartitionId partition, ByteBuf bytes, int at) {
        long mark = BatchFormat.producerId(bytes, at);
        if (GroupMark.isMark(mark)) {
            found.computeIfAbsent(partition, absent -> new Marks()).add(mark, BatchFormat.baseOffset(bytes, at));
        }
    }

    /** A batch in the write-ahead log, which has all of a group or nothing. */
    void inLog(ByteBuf bytes, int at) {
        long mark = BatchFormat.producerId(bytes, at);
        if (GroupMark.isMark(mark)) {
            logged.addLong(GroupMark.pass(mark));
        }
    }

    /** True if the segments alone have each group as a whole: the log need not be asked. */
    boolean areWhole() {
        return torn().isEmpty();
    }

    /** Where partitions must be cut, once the log was seen: the offset of the first batch to go. */
    Map<PartitionId, Long> cuts() {
        Map<Long, List<Part>> parts = new HashMap<>();
        for (Marks marks : found.values()) {
            for (int i = 0; i < marks.size; i++) {
                parts.computeIfAbsent(marks.marks[i], absent -> new ArrayList<>(2))
                        .add(new Part(marks, i));
            }
        }
        ArrayDeque<Long> torn = torn();
        while (!torn.isEmpty()) {
            long mark = torn.remove();
            if (logged.contains(GroupMark.pass(mark))) {
                continue;
            }
            for (Part part : parts.getOrDefault(mark, List.of())) {
                Marks in = part.marks();
                for (int i = part.index(); i < in.kept(); i++) {
                    torn.add(in.marks[i]);
                }
                in.cutAt = Math.min(in.cutAt, part.index());
            }
            parts.remove(mark);
        }
        Map<PartitionId, Long> cuts = new HashMap<>();
        found.forEach((partition, marks) -> {
            if (marks.cutAt < marks.size) {
                cuts.put(partition, marks.offsets[marks.cutAt]);
            }
        });
        return cuts;
    }

    /** Marks of groups of which segments have too little. */
    private ArrayDeque<Long> torn() {
        long[] all =
                new long[found.values().stream().mapToInt(marks -> marks.size).sum()];
        int size = 0;
        for (Marks marks : found.values()) {
            System.arraycopy(marks.marks, 0, all, size, marks.size);
            size += marks.size;
        }
        Arrays.sort(all);
        ArrayDeque<Long> torn = new ArrayDeque<>();
        for (int from = 0; from < size; ) {
            int to = from + 1;
            while (to < size && all[to] == all[from]) {
                to++;
            }
            if (to - from < GroupMark.parts(all[from])) {
                torn.add(all[from]);
            }
            from = to;
        }
        return torn;
    }
}
