package io.sluice.log.producer;

import io.netty.buffer.ByteBuf;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.record.BatchFormat;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Idempotent producers of one partition: per producer id the epoch and the last five batches (KIP-98; the client keeps at most
 * five requests in flight). The writer changes it, the checkpoint copies it; hence the lock, which is taken once per batch of an
 * idempotent producer and is free otherwise.
 */
public final class ProducerStates {
    private static final int WINDOW = 5;
    private static final int MAGIC = 0x534C5053; // SLPS
    private static final int VERSION = 1;
    private static final int ENTRY_BYTES = 8 + 2 + 8 + 1 + WINDOW * 24;

    private final Map<Long, Producer> producers = new HashMap<>();
    private boolean changed;

    /**
     * Checks the sequence of the batch at {@code at}.
     *
     * @return null if it may be appended, else the offsets of the first append of the same batch
     * @throws LogException INVALID_PRODUCER_EPOCH or OUT_OF_ORDER_SEQUENCE
     */
    public synchronized @Nullable Duplicate check(ByteBuf batch, int at) {
        long id = BatchFormat.producerId(batch, at);
        Producer producer = producers.get(id);
        if (producer == null) {
            return null;
        }
        short epoch = BatchFormat.producerEpoch(batch, at);
        if (epoch < producer.epoch) {
            throw new LogException(
                    Reason.INVALID_PRODUCER_EPOCH,
                    "producer " + id + " has epoch " + producer.epoch + ", not " + epoch);
        }
        int first = BatchFormat.baseSequence(batch, at);
        if (epoch > producer.epoch) {
            if (first != 0) {
                throw outOfOrder(id, first, 0);
            }
            return null;
        }
        int last = lastSequence(batch, at);
        for (int i = 0; i < producer.size; i++) {
            if (producer.firstSequences[i] == first && producer.lastSequences[i] == last) {
                return new Duplicate(producer.baseOffsets[i], producer.baseOffsets[i] + span(first, last));
            }
        }
        if (producer.size > 0) {
            int expected = next(producer.lastSequences[producer.size - 1]);
            if (first != expected) {
                throw outOfOrder(id, first, expected);
            }
        }
        return null;
    }

    /**
     * Where the batch was appended before.
     *
     * @param baseOffset offset of its first record
     * @param lastOffset offset of its last record
     */
    public record Duplicate(long baseOffset, long lastOffset) {}

    /** Takes in an appended batch; repeating one changes nothing. */
    public synchronized void appended(ByteBuf batch, int at, long now) {
        long id = BatchFormat.producerId(batch, at);
        if (id < 0) {
            return;
        }
        short epoch = BatchFormat.producerEpoch(batch, at);
        Producer producer = producers.computeIfAbsent(id, key -> new Producer());
        if (epoch != producer.epoch) {
            producer.epoch = epoch;
            producer.size = 0;
        }
        long base = BatchFormat.baseOffset(batch, at);
        if (producer.size > 0 && producer.baseOffsets[producer.size - 1] >= base) {
            return;
        }
        if (producer.size == WINDOW) {
            producer.dropFirst();
        }
        int n = producer.size++;
        producer.firstSequences[n] = BatchFormat.baseSequence(batch, at);
        producer.lastSequences[n] = lastSequence(batch, at);
        producer.baseOffsets[n] = base;
        producer.lastSeen = now;
        changed = true;
    }

    /** Forgets producers not seen for {@code idleMillis} ms. */
    public synchronized void expire(long now, long idleMillis) {
        Iterator<Producer> all = producers.values().iterator();
        while (all.hasNext()) {
            if (now - all.next().lastSeen > idleMillis) {
                all.remove();
                changed = true;
            }
        }
    }

    /** Producers known. */
    public synchronized int size() {
        return producers.size();
    }

    /** Drops batches at or above an offset: the log ended there after a power cut. For recovery. */
    public synchronized void truncate(long endOffset) {
        for (Producer producer : producers.values()) {
            while (producer.size > 0
                    && producer.baseOffsets[producer.size - 1]
                                    + span(
                                            producer.firstSequences[producer.size - 1],
                                            producer.lastSequences[producer.size - 1])
                            >= endOffset) {
                producer.size--;
                changed = true;
            }
        }
    }

    /** The last snapshot could not be kept: the next call makes one again. */
    public synchronized void markChanged() {
        changed = true;
    }

    /** The state as bytes if it changed since the last call, else null. */
    public synchronized @Nullable ByteBuffer snapshotIfChanged() {
        if (!changed) {
            return null;
        }
        changed = false;
        ByteBuffer bytes = ByteBuffer.allocate(12 + producers.size() * ENTRY_BYTES + 4);
        bytes.putInt(MAGIC).putInt(VERSION).putInt(producers.size());
        producers.forEach((id, producer) -> {
            bytes.putLong(id)
                    .putShort(producer.epoch)
                    .putLong(producer.lastSeen)
                    .put((byte) producer.size);
            for (int i = 0; i < WINDOW; i++) {
                bytes.putInt(producer.firstSequences[i])
                        .putInt(producer.lastSequences[i])
                        .putLong(producer.baseOffsets[i])
                        .putLong(0);
            }
        });
        CRC32C crc = new CRC32C();
        crc.update(bytes.duplicate().flip());
        return bytes.putInt((int) crc.getValue()).flip();
    }

    /**
     * Loads a snapshot.
     *
     * @return false if it is damaged: the state is then empty
     * @throws LogException UNSUPPORTED_FORMAT if another version wrote it
     */
    public synchronized boolean load(ByteBuffer bytes) {
        int length = bytes.remaining();
        if (length < 16 || bytes.getInt(0) != MAGIC) {
            return false;
        }
        CRC32C crc = new CRC32C();
        crc.update(bytes.duplicate().limit(length - 4));
        if (bytes.getInt(length - 4) != (int) crc.getValue()) {
            return false;
        }
        if (bytes.getInt(4) != VERSION) {
            throw new LogException(
                    Reason.UNSUPPORTED_FORMAT,
                    "producer snapshot has version " + bytes.getInt(4) + ", known is " + VERSION);
        }
        int count = bytes.getInt(8);
        bytes.position(12);
        for (int p = 0; p < count; p++) {
            long id = bytes.getLong();
            Producer producer = new Producer();
            producer.epoch = bytes.getShort();
            producer.lastSeen = bytes.getLong();
            producer.size = bytes.get();
            for (int i = 0; i < WINDOW; i++) {
                producer.firstSequences[i] = bytes.getInt();
                producer.lastSequences[i] = bytes.getInt();
                producer.baseOffsets[i] = bytes.getLong();
                bytes.getLong();
            }
            producers.put(id, producer);
        }
        return true;
    }

    private static int lastSequence(ByteBuf batch, int at) {
        return (BatchFormat.baseSequence(batch, at) + batch.getInt(at + BatchFormat.LAST_OFFSET_DELTA))
                & Integer.MAX_VALUE;
    }

    private static int span(int first, int last) {
        return (last - first) & Integer.MAX_VALUE;
    }

    private static int next(int sequence) {
        return (sequence + 1) & Integer.MAX_VALUE;
    }

    private static LogException outOfOrder(long id, int found, int expected) {
        return new LogException(
                Reason.OUT_OF_ORDER_SEQUENCE, "producer " + id + ": sequence " + found + ", expected " + expected);
    }

    private static final class Producer {
        short epoch = -1;
        long lastSeen;
        int size;
        final int[] firstSequences = new int[WINDOW];
        final int[] lastSequences = new int[WINDOW];
        final long[] baseOffsets = new long[WINDOW];

        void dropFirst() {
            System.arraycopy(firstSequences, 1, firstSequences, 0, WINDOW - 1);
            System.arraycopy(lastSequences, 1, lastSequences, 0, WINDOW - 1);
            System.arraycopy(baseOffsets, 1, baseOffsets, 0, WINDOW - 1);
            size = WINDOW - 1;
        }
    }
}
