package io.sluice.queue;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * References that were looked at and that no consumer could take, in the order of the queue: sorted parallel arrays. What is removed
 * leaves a hole until {@link #compact}, so that one walk along them can take out many.
 */
final class PassedOver {
    private static final int INITIAL = 64;

    private long[] sequences = new long[INITIAL];
    /** {@link Reference#NONE} in a hole. */
    private long[] positions = new long[INITIAL];

    private long[] states = new long[INITIAL];
    private long[] matches = new long[INITIAL];
    private int[] groups = new int[INITIAL];
    // only if a message expires
    private long @Nullable [] expiries;
    private int end;
    private int size;
    private long earliestExpiry = Long.MAX_VALUE;
    /** Nothing below it had expired when it was last looked for. */
    private int expiryCursor;
    /** None is below it. */
    private int firstCursor;

    /** References, without the holes. */
    int size() {
        return size;
    }

    /** Indexes are below this. */
    int end() {
        return end;
    }

    boolean isHole(int index) {
        return positions[index] == Reference.NONE;
    }

    long sequence(int index) {
        return sequences[index];
    }

    long position(int index) {
        return positions[index];
    }

    long state(int index) {
        return states[index];
    }

    long expiry(int index) {
        return expiries == null ? Reference.NEVER : expiries[index];
    }

    /** Selectors that the message meets, as {@link DeliveryMachine#examine} was told. */
    long matches(int index) {
        return matches[index];
    }

    /** Number of its group, 0 = none. */
    int group(int index) {
        return groups[index];
    }

    /** No reference expires before this, epoch ms; {@link Long#MAX_VALUE} if none does at all. */
    long earliestExpiry() {
        return earliestExpiry;
    }

    /** Index of a reference that has expired, -1 if none has. */
    int nextExpired(long now) {
        if (now <= earliestExpiry) {
            return -1;
        }
        for (; expiryCursor < end; expiryCursor++) {
            if (isExpired(expiryCursor, now)) {
                return expiryCursor;
            }
        }
        // those below may have expired since they were looked at
        expiryCursor = 0;
        earliestExpiry = Long.MAX_VALUE;
        for (int i = end - 1; i >= 0; i--) {
            if (!isHole(i) && expiry(i) != Reference.NEVER) {
                earliestExpiry = Math.min(earliestExpiry, expiry(i));
                expiryCursor = isExpired(i, now) ? i : expiryCursor;
            }
        }
        return now > earliestExpiry ? expiryCursor : -1;
    }

    private boolean isExpired(int index, long now) {
        return !isHole(index) && expiry(index) != Reference.NEVER && now > expiry(index);
    }

    /** Index of the first in order, {@link #end} if there is none. */
    int first() {
        while (firstCursor < end && isHole(firstCursor)) {
            firstCursor++;
        }
        return firstCursor;
    }

    /** Adds a reference at its place; answers its index. Those behind move up by one. */
    int add(long sequence, long position, long state, long expiry, long meets, int group) {
        if (expiry != Reference.NEVER) {
            if (expiries == null) {
                expiries = new long[positions.length];
            }
            earliestExpiry = Math.min(earliestExpiry, expiry);
            expiryCursor = 0;
        }
        if (end == positions.length) {
            resize(end * 2);
        }
        int at = end;
        if (end > 0 && sequences[end - 1] > sequence) {
            at = -1 - Arrays.binarySearch(sequences, 0, end, sequence);
            if (at < 0) {
                // back where it was before, in its own hole
                at = -1 - at;
                size++;
                set(at, sequence, position, state, expiry, meets, group);
                return at;
            }
            shift(at);
        } else if (end > 0 && sequences[end - 1] == sequence) {
            at = --end;
        }
        end++;
        size++;
        set(at, sequence, position, state, expiry, meets, group);
        return at;
    }

    /** Leaves a hole. */
    void remove(int index) {
        positions[index] = Reference.NONE;
        size--;
    }

    /** Closes the holes; every index changes. */
    void compact() {
        if (size == end) {
            return;
        }
        int to = 0;
        expiryCursor = 0;
        firstCursor = 0;
        for (int from = 0; from < end; from++) {
            if (!isHole(from)) {
                set(to++, sequences[from], positions[from], states[from], expiry(from), matches[from], groups[from]);
            }
        }
        end = to;
        if (end < INITIAL && positions.length > 64 * INITIAL) {
            resize(INITIAL);
        }
    }

    private void shift(int at) {
        int count = end - at;
        System.arraycopy(sequences, at, sequences, at + 1, count);
        System.arraycopy(positions, at, positions, at + 1, count);
        System.arraycopy(states, at, states, at + 1, count);
        System.arraycopy(matches, at, matches, at + 1, count);
        System.arraycopy(groups, at, groups, at + 1, count);
        if (expiries != null) {
            System.arraycopy(expiries, at, expiries, at + 1, count);
        }
    }

    private void resize(int capacity) {
        sequences = Arrays.copyOf(sequences, capacity);
        positions = Arrays.copyOf(positions, capacity);
        states = Arrays.copyOf(states, capacity);
        matches = Arrays.copyOf(matches, capacity);
        groups = Arrays.copyOf(groups, capacity);
        if (expiries != null) {
            expiries = Arrays.copyOf(expiries, capacity);
        }
    }

    private void set(int at, long sequence, long position, long state, long expiry, long meets, int group) {
        firstCursor = Math.min(firstCursor, at);
        sequences[at] = sequence;
        positions[at] = position;
        states[at] = state;
        matches[at] = meets;
        groups[at] = group;
        if (expiries != null) {
            expiries[at] = expiry;
        }
    }
}
