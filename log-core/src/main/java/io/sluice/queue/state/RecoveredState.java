package io.sluice.queue.state;

import io.netty.buffer.ByteBuf;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryMachine.ReferenceVisitor;
import io.sluice.queue.Reference;
import io.sluice.queue.TargetSet;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.roaringbitmap.longlong.Roaring64Bitmap;

/**
 * Queues as they are put together after a start: {@link #apply} all journal records in order, {@link #replay} the home
 * partitions from {@link #fedBelow}, then {@link #finish}. From then on it holds the queues that nobody opened yet. Not
 * thread-safe.
 */
public final class RecoveredState {
    private Map<Long, RecoveredQueue> queues = new HashMap<>();
    private long[] fed;
    private Map<Long, RecoveredQueue> building = new HashMap<>();
    private long[] fedBuilding;

    /** {@code homePartitions}: their number. */
    public RecoveredState(int homePartitions) {
        fed = new long[homePartitions];
        fedBuilding = new long[homePartitions];
    }

    private static final class RecoveredQueue {
        long[] positions = new long[16];
        long[] states = new long[16];
        int size;
        Roaring64Bitmap settled = new Roaring64Bitmap();
        Map<Long, Integer> failures = new HashMap<>();
        long[] deliveredBelow;

        RecoveredQueue(int partitions) {
            deliveredBelow = new long[partitions];
        }

        void add(long position, long state) {
            if (size == positions.length) {
                positions = Arrays.copyOf(positions, size * 2);
                states = Arrays.copyOf(states, size * 2);
            }
            positions[size] = position;
            states[size++] = state;
        }

        void finish(long[] start, long[] end) {
            int kept = 0;
            for (int i = 0; i < size; i++) {
                long position = positions[i];
                int partition = Reference.partition(position);
                long offset = Reference.offset(position);
                if (settled.contains(position) || offset < start[partition] || offset >= end[partition]) {
                    continue;
                }
                long state = states[i];
                boolean redelivered = Reference.redelivered(state) || offset < deliveredBelow[partition];
                Integer count = failures.get(position);
                states[kept] = Reference.state(
                        Reference.size(state),
                        count == null ? Reference.deliveryCount(state) : count,
                        redelivered || count != null);
                positions[kept++] = position;
            }
            size = kept;
            sort();
            settled = new Roaring64Bitmap();
            failures = Map.of();
        }

        /** By partition and offset; checkpoints have messages that were in flight first. */
        private void sort() {
            boolean sorted = true;
            for (int i = 1; i < size && sorted; i++) {
                sorted = positions[i - 1] < positions[i];
            }
            if (sorted) {
                return;
            }
            Integer[] order = new Integer[size];
            Arrays.setAll(order, i -> i);
            Arrays.sort(order, (a, b) -> Long.compare(positions[a], positions[b]));
            long[] sortedPositions = new long[size];
            long[] sortedStates = new long[size];
            for (int i = 0; i < size; i++) {
                sortedPositions[i] = positions[order[i]];
                sortedStates[i] = states[order[i]];
            }
            positions = sortedPositions;
            states = sortedStates;
        }
    }

    /**
     * Applies one journal record.
     *
     * @throws io.sluice.log.LogException CORRUPT_BATCH, UNSUPPORTED_FORMAT
     */
    public void apply(ByteBuf in) {
        int version = in.readByte();
        if (version != StateCodec.VERSION) {
            throw new io.sluice.log.LogException(
                    io.sluice.log.LogException.Reason.UNSUPPORTED_FORMAT,
                    "queue journal record of version " + version + "; this build reads version " + StateCodec.VERSION);
        }
        int type = in.readByte();
        switch (type) {
            case StateCodec.CREATED ->
                queues.computeIfAbsent(StateCodec.readLong(in), id -> new RecoveredQueue(fed.length));
            case StateCodec.DELETED -> queues.remove(StateCodec.readLong(in));
            case StateCodec.DELTA -> applyDelta(in);
            case StateCodec.BEGIN -> {
                building = new HashMap<>();
                fedBuilding = new long[(int) StateCodec.readLong(in)];
                for (int i = 0; i < fedBuilding.length; i++) {
                    fedBuilding[i] = StateCodec.readLong(in);
                }
                if (fedBuilding.length != fed.length) {
                    throw StateCodec.corrupt(
                            "written for " + fedBuilding.length + " home partitions, there are " + fed.length);
                }
            }
            case StateCodec.SNAPSHOT -> {
                RecoveredQueue queue =
                        building.computeIfAbsent(StateCodec.readLong(in), id -> new RecoveredQueue(fed.length));
                long count = StateCodec.readLong(in);
                for (long i = 0; i < count; i++) {
                    queue.add(in.readLong(), in.readLong());
                }
            }
            case StateCodec.END -> {
                queues = building;
                fed = fedBuilding;
                building = new HashMap<>();
            }
            default -> throw StateCodec.corrupt("unknown record type " + type);
        }
    }

    /** Offset of a home partition from which its records must be replayed. */
    public long fedBelow(int partition) {
        return fed[partition];
    }

    /** Takes up one record of a home partition, in offset order. Queues that do not exist are passed over. */
    public void replay(int partition, RecordView record, int size) {
        long position = Reference.position(partition, record.offset());
        long state = Reference.state(size, 0, false);
        TargetSet.forEachQueue(record, id -> {
            RecoveredQueue queue = queues.get(id);
            if (queue != null && !queue.settled.contains(position)) {
                queue.add(position, state);
            }
        });
    }

    /**
     * Settles, counts and flags what the journal says; drops what the log does not hold (any more). A settlement of an offset
     * that the log lost says nothing about the message that will get this offset.
     */
    public void finish(long[] logStart, long[] logEnd) {
        for (RecoveredQueue queue : queues.values()) {
            queue.finish(logStart, logEnd);
        }
        building = new HashMap<>();
    }

    /** Hands over a queue's messages in order and forgets it; false if it is unknown. */
    public boolean take(long queueId, ReferenceVisitor to) {
        RecoveredQueue queue = queues.remove(queueId);
        if (queue == null) {
            return false;
        }
        for (int i = 0; i < queue.size; i++) {
            to.visit(queue.positions[i], queue.states[i]);
        }
        return true;
    }

    /** All unsettled references of all queues. */
    public void forEachReference(LongConsumer position) {
        for (RecoveredQueue queue : queues.values()) {
            for (int i = 0; i < queue.size; i++) {
                position.accept(queue.positions[i]);
            }
        }
    }

    /** Number of queues that nobody opened yet. */
    public int size() {
        return queues.size();
    }

    /** Deletes a queue; {@code forgotten} sees its references. False if it is unknown. */
    public boolean drop(long queueId, LongConsumer forgotten) {
        return take(queueId, (position, state) -> forgotten.accept(position));
    }

    void forEach(BiConsumer<Long, Consumer<ReferenceVisitor>> visitor) {
        queues.forEach((id, queue) -> visitor.accept(id, to -> {
            for (int i = 0; i < queue.size; i++) {
                to.visit(queue.positions[i], queue.states[i]);
            }
        }));
    }

    private void applyDelta(ByteBuf in) {
        RecoveredQueue queue = queues.get(StateCodec.readLong(in));
        if (queue == null) {
            return;
        }
        for (long left = StateCodec.readLong(in); left > 0; left--) {
            int partition = (int) StateCodec.readLong(in);
            long below = StateCodec.readLong(in);
            if (partition >= fed.length) {
                throw StateCodec.corrupt("home partition " + partition);
            }
            queue.deliveredBelow[partition] = Math.max(queue.deliveredBelow[partition], below);
        }
        for (long left = StateCodec.readLong(in); left > 0; left--) {
            long position = StateCodec.readLong(in);
            queue.failures.put(position, (int) StateCodec.readLong(in));
        }
        long at = 0;
        for (long left = StateCodec.readLong(in); left > 0; left--) {
            long first = at + StateCodec.readLong(in);
            long last = first + StateCodec.readLong(in);
            queue.settled.addRange(first, last + 1);
            at = last;
        }
    }
}
