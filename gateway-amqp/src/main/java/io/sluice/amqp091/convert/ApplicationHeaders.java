package io.sluice.amqp091.convert;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.sluice.amqp091.codec.Wire;
import io.sluice.message.RecordView;
import java.util.Arrays;
import java.util.Map;

/**
 * Positions of a record's application headers and their form as fields of an AMQP table. A table has each name once: of a header
 * that a record repeats the last value stands under the name and all values under {@code name#1}, {@code name#2} and so on, in
 * their order. Reusable; confined to one loop.
 */
final class ApplicationHeaders {
    private int count;
    private int[] nameStarts = new int[8];
    private int[] nameLengths = new int[8];
    private int[] valueStarts = new int[8];
    private int[] valueLengths = new int[8];
    /** Hash of a name in the upper and its number in the lower half: sorted, repeated names are neighbours. */
    private long[] byName = new long[8];

    void clear() {
        count = 0;
    }

    /** Adds the header under the cursor. */
    void add(RecordView record) {
        if (count == nameStarts.length) {
            int capacity = count * 2;
            nameStarts = Arrays.copyOf(nameStarts, capacity);
            nameLengths = Arrays.copyOf(nameLengths, capacity);
            valueStarts = Arrays.copyOf(valueStarts, capacity);
            valueLengths = Arrays.copyOf(valueLengths, capacity);
            byName = Arrays.copyOf(byName, capacity);
        }
        nameStarts[count] = record.headerNameStart();
        nameLengths[count] = record.headerNameLength();
        valueStarts[count] = record.headerValueStart();
        valueLengths[count++] = record.headerValueLength();
    }

    boolean isEmpty() {
        return count == 0;
    }

    boolean contains(ByteBuf in, byte[] name) {
        for (int i = 0; i < count; i++) {
            if (nameLengths[i] == name.length && CanonicalName.equal(in, nameStarts[i], name)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Writes the fields.
     *
     * @param types type codes by name
     * @param reserved the broker's own headers of this delivery, which replace those of the same name
     */
    void write(ByteBuf out, ByteBuf in, Map<String, Character> types, BrokerHeaders reserved) {
        boolean repeated = count > 1 && hasRepeatedHash(in);
        for (int i = 0; i < count; i++) {
            if (reserved.replaces(in, nameStarts[i], nameLengths[i])) {
                continue;
            }
            String name = types.isEmpty() && !repeated ? "" : in.toString(nameStarts[i], nameLengths[i], UTF_8);
            Character typed = types.get(name);
            char code = typed == null ? 0 : typed;
            if (!repeated) {
                Wire.writeShortString(out, in, nameStarts[i], nameLengths[i]);
                HeaderValues.write(out, code, in, valueStarts[i], valueLengths[i]);
                continue;
            }
            int before = equalNames(in, i, 0, i);
            int after = equalNames(in, i, i + 1, count);
            if (before + after > 0) {
                Wire.writeShortString(out, name + '#' + (before + 1));
                HeaderValues.write(out, code, in, valueStarts[i], valueLengths[i]);
            }
            if (after == 0) {
                Wire.writeShortString(out, in, nameStarts[i], nameLengths[i]);
                HeaderValues.write(out, code, in, valueStarts[i], valueLengths[i]);
            }
        }
    }

    /** Sorts hashes, so that a record without repeated names costs no comparison of every pair. */
    private boolean hasRepeatedHash(ByteBuf in) {
        for (int i = 0; i < count; i++) {
            int hash = nameLengths[i];
            for (int at = nameStarts[i]; at < nameStarts[i] + nameLengths[i]; at++) {
                hash = 31 * hash + in.getByte(at);
            }
            byName[i] = (long) hash << 32 | i;
        }
        Arrays.sort(byName, 0, count);
        for (int i = 1; i < count; i++) {
            if (byName[i] >>> 32 == byName[i - 1] >>> 32) {
                return true;
            }
        }
        return false;
    }

    private int equalNames(ByteBuf in, int of, int from, int to) {
        int equal = 0;
        for (int i = from; i < to; i++) {
            if (nameLengths[i] == nameLengths[of] && equal(in, nameStarts[i], nameStarts[of], nameLengths[of])) {
                equal++;
            }
        }
        return equal;
    }

    private static boolean equal(ByteBuf in, int one, int other, int length) {
        for (int i = 0; i < length; i++) {
            if (in.getByte(one + i) != in.getByte(other + i)) {
                return false;
            }
        }
        return true;
    }
}
