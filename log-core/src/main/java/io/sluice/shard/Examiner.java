package io.sluice.shard;

import io.sluice.log.record.BatchView;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordView;
import io.sluice.queue.DeliveryMachine;
import io.sluice.queue.MessageGroups;
import io.sluice.queue.MessageSelector;
import io.sluice.queue.QueuePolicy;
import io.sluice.queue.Reference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds out for whom a message of a queue is: which selectors it meets, and its group. Shard thread. */
final class Examiner {
    /** Selectors that the consumers of a queue may have at a time, equal ones counted once. */
    static final int MAX_SELECTORS = 63;

    private static final Logger LOG = LoggerFactory.getLogger(Examiner.class);
    /** Met by every message: consumers without a selector. */
    private static final long ANY = 1;

    // FNV-1a, 64 bits
    private static final long BASIS = 0xCBF2_9CE4_8422_2325L;
    private static final long PRIME = 0x100_0000_01B3L;

    private final String queue;
    private final @Nullable MessageGroups groups;
    // by bit
    private final @Nullable MessageSelector[] selectors = new MessageSelector[Long.SIZE];
    private final int[] users = new int[Long.SIZE];
    private long failing;
    private final RecordView record = new RecordView();

    Examiner(String queue, QueuePolicy policy) {
        this.queue = queue;
        groups = policy.groups();
    }

    /** True if messages are asked about the selector already. */
    boolean knows(MessageSelector selector) {
        return find(selector) > 0;
    }

    /** Takes up the selector of one more consumer; answers its bit, 0 if there are too many. */
    long enter(MessageSelector selector) {
        int bit = find(selector);
        for (int free = 1; bit == 0 && free < selectors.length; free++) {
            if (selectors[free] == null) {
                selectors[free] = selector;
                bit = free;
            }
        }
        if (bit == 0) {
            return 0;
        }
        users[bit]++;
        return 1L << bit;
    }

    /** A consumer with this selector has left. */
    void leave(MessageSelector selector) {
        int bit = find(selector);
        if (bit > 0 && --users[bit] == 0) {
            selectors[bit] = null;
            failing &= ~(1L << bit);
        }
    }

    /** True if somebody may take the message at this position, which {@code batch} holds. */
    boolean examine(DeliveryMachine machine, BatchView batch, long position) {
        if (!batch.record(Reference.offset(position), record)) {
            // whoever it is delivered to finds out
            return machine.examine(-1, 0);
        }
        long meets = ANY;
        for (int bit = 1; bit < selectors.length; bit++) {
            MessageSelector selector = selectors[bit];
            if (selector != null && meets(selector, bit)) {
                meets |= 1L << bit;
            }
        }
        return machine.examine(meets, group());
    }

    /** True if the message meets one selector, of somebody who does not take it. */
    static boolean meets(MessageSelector selector, RecordView message) {
        try {
            message.rewindHeaders();
            return selector.matches(message);
        } catch (RuntimeException e) {
            LOG.debug("A selector failed; it is as if the message did not meet it", e);
            return false;
        }
    }

    private boolean meets(MessageSelector selector, int bit) {
        try {
            record.rewindHeaders();
            return selector.matches(record);
        } catch (RuntimeException e) {
            if ((failing & 1L << bit) == 0) {
                LOG.warn("Queue '{}': a selector fails; it is as if such messages did not meet it", queue, e);
            }
            failing |= 1L << bit;
            return false;
        }
    }

    private long group() {
        if (groups == null) {
            return 0;
        }
        if (groups.by() == MessageGroups.By.KEY) {
            return hash(record.keyStart(), record.keyLength());
        }
        return record.findHeader(MessageHeaders.GROUP_ID)
                ? hash(record.headerValueStart(), record.headerValueLength())
                : 0;
    }

    private long hash(int start, int length) {
        if (length <= 0) {
            return 0;
        }
        long hash = BASIS;
        for (int i = start; i < start + length; i++) {
            hash = (hash ^ record.buffer().getByte(i) & 0xFF) * PRIME;
        }
        return hash == 0 ? 1 : hash;
    }

    private int find(MessageSelector selector) {
        for (int bit = 1; bit < selectors.length; bit++) {
            if (selector.equals(selectors[bit])) {
                return bit;
            }
        }
        return 0;
    }
}
