package io.sluice.log.segment;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * The newest offset of each key, in 24 bytes per slot: 16 bytes of the key's SHA-256 and the offset. Keys themselves are not kept,
 * so memory does not depend on their size; two keys with one digest do not happen, not even on purpose. One thread.
 */
final class KeyOffsets {
    static final int SLOT_BYTES = 24;
    private static final int DIGEST = 32;
    private static final int SMALLEST = 64;

    private final MessageDigest sha;
    private final byte[] digest = new byte[DIGEST];
    private final ByteBuffer words = ByteBuffer.wrap(digest);
    /** Three words per slot: digest, digest, offset + 1; 0 = free. */
    private long[] table;

    private int mask;
    private int size;

    /** Makes a table for at least {@code keys} keys. */
    KeyOffsets(int keys) {
        try {
            sha = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
        int slots = slotsFor(keys);
        table = new long[slots * 3];
        mask = slots - 1;
    }

    /** Keys that fit {@code bytes} of memory. */
    static int keysIn(long bytes) {
        long slots = Long.highestOneBit(Math.max(SMALLEST, Math.min(bytes / SLOT_BYTES, 1 << 28)));
        return (int) (slots / 4 * 3);
    }

    private static int slotsFor(int keys) {
        long slots = SMALLEST;
        while (slots / 4 * 3 < keys) {
            slots *= 2;
        }
        return (int) slots;
    }

    int size() {
        return size;
    }

    /** Makes room for so many keys in all. */
    void ensureCapacity(int keys) {
        int slots = slotsFor(keys);
        if (slots <= mask + 1) {
            return;
        }
        long[] before = table;
        table = new long[slots * 3];
        mask = slots - 1;
        size = 0;
        for (int i = 0; i < before.length; i += 3) {
            if (before[i + 2] != 0) {
                put(before[i], before[i + 1], before[i + 2]);
            }
        }
    }

    /** Notes a record of a key; the caller has made room. */
    void put(ByteBuf bytes, int start, int length, long offset) {
        hash(bytes, start, length);
        put(words.getLong(0), words.getLong(8), offset + 1);
    }

    /** Newest offset noted for the key, -1 if none. */
    long newest(ByteBuf bytes, int start, int length) {
        hash(bytes, start, length);
        int slot = slot(words.getLong(0), words.getLong(8));
        return table[slot + 2] - 1;
    }

    private void put(long a, long b, long value) {
        int slot = slot(a, b);
        if (table[slot + 2] == 0) {
            size++;
            table[slot] = a;
            table[slot + 1] = b;
        }
        table[slot + 2] = Math.max(table[slot + 2], value);
    }

    private int slot(long a, long b) {
        int i = (int) a & mask;
        while (true) {
            int slot = i * 3;
            if (table[slot + 2] == 0 || table[slot] == a && table[slot + 1] == b) {
                return slot;
            }
            i = (i + 1) & mask;
        }
    }

    private void hash(ByteBuf bytes, int start, int length) {
        sha.update(bytes.nioBuffer(start, length));
        try {
            sha.digest(digest, 0, DIGEST);
        } catch (DigestException e) {
            throw new IllegalStateException(e);
        }
    }
}
