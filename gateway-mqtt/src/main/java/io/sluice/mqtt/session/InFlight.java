package io.sluice.mqtt.session;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * QoS 1 messages sent and not acknowledged, by packet identifier: a table indexed by the identifier's low bits, grown so that
 * identifiers in use never share a slot. Allocates nothing until first used. Not thread-safe.
 */
final class InFlight {
    /** Delivery id of entries that do not come from a queue. */
    static final long DIRECT = -1;

    private static final int MAX_ID = 65_535;

    private static final char[] NO_IDS = {};
    private static final long[] NO_NUMBERS = {};
    private static final @Nullable PendingMessage[] NO_MESSAGES = {};

    private char[] ids = NO_IDS;
    private long[] deliveryIds = NO_NUMBERS;
    private long[] offsets = NO_NUMBERS;
    private @Nullable PendingMessage[] messages = NO_MESSAGES;
    private int size;
    private int lastId;

    int size() {
        return size;
    }

    /**
     * Takes the next free packet identifier. The caller keeps {@link #size} below the receive maximum.
     *
     * @param message kept for a resend after a reconnect; null if the session does not outlive its connection or the queue keeps
     *     it
     */
    int add(long deliveryId, long offset, @Nullable PendingMessage message) {
        if (size * 2 >= ids.length) {
            grow();
        }
        do {
            lastId = lastId == MAX_ID ? 1 : lastId + 1;
        } while (ids[lastId & (ids.length - 1)] != 0);
        put(lastId, deliveryId, offset, message);
        return lastId;
    }

    /** Takes this packet identifier again; false if it is in use. */
    boolean addAs(int packetId, long deliveryId, long offset, @Nullable PendingMessage message) {
        if (contains(packetId)) {
            return false;
        }
        if (size * 2 >= ids.length) {
            grow();
        }
        while (ids[packetId & (ids.length - 1)] != 0) {
            grow();
        }
        put(packetId, deliveryId, offset, message);
        return true;
    }

    boolean contains(int packetId) {
        return ids.length > 0 && ids[packetId & (ids.length - 1)] == packetId;
    }

    /** Delivery id of an identifier in use. */
    long deliveryId(int packetId) {
        return deliveryIds[packetId & (ids.length - 1)];
    }

    /** Frees an identifier in use; answers the message kept for it. */
    @Nullable
    PendingMessage remove(int packetId) {
        int slot = packetId & (ids.length - 1);
        PendingMessage message = messages[slot];
        ids[slot] = 0;
        messages[slot] = null;
        size--;
        return message;
    }

    /** What an entry looks like to {@link #drain}. */
    interface Entry {
        void accept(int packetId, long deliveryId, long offset, @Nullable PendingMessage message);
    }

    /** Removes all entries and gives their memory back, in the order of their identifiers starting after the oldest possible. */
    void drain(Entry each) {
        for (int i = 0; i < ids.length && size > 0; i++) {
            int slot = (lastId + 1 + i) & (ids.length - 1);
            int id = ids[slot];
            if (id != 0) {
                long deliveryId = deliveryIds[slot];
                long offset = offsets[slot];
                each.accept(id, deliveryId, offset, remove(id));
            }
        }
        ids = NO_IDS;
        deliveryIds = NO_NUMBERS;
        offsets = NO_NUMBERS;
        messages = NO_MESSAGES;
    }

    private void put(int packetId, long deliveryId, long offset, @Nullable PendingMessage message) {
        int slot = packetId & (ids.length - 1);
        ids[slot] = (char) packetId;
        deliveryIds[slot] = deliveryId;
        offsets[slot] = offset;
        messages[slot] = message;
        size++;
    }

    private void grow() {
        int capacity = ids.length == 0 ? 8 : ids.length * 2;
        if (capacity > MAX_ID + 1) {
            if (size == MAX_ID) {
                throw new IllegalStateException("no free packet identifier");
            }
            return;
        }
        char[] oldIds = ids;
        long[] oldDeliveryIds = deliveryIds;
        long[] oldOffsets = offsets;
        PendingMessage[] oldMessages = messages;
        ids = new char[capacity];
        deliveryIds = new long[capacity];
        offsets = new long[capacity];
        messages = Arrays.copyOf(new PendingMessage[0], capacity);
        size = 0;
        for (int i = 0; i < oldIds.length; i++) {
            if (oldIds[i] != 0) {
                put(oldIds[i], oldDeliveryIds[i], oldOffsets[i], oldMessages[i]);
            }
        }
    }
}
