package io.sluice.shard;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.log.Durability;
import io.sluice.queue.Reference;
import io.sluice.queue.Republisher;
import io.sluice.queue.TargetSet;
import java.util.Arrays;
import java.util.BitSet;
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
         * @param error null if all is stored, but for what {@link PublishBatch#isRefused} names; else nothing of the batch is
         */
        void completed(PublishBatch batch, io.sluice.log.@Nullable LogException error);
    }

    /** No time to live. */
    public static final long FOREVER = -1;

    private static final int POSITIONS = 6;
    private static final int HEADERS = 1;
    private static final int END = 2;
    private static final int HEADER_COUNT = 3;
    private static final int ORDER_HASH = 4;
    private static final int PRIORITY = 5;
    private static final int NUMBERS = 3;
    private static final int SETTINGS = 2;

    private final Caller caller;
    private final Completion completion;
    private final ByteBuf buffer;
    private int size;

    // Per message, side by side: most reads bring one message, so a batch starts small and with few objects.
    private int capacity = 2;
    private int[] positions = new int[capacity * POSITIONS];
    private long[] numbers = new long[capacity * NUMBERS];
    private Object[] settings = new Object[capacity * SETTINGS];
    private @Nullable BitSet refused;
    private Republisher.@Nullable Outcome original;

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

    /**
     * The dead letter or delayed message that this batch takes the place of: it is settled in the pass that stores the batch, so that
     * a restart finds the one or the other. Its outcome is told all the same, once the completion runs.
     */
    public void inPlaceOf(Republisher.Outcome replaced) {
        original = replaced;
    }

    Republisher.@Nullable Outcome original() {
        return original;
    }

    /** Starts a message. */
    public void begin() {
        if (size == capacity) {
            capacity = capacity < 32 ? capacity * 4 : capacity * 2;
            positions = Arrays.copyOf(positions, capacity * POSITIONS);
            numbers = Arrays.copyOf(numbers, capacity * NUMBERS);
            settings = Arrays.copyOf(settings, capacity * SETTINGS);
        }
        positions[size * POSITIONS] = buffer.writerIndex();
        positions[size * POSITIONS + PRIORITY] = 0;
        numbers[size * NUMBERS + 2] = FOREVER;
    }

    /**
     * What the publisher of the current message asked of queues.
     *
     * @param priority 0 to 255
     * @param timeToLive milliseconds from when the shard takes the message up, {@link #FOREVER} = none
     */
    public void options(int priority, long timeToLive) {
        positions[size * POSITIONS + PRIORITY] = priority;
        numbers[size * NUMBERS + 2] = timeToLive;
    }

    /** Where the fields of the current message are written. */
    public ByteBuf buffer() {
        return buffer;
    }

    /** Key and value are written; headers follow. */
    public void headers() {
        positions[size * POSITIONS + HEADERS] = buffer.writerIndex();
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
        int at = size * POSITIONS;
        positions[at + END] = buffer.writerIndex();
        positions[at + HEADER_COUNT] = headerCount;
        positions[at + ORDER_HASH] = orderHash;
        numbers[size * NUMBERS] = timestamp;
        numbers[size * NUMBERS + 1] = tag;
        settings[size * SETTINGS] = target;
        settings[size * SETTINGS + 1] = durability;
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
        return positions[i * POSITIONS];
    }

    public int headerStart(int i) {
        return positions[i * POSITIONS + HEADERS];
    }

    public int end(int i) {
        return positions[i * POSITIONS + END];
    }

    public int headerCount(int i) {
        return positions[i * POSITIONS + HEADER_COUNT];
    }

    public int orderHash(int i) {
        return positions[i * POSITIONS + ORDER_HASH];
    }

    public long timestamp(int i) {
        return numbers[i * NUMBERS];
    }

    public long tag(int i) {
        return numbers[i * NUMBERS + 1];
    }

    /** Priority for queues, 0 to 255. */
    public int priority(int i) {
        return positions[i * POSITIONS + PRIORITY];
    }

    /** When the message expires in queues, epoch ms, {@link Reference#NEVER} = never; {@code arrival} is when it was taken up. */
    public long expiry(int i, long arrival) {
        long timeToLive = numbers[i * NUMBERS + 2];
        return timeToLive == FOREVER ? Reference.NEVER : arrival + timeToLive;
    }

    /** True if a queue that the message was routed to refused it because it is full; others may have it. */
    public boolean isRefused(int i) {
        return refused != null && refused.get(i);
    }

    /** True if {@link #isRefused} names any message. */
    public boolean anyRefused() {
        return refused != null;
    }

    /** Says that a queue does not take the message. Shard thread. */
    void refuse(int i) {
        if (refused == null) {
            refused = new BitSet(size);
        }
        refused.set(i);
    }

    public TargetSet targets(int i) {
        return (TargetSet) settings[i * SETTINGS];
    }

    public Durability durability(int i) {
        return (Durability) settings[i * SETTINGS + 1];
    }

    /** Frees the encoded fields; the shard calls it after appending, a loop that gives a batch up calls it itself. */
    public void releaseBuffer() {
        if (buffer.refCnt() > 0) {
            buffer.release();
        }
    }
}
