package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.log.Durability;
import io.sluice.queue.TargetSet;
import java.util.Arrays;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Routed messages that one read of one connection brought, encoded on its event loop and handed to a shard as one task. Owned
 * by the loop until {@link ShardProxy#submit}, then by the shard until the completion runs on {@link Completion#executor}.
 *
 * <p>Use per message: {@link #begin}, write key and value with {@code RecordFields} to {@link #buffer}, {@link #headers}, write
 * headers and count them, then {@link #end}. The shard adds record framing, and the routing header to the copy in the home
 * partition.
 */
public final class PublishBatch {
    /** Told when all messages of a batch are stored at the durability they asked for, or refused. */
    public interface Completion {
        /** The connection's event loop; completions of one loop share one task per shard pass. */
        Executor executor();

        /**
         * Runs on {@link #executor}.
         *
         * @param error null if all is stored; else nothing of the batch is
         */
        void completed(PublishBatch batch, io.sluice.log.@Nullable LogException error);
    }

    private final Caller caller;
    private final Completion completion;
    private final ByteBuf buffer;
    private int size;
    private int[] starts = new int[8];
    private int[] headerStarts = new int[8];
    private int[] ends = new int[8];
    private int[] headerCounts = new int[8];
    private int[] orderHashes = new int[8];
    private long[] timestamps = new long[8];
    private long[] tags = new long[8];
    private @Nullable TargetSet[] targets = new TargetSet[8];
    private @Nullable Durability[] durabilities = new Durability[8];

    public PublishBatch(Caller caller, Completion completion, ByteBufAllocator allocator, int sizeHint) {
        this.caller = caller;
        this.completion = completion;
        this.buffer = allocator.buffer(sizeHint);
    }

    public Caller caller() {
        return caller;
    }

    public Completion completion() {
        return completion;
    }

    /** Starts a message. */
    public void begin() {
        if (size == starts.length) {
            int capacity = size * 2;
            starts = Arrays.copyOf(starts, capacity);
            headerStarts = Arrays.copyOf(headerStarts, capacity);
            ends = Arrays.copyOf(ends, capacity);
            headerCounts = Arrays.copyOf(headerCounts, capacity);
            orderHashes = Arrays.copyOf(orderHashes, capacity);
            timestamps = Arrays.copyOf(timestamps, capacity);
            tags = Arrays.copyOf(tags, capacity);
            targets = Arrays.copyOf(targets, capacity);
            durabilities = Arrays.copyOf(durabilities, capacity);
        }
        starts[size] = buffer.writerIndex();
    }

    /** Where the fields of the current message are written. */
    public ByteBuf buffer() {
        return buffer;
    }

    /** Key and value are written; headers follow. */
    public void headers() {
        headerStarts[size] = buffer.writerIndex();
    }

    /**
     * Ends the message.
     *
     * @param headerCount headers written since {@link #headers}
     * @param orderHash messages with equal hashes keep their order: hash of the exchange name (default exchange: of the queue
     *     name) or of the MQTT topic
     * @param timestamp epoch ms
     * @param tag the adapter's own number for the message (publish sequence, packet id)
     */
    public void end(int headerCount, TargetSet target, int orderHash, long timestamp, Durability durability, long tag) {
        ends[size] = buffer.writerIndex();
        headerCounts[size] = headerCount;
        targets[size] = target;
        orderHashes[size] = orderHash;
        timestamps[size] = timestamp;
        durabilities[size] = durability;
        tags[size] = tag;
        size++;
    }

    /** Messages in the batch. */
    public int size() {
        return size;
    }

    /** Bytes of encoded fields, for budgets. */
    public int sizeInBytes() {
        return buffer.readableBytes();
    }

    public int start(int i) {
        return starts[i];
    }

    public int headerStart(int i) {
        return headerStarts[i];
    }

    public int end(int i) {
        return ends[i];
    }

    public int headerCount(int i) {
        return headerCounts[i];
    }

    public int orderHash(int i) {
        return orderHashes[i];
    }

    public long timestamp(int i) {
        return timestamps[i];
    }

    public long tag(int i) {
        return tags[i];
    }

    public TargetSet targets(int i) {
        TargetSet set = targets[i];
        return set == null ? TargetSet.EMPTY : set;
    }

    public Durability durability(int i) {
        Durability durability = durabilities[i];
        return durability == null ? Durability.GROUP : durability;
    }

    /** Frees the encoded fields; the shard calls it after appending, a loop that gives a batch up calls it itself. */
    public void releaseBuffer() {
        if (buffer.refCnt() > 0) {
            buffer.release();
        }
    }
}
