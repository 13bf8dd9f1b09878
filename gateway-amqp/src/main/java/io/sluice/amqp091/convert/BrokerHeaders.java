package io.sluice.amqp091.convert;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;

/**
 * Headers that the broker itself adds to a delivery, as a set of bits. A field of the same name that a publisher sent (clients
 * republish what they received, table and all) is replaced, so that no name stands twice. Reusable; confined to one loop.
 */
final class BrokerHeaders {
    static final int DELIVERY_COUNT = 0;
    static final int TOMBSTONE = 1;
    static final int MESSAGE_ID = 2;
    static final int CORRELATION_ID = 3;
    static final int REPLY_TO = 4;
    static final int REPLY_TO_TOPIC = 5;
    static final int MQTT_TOPIC = 6;
    static final int KEY = 7;
    static final int GROUP_SEQUENCE = 8;
    static final int DEATHS = 9;
    static final int STREAM_OFFSET = 10;

    private static final byte[][] NAMES = {
        name("x-delivery-count"),
        name("x-tombstone"),
        name("x-message-id"),
        name("x-correlation-id"),
        name("x-reply-to"),
        name("x-reply-to-topic"),
        name("x-mqtt-topic"),
        name("x-key"),
        name("x-group-seq"),
        name("x-death"),
        name("x-stream-offset")
    };
    private static final byte[] FIRST_DEATH = name("x-first-death-");
    private static final byte[] LAST_DEATH = name("x-last-death-");

    private int bits;

    private static byte[] name(String name) {
        return name.getBytes(US_ASCII);
    }

    static byte[] nameOf(int header) {
        return NAMES[header];
    }

    void clear() {
        bits = 0;
    }

    void add(int header, boolean wanted) {
        if (wanted) {
            bits |= 1 << header;
        }
    }

    boolean has(int header) {
        return (bits >> header & 1) != 0;
    }

    boolean isEmpty() {
        return bits == 0;
    }

    /** True if the broker writes a header of this name itself. */
    boolean replaces(ByteBuf in, int start, int length) {
        if (bits == 0 || length < 5 || in.getByte(start) != 'x' || in.getByte(start + 1) != '-') {
            return false;
        }
        for (int header = 0; header < NAMES.length; header++) {
            if (has(header) && NAMES[header].length == length && CanonicalName.equal(in, start, NAMES[header])) {
                return true;
            }
        }
        return has(DEATHS) && (startsWith(in, start, length, FIRST_DEATH) || startsWith(in, start, length, LAST_DEATH));
    }

    private static boolean startsWith(ByteBuf in, int start, int length, byte[] prefix) {
        return length > prefix.length && CanonicalName.equal(in, start, prefix);
    }

    /** Writes name and length of a header, whose value follows. */
    static void writeName(ByteBuf out, int header) {
        out.writeByte(NAMES[header].length);
        out.writeBytes(NAMES[header]);
    }
}
