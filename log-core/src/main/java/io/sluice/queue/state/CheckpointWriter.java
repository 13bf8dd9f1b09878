package io.sluice.queue.state;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.DeliveryMachine.DeliveredVisitor;
import io.sluice.queue.Reference;
import io.sluice.queue.ReferenceVisitor;
import io.sluice.queue.index.ReferenceCodec;
import java.util.Arrays;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Writes the indexes of all queues as a series of journal records, a slice at a time, while the queues go on working in
 * between; see {@link StateCodec} for what makes that consistent. Not thread-safe.
 */
public final class CheckpointWriter implements ReferenceVisitor, DeliveredVisitor, ArrivedVisitor {
    private static final int QUAD = 4;

    private final long[] fed;
    private final int order;
    private final Iterator<Long> ids;
    private final RecoveredState unopened;
    private final LongFunction<@Nullable DeliveryMachine> machines;
    private final ByteBuf references = Unpooled.buffer();
    private final ReferenceCodec codec = new ReferenceCodec();
    private boolean begun;
    private long bytes;

    // the queue at hand
    private long queueId;
    private long waitingFrom = -1;
    private long @Nullable [] delivered;
    private int deliveredSize;
    private int deliveredAt;
    private long arrivedFrom = -1;
    private int count;

    /**
     * Starts a checkpoint of the queues as they are; nothing is written yet.
     *
     * @param fed per home partition, the offset below which the indexes hold everything
     * @param order order of the next message for a home partition
     * @param ids the durable queues
     * @param unopened holds those that were recovered and not opened yet
     * @param machines gives the others, null if a queue went since
     */
    public CheckpointWriter(
            long[] fed,
            int order,
            Collection<Long> ids,
            RecoveredState unopened,
            LongFunction<@Nullable DeliveryMachine> machines) {
        this.fed = fed.clone();
        this.order = order;
        this.ids = List.copyOf(ids).iterator();
        this.unopened = unopened;
        this.machines = machines;
    }

    /** Bytes of references written so far. */
    public long bytes() {
        return bytes;
    }

    /**
     * Writes the next records.
     *
     * @param max references to write at most
     * @param writer takes each record; must not keep the buffer
     * @return true if the checkpoint is complete
     */
    public boolean write(int max, Consumer<ByteBuf> writer) {
        ByteBuf out = Unpooled.buffer();
        try {
            if (!begun) {
                begun = true;
                out.writeByte(StateCodec.VERSION).writeByte(StateCodec.BEGIN);
                out.writeInt(order);
                StateCodec.writeLong(out, fed.length);
                for (long offset : fed) {
                    StateCodec.writeLong(out, offset);
                }
                writer.accept(out);
            }
            int left = max;
            while (left > 0) {
                if (delivered == null && waitingFrom < 0 && arrivedFrom < 0) {
                    if (!ids.hasNext()) {
                        out.clear();
                        out.writeByte(StateCodec.VERSION).writeByte(StateCodec.END);
                        writer.accept(out);
                        return true;
                    }
                    queueId = ids.next();
                    waitingFrom = 0;
                }
                if (waitingFrom >= 0) {
                    left -= 1 + writeWaiting(left, out, writer);
                } else if (delivered != null) {
                    left -= 1 + writeDelivered(left, out, writer);
                } else {
                    left -= 1 + writeArrived(left, out, writer);
                }
            }
            return false;
        } finally {
            out.release();
        }
    }

    /** Frees memory. */
    public void close() {
        references.release();
    }

    private int writeWaiting(int max, ByteBuf out, Consumer<ByteBuf> writer) {
        DeliveryMachine machine = machines.apply(queueId);
        if (machine == null && !unopened.contains(queueId)) {
            waitingFrom = -1;
            return 0;
        }
        codec.reset();
        waitingFrom = machine == null
                ? unopened.visitWaiting(queueId, waitingFrom, max, this)
                : machine.visitFresh(waitingFrom, max, this);
        int written = count;
        if (written > 0) {
            record(StateCodec.WAITING, out, writer);
        }
        if (waitingFrom < 0) {
            // last: what was delivered while its turn among the waiting ones had not come is in here
            delivered = new long[0];
            deliveredSize = 0;
            deliveredAt = 0;
            if (machine == null) {
                arrivedFrom = 0;
            } else {
                machine.visitDelivered(this);
            }
        }
        return written;
    }

    private int writeDelivered(int max, ByteBuf out, Consumer<ByteBuf> writer) {
        long[] all = delivered == null ? new long[0] : delivered;
        while (deliveredAt < deliveredSize && count < max) {
            for (int i = 0; i < QUAD; i++) {
                references.writeLong(all[deliveredAt++]);
            }
            count++;
        }
        int written = count;
        // also without references: it says that the queue exists
        record(StateCodec.DELIVERED, out, writer);
        if (deliveredAt == deliveredSize) {
            delivered = null;
            writePostponed(out, writer);
        }
        return written;
    }

    /** At once: they are bounded, and few. */
    private void writePostponed(ByteBuf out, Consumer<ByteBuf> writer) {
        DeliveryMachine machine = machines.apply(queueId);
        DeliveryMachine.PostponedVisitor visitor = (position, due) -> {
            if (holds(position)) {
                StateCodec.writeLong(references, position);
                StateCodec.writeLong(references, due);
                count++;
            }
        };
        if (machine == null) {
            unopened.visitPostponed(queueId, visitor);
        } else {
            machine.visitPostponed(visitor);
        }
        if (count > 0) {
            record(StateCodec.POSTPONED, out, writer);
        }
    }

    private int writeArrived(int max, ByteBuf out, Consumer<ByteBuf> writer) {
        arrivedFrom = unopened.visitArrived(queueId, arrivedFrom, max, this);
        int written = count;
        if (written > 0) {
            record(StateCodec.ARRIVED, out, writer);
        }
        return written;
    }

    @Override
    public void visit(long position, long state, long expiry) {
        if (holds(position)) {
            codec.write(references, position, state, expiry);
            count++;
        }
    }

    @Override
    public void visit(long sequence, long position, long state, long expiry) {
        if (delivered != null && holds(position)) {
            if (deliveredSize == delivered.length) {
                delivered = Arrays.copyOf(delivered, Math.max(16 * QUAD, deliveredSize * 2));
            }
            delivered[deliveredSize++] = sequence;
            delivered[deliveredSize++] = position;
            delivered[deliveredSize++] = state;
            delivered[deliveredSize++] = expiry;
        }
    }

    @Override
    public void arrived(long position, long state, long expiry, long arrival) {
        if (holds(position)) {
            references.writeLong(position).writeLong(state).writeLong(expiry).writeLong(arrival);
            count++;
        }
    }

    private boolean holds(long position) {
        int partition = Reference.partition(position);
        return partition != Reference.MEMORY_PARTITION && Reference.offset(position) < fed[partition];
    }

    private void record(int type, ByteBuf out, Consumer<ByteBuf> writer) {
        out.clear();
        StateCodec.begin(out, type, queueId);
        StateCodec.writeLong(out, count);
        out.writeBytes(references);
        references.clear();
        count = 0;
        bytes += out.readableBytes();
        writer.accept(out);
    }
}
