package io.sluice.queue.state;

import io.netty.buffer.ByteBuf;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryMachine.ReferenceVisitor;
import io.sluice.queue.Reference;
import io.sluice.queue.TargetSet;
import java.util.HashMap;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

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
    private int order;
    private int orderBuilding;
    private int nextOrder;
    private boolean checkpointing;
    private boolean headless;

    /** {@code homePartitions}: their number. */
    public RecoveredState(int homePartitions) {
        fed = new long[homePartitions];
        fedBuilding = new long[homePartitions];
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
            case StateCodec.CREATED -> {
                long id = StateCodec.readLong(in);
                queue(queues, id);
                if (checkpointing) {
                    queue(building, id);
                }
            }
            case StateCodec.DELETED -> {
                long id = StateCodec.readLong(in);
                queues.remove(id);
                building.remove(id);
            }
            case StateCodec.DELTA -> applyDelta(in);
            case StateCodec.BEGIN -> begin(in);
            case StateCodec.WAITING -> {
                RecoveredQueue queue = queue(building, StateCodec.readLong(in));
                for (long left = StateCodec.readLong(in); left > 0; left--) {
                    queue.addWaiting(in.readLong(), in.readLong());
                }
            }
            case StateCodec.DELIVERED -> {
                RecoveredQueue queue = queue(building, StateCodec.readLong(in));
                for (long left = StateCodec.readLong(in); left > 0; left--) {
                    queue.addDelivered(in.readLong(), in.readLong(), in.readLong());
                }
            }
            case StateCodec.END -> {
                if (!checkpointing) {
                    // The rest of a checkpoint whose begin went with a deleted segment: a newer one must follow.
                    headless = true;
                    building = new HashMap<>();
                    break;
                }
                headless = false;
                queues = building;
                fed = fedBuilding;
                order = orderBuilding;
                nextOrder = order;
                building = new HashMap<>();
                checkpointing = false;
            }
            default -> throw StateCodec.corrupt("unknown record type " + type);
        }
    }

    private RecoveredQueue queue(Map<Long, RecoveredQueue> in, long id) {
        return in.computeIfAbsent(id, absent -> new RecoveredQueue(fed.length));
    }

    private void begin(ByteBuf in) {
        // one that was left without an end never counts
        building = new HashMap<>();
        checkpointing = true;
        orderBuilding = in.readInt();
        fedBuilding = new long[(int) StateCodec.readLong(in)];
        for (int i = 0; i < fedBuilding.length; i++) {
            fedBuilding[i] = StateCodec.readLong(in);
        }
        if (fedBuilding.length != fed.length) {
            throw StateCodec.corrupt("written for " + fedBuilding.length + " home partitions, there are " + fed.length);
        }
    }

    /** Offset of a home partition from which its records must be replayed. */
    public long fedBelow(int partition) {
        return fed[partition];
    }

    /** Takes up one record of a home partition, in offset order. Queues that do not exist are passed over. */
    public void replay(int partition, RecordView record, int size) {
        long position = Reference.position(partition, record.offset());
        int place = TargetSet.order(record);
        if (place - nextOrder >= 0) {
            nextOrder = place + 1;
        }
        TargetSet.forEachQueue(record, id -> {
            RecoveredQueue queue = queues.get(id);
            if (queue != null) {
                queue.replay(position, size, place);
            }
        });
    }

    /** Order of the next message for a home partition. */
    public int nextOrder() {
        return nextOrder;
    }

    /**
     * Settles, counts and flags what the journal says; drops what the log does not hold (any more). A settlement of an offset
     * that the log lost says nothing about the message that will get this offset.
     *
     * @throws io.sluice.log.LogException CORRUPT_BATCH if the journal starts within its only checkpoint
     */
    public void finish(long[] logStart, long[] logEnd) {
        if (headless) {
            throw StateCodec.corrupt("end of a checkpoint without its begin");
        }
        for (RecoveredQueue queue : queues.values()) {
            queue.finish(logStart, logEnd, order);
        }
        building = new HashMap<>();
        checkpointing = false;
    }

    /** Hands over a queue's messages in order and forgets it; false if it is unknown. */
    public boolean take(long queueId, ReferenceVisitor to) {
        RecoveredQueue queue = queues.remove(queueId);
        if (queue == null) {
            return false;
        }
        queue.visit(0, Integer.MAX_VALUE, to);
        return true;
    }

    /** All unsettled references of all queues. */
    public void forEachReference(LongConsumer position) {
        for (RecoveredQueue queue : queues.values()) {
            queue.visit(0, Integer.MAX_VALUE, (at, state) -> position.accept(at));
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

    /** Ids of the queues that nobody opened yet, ascending. */
    public SortedSet<Long> ids() {
        return new TreeSet<>(queues.keySet());
    }

    boolean contains(long queueId) {
        return queues.containsKey(queueId);
    }

    /** References of one queue from an index on; answers the index to go on with, -1 after the last. */
    long visit(long queueId, long from, int max, ReferenceVisitor visitor) {
        RecoveredQueue queue = queues.get(queueId);
        return queue == null ? -1 : queue.visit(from, max, visitor);
    }

    private void applyDelta(ByteBuf in) {
        long id = StateCodec.readLong(in);
        RecoveredQueue before = queues.get(id);
        RecoveredQueue next = checkpointing ? queue(building, id) : null;
        for (long left = StateCodec.readLong(in); left > 0; left--) {
            int partition = (int) StateCodec.readLong(in);
            long below = StateCodec.readLong(in);
            if (partition >= fed.length) {
                throw StateCodec.corrupt("home partition " + partition);
            }
            apply(before, next, queue -> queue.deliveredBelow(partition, below));
        }
        for (long left = StateCodec.readLong(in); left > 0; left--) {
            long position = StateCodec.readLong(in);
            int count = (int) StateCodec.readLong(in);
            apply(before, next, queue -> queue.failed(position, count));
        }
        long at = 0;
        for (long left = StateCodec.readLong(in); left > 0; left--) {
            long first = at + StateCodec.readLong(in);
            long last = first + StateCodec.readLong(in);
            apply(before, next, queue -> queue.settle(first, last));
            at = last;
        }
    }

    private static void apply(
            @Nullable RecoveredQueue before, @Nullable RecoveredQueue next, Consumer<RecoveredQueue> change) {
        if (before != null) {
            change.accept(before);
        }
        if (next != null) {
            change.accept(next);
        }
    }
}
