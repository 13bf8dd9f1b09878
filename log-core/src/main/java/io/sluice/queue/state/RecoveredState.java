package io.sluice.queue.state;

import io.netty.buffer.ByteBuf;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.QueueId;
import io.sluice.queue.Reference;
import io.sluice.queue.ReferenceVisitor;
import io.sluice.queue.TargetSet;
import io.sluice.queue.index.BlockStore;
import io.sluice.queue.index.ReferenceCodec;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Queues as they are put together after a start: {@link #apply} all journal records in order, {@link #replay} the home
 * partitions from {@link #fedBelow}, then {@link #finish}. From then on it holds the queues that nobody opened yet. Not
 * thread-safe.
 */
public final class RecoveredState {
    private final BlockStore blocks;
    private final ReferenceCodec codec = new ReferenceCodec();
    private Map<Long, RecoveredQueue> queues = new HashMap<>();
    private long[] fed;
    private Map<Long, RecoveredQueue> building = new HashMap<>();
    private long[] fedBuilding;
    private int order;
    private int orderBuilding;
    private int nextOrder;
    private boolean checkpointing;
    private boolean headless;

    /**
     * Nothing recovered yet.
     *
     * @param homePartitions their number
     * @param blocks takes up long backlogs
     */
    public RecoveredState(int homePartitions, BlockStore blocks) {
        this.blocks = blocks;
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
        if (version < StateCodec.OLDEST_VERSION || version > StateCodec.VERSION) {
            throw new io.sluice.log.LogException(
                    io.sluice.log.LogException.Reason.UNSUPPORTED_FORMAT,
                    "queue journal record of version " + version + "; this build reads versions "
                            + StateCodec.OLDEST_VERSION + " to " + StateCodec.VERSION);
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
                close(queues.remove(id));
                close(building.remove(id));
            }
            case StateCodec.DELTA -> applyDelta(in, version);
            case StateCodec.BEGIN -> begin(in);
            case StateCodec.WAITING -> {
                RecoveredQueue queue = queue(building, StateCodec.readLong(in));
                codec.read(in, (int) StateCodec.readLong(in), queue::addWaiting);
            }
            case StateCodec.DELIVERED -> {
                RecoveredQueue queue = queue(building, StateCodec.readLong(in));
                for (long left = StateCodec.readLong(in); left > 0; left--) {
                    queue.addDelivered(in.readLong(), in.readLong(), in.readLong(), in.readLong());
                }
            }
            case StateCodec.ARRIVED -> {
                RecoveredQueue queue = queue(building, StateCodec.readLong(in));
                for (long left = StateCodec.readLong(in); left > 0; left--) {
                    queue.addArrived(in.readLong(), in.readLong(), in.readLong(), in.readLong());
                }
            }
            case StateCodec.POSTPONED -> {
                RecoveredQueue queue = queue(building, StateCodec.readLong(in));
                for (long left = StateCodec.readLong(in); left > 0; left--) {
                    queue.postponed(StateCodec.readLong(in), StateCodec.readLong(in));
                }
            }
            case StateCodec.END -> {
                if (!checkpointing) {
                    // The rest of a checkpoint whose begin went with a deleted segment: a newer one must follow.
                    headless = true;
                    building = cleared(building);
                    break;
                }
                headless = false;
                cleared(queues);
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
        return in.computeIfAbsent(id, absent -> new RecoveredQueue(fed.length, blocks, QueueId.isOfDelayed(id)));
    }

    private static void close(@Nullable RecoveredQueue queue) {
        if (queue != null) {
            queue.close();
        }
    }

    private static Map<Long, RecoveredQueue> cleared(Map<Long, RecoveredQueue> from) {
        from.values().forEach(RecoveredQueue::close);
        return new HashMap<>();
    }

    private void begin(ByteBuf in) {
        // one that was left without an end never counts
        building = cleared(building);
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
        TargetSet.Stamp stamp = TargetSet.stampOf(record);
        if (stamp.order() - nextOrder >= 0) {
            nextOrder = stamp.order() + 1;
        }
        TargetSet.forEachQueue(record, id -> {
            RecoveredQueue queue = queues.get(id);
            if (queue != null) {
                queue.replay(position, size, stamp);
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
        building = cleared(building);
        checkpointing = false;
    }

    /**
     * Hands over a queue's messages in order and forgets it; false if it is unknown.
     *
     * @param waiting sees those whose expiry is known
     * @param arrived sees those behind
     */
    public boolean take(long queueId, ReferenceVisitor waiting, ArrivedVisitor arrived) {
        RecoveredQueue queue = queues.remove(queueId);
        if (queue == null) {
            return false;
        }
        visit(queue, waiting, arrived);
        queue.close();
        return true;
    }

    /** Tells for messages of a queue the time before which they are not to be delivered, epoch ms; 0 = none. */
    public LongUnaryOperator dues(long queueId) {
        RecoveredQueue queue = queues.get(queueId);
        return queue == null ? position -> 0 : queue::due;
    }

    /** As {@link #visitWaiting} for the times of {@link #dues}, all at once. */
    void visitPostponed(long queueId, DeliveryMachine.PostponedVisitor visitor) {
        RecoveredQueue queue = queues.get(queueId);
        if (queue != null) {
            queue.visitPostponed(visitor);
        }
    }

    /** All unsettled references of all queues. */
    public void forEachReference(LongConsumer seen) {
        for (RecoveredQueue queue : queues.values()) {
            visit(
                    queue,
                    (position, state, expiry) -> seen.accept(position),
                    (position, state, expiry, arrival) -> seen.accept(position));
        }
    }

    private static void visit(RecoveredQueue queue, ReferenceVisitor waiting, ArrivedVisitor arrived) {
        long from = 0;
        while (from >= 0) {
            from = queue.visitWaiting(from, Integer.MAX_VALUE, waiting);
        }
        queue.visitArrived(0, Integer.MAX_VALUE, arrived);
    }

    /** Number of queues that nobody opened yet. */
    public int size() {
        return queues.size();
    }

    /** Deletes a queue; {@code forgotten} sees its references. False if it is unknown. */
    public boolean drop(long queueId, LongConsumer forgotten) {
        return take(
                queueId,
                (position, state, expiry) -> forgotten.accept(position),
                (position, state, expiry, arrival) -> forgotten.accept(position));
    }

    /** Ids of the queues that nobody opened yet, ascending. */
    public SortedSet<Long> ids() {
        return new TreeSet<>(queues.keySet());
    }

    boolean contains(long queueId) {
        return queues.containsKey(queueId);
    }

    /** References of one queue from a place on; answers the place to go on with, -1 after the last. */
    long visitWaiting(long queueId, long from, int max, ReferenceVisitor visitor) {
        RecoveredQueue queue = queues.get(queueId);
        return queue == null ? -1 : queue.visitWaiting(from, max, visitor);
    }

    /** As {@link #visitWaiting} for those behind. */
    long visitArrived(long queueId, long from, int max, ArrivedVisitor visitor) {
        RecoveredQueue queue = queues.get(queueId);
        return queue == null ? -1 : queue.visitArrived(from, max, visitor);
    }

    private void applyDelta(ByteBuf in, int version) {
        long id = StateCodec.readLong(in);
        RecoveredQueue before = queues.get(id);
        RecoveredQueue next = checkpointing ? queue(building, id) : null;
        for (long left = StateCodec.readLong(in); left > 0; left--) {
            int partition = partition(in);
            int priority = (int) StateCodec.readLong(in);
            long below = StateCodec.readLong(in);
            apply(before, next, queue -> queue.deliveredBelow(partition, priority, below));
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
        long purged = StateCodec.readLong(in);
        if (purged > 0) {
            long[] below = new long[fed.length];
            for (; purged > 0; purged--) {
                below[partition(in)] = StateCodec.readLong(in);
            }
            Set<Long> except = new HashSet<>();
            for (long left = StateCodec.readLong(in); left > 0; left--) {
                except.add(StateCodec.readLong(in));
            }
            apply(before, next, queue -> queue.purged(below, except));
        }
        long rejected = version < StateCodec.VERSION ? 0 : StateCodec.readLong(in);
        for (; rejected > 0; rejected--) {
            long position = StateCodec.readLong(in);
            apply(before, next, queue -> queue.rejected(position));
        }
        long postponed = version < StateCodec.VERSION ? 0 : StateCodec.readLong(in);
        for (; postponed > 0; postponed--) {
            long position = StateCodec.readLong(in);
            long due = StateCodec.readLong(in);
            apply(before, next, queue -> queue.postponed(position, due));
        }
    }

    private int partition(ByteBuf in) {
        long partition = StateCodec.readLong(in);
        if (partition >= fed.length) {
            throw StateCodec.corrupt("home partition " + partition);
        }
        return (int) partition;
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
