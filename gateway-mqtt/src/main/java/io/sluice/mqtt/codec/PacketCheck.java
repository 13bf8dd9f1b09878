package io.sluice.mqtt.codec;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;

/**
 * What the specification forbids in the packets that netty's codec reads, which takes much of it: connect flags, properties that
 * are not of the packet or given twice, values out of bounds, reserved option bits (MQTT 5.0 sections 2.2.2, 3.1, 3.4, 3.8, 3.10,
 * 3.14 and the same of 3.1.1). Runs over the bytes of one complete packet before they reach the codec; nothing is read past its end.
 * A breach of encoding is {@link ReasonCode#MALFORMED_PACKET}, one of meaning {@link ReasonCode#PROTOCOL_ERROR}. Strings are checked
 * here only within properties: those of the payload have answers of their own. Not thread-safe.
 */
final class PacketCheck {
    private static final int SESSION_EXPIRY = 0x11;
    private static final int AUTHENTICATION_METHOD = 0x15;
    private static final int AUTHENTICATION_DATA = 0x16;
    private static final int REQUEST_PROBLEM_INFORMATION = 0x17;
    private static final int WILL_DELAY = 0x18;
    private static final int REQUEST_RESPONSE_INFORMATION = 0x19;
    private static final int SERVER_REFERENCE = 0x1C;
    private static final int REASON_STRING = 0x1F;
    private static final int RECEIVE_MAXIMUM = 0x21;
    private static final int TOPIC_ALIAS_MAXIMUM = 0x22;
    private static final int MAXIMUM_PACKET_SIZE = 0x27;

    // Properties of each packet (table 2-4), one bit for each identifier.
    private static final long OF_CONNECT = set(
            SESSION_EXPIRY,
            AUTHENTICATION_METHOD,
            AUTHENTICATION_DATA,
            REQUEST_PROBLEM_INFORMATION,
            REQUEST_RESPONSE_INFORMATION,
            RECEIVE_MAXIMUM,
            TOPIC_ALIAS_MAXIMUM,
            MAXIMUM_PACKET_SIZE,
            PropertyReader.USER_PROPERTY);
    private static final long OF_WILL = set(
            WILL_DELAY,
            PropertyReader.PAYLOAD_FORMAT,
            PropertyReader.MESSAGE_EXPIRY,
            PropertyReader.CONTENT_TYPE,
            PropertyReader.RESPONSE_TOPIC,
            PropertyReader.CORRELATION_DATA,
            PropertyReader.USER_PROPERTY);
    private static final long OF_SUBSCRIBE = set(PropertyReader.SUBSCRIPTION_ID, PropertyReader.USER_PROPERTY);
    private static final long OF_UNSUBSCRIBE = set(PropertyReader.USER_PROPERTY);
    private static final long OF_PUBACK = set(REASON_STRING, PropertyReader.USER_PROPERTY);
    private static final long OF_DISCONNECT =
            set(SESSION_EXPIRY, REASON_STRING, SERVER_REFERENCE, PropertyReader.USER_PROPERTY);

    // Connect flags (section 3.1.2.3).
    private static final int RESERVED = 0x01;
    private static final int WILL = 0x04;
    private static final int WILL_QOS = 0x18;
    private static final int WILL_RETAIN = 0x20;
    private static final int PASSWORD = 0x40;
    private static final int USER = 0x80;

    private static final int NO_LOCAL = 0x04; // subscription option
    private static final byte[] SHARED = "$share/".getBytes(US_ASCII);

    private final String packet;
    private final ByteBuf in;
    private final int end;
    private int at;

    private PacketCheck(String packet, ByteBuf in, int at, int end) {
        this.packet = packet;
        this.in = in;
        this.at = at;
        this.end = end;
    }

    /**
     * Checks a CONNECT from its flags on.
     *
     * @param at index of the connect flags
     * @param end index after the packet
     * @throws ProtocolViolation if it breaks the protocol; so do all others
     */
    static void connect(ByteBuf in, int at, int end, boolean mqtt5) {
        new PacketCheck("CONNECT", in, at, end).connect(mqtt5);
    }

    /** Checks a SUBSCRIBE; {@code at} is the index of its packet identifier. */
    static void subscribe(ByteBuf in, int at, int end, boolean mqtt5) {
        PacketCheck check = new PacketCheck("SUBSCRIBE", in, at, end);
        check.packetId();
        if (mqtt5) {
            check.properties(OF_SUBSCRIBE, check.packet);
        }
        check.filters(true, mqtt5);
    }

    /** Checks an UNSUBSCRIBE; {@code at} is the index of its packet identifier. */
    static void unsubscribe(ByteBuf in, int at, int end, boolean mqtt5) {
        PacketCheck check = new PacketCheck("UNSUBSCRIBE", in, at, end);
        check.packetId();
        if (mqtt5) {
            check.properties(OF_UNSUBSCRIBE, check.packet);
        }
        check.filters(false, mqtt5);
    }

    /** Checks a PUBACK of MQTT 5.0; {@code at} is the index of its property length. */
    static void pubackProperties(ByteBuf in, int at, int end) {
        PacketCheck check = new PacketCheck("PUBACK", in, at, end);
        check.properties(OF_PUBACK, check.packet);
        check.atEnd();
    }

    /** Checks a DISCONNECT; {@code at} is the index of its reason code, if it has one. */
    static void disconnect(ByteBuf in, int at, int end, boolean mqtt5) {
        PacketCheck check = new PacketCheck("DISCONNECT", in, at, end);
        if (mqtt5 && at < end) {
            check.at++;
            if (check.at < end) {
                check.properties(OF_DISCONNECT, check.packet);
            }
        }
        check.atEnd();
    }

    private void connect(boolean mqtt5) {
        int flags = number(1);
        boolean will = (flags & WILL) != 0;
        if ((flags & RESERVED) != 0) {
            throw malformed("reserved connect flag is set");
        }
        if (!will && (flags & (WILL_QOS | WILL_RETAIN)) != 0) {
            throw malformed("will QoS or will retain without a will");
        }
        if ((flags & WILL_QOS) == WILL_QOS) {
            throw malformed("will with QoS 3");
        }
        if (!mqtt5 && (flags & PASSWORD) != 0 && (flags & USER) == 0) {
            throw malformed("password without user name");
        }
        number(2); // keep alive
        if (mqtt5) {
            properties(OF_CONNECT, packet);
        }
        value(); // client identifier
        if (will) {
            if (mqtt5) {
                properties(OF_WILL, "the will");
            }
            value();
            value();
        }
        if ((flags & USER) != 0) {
            value();
        }
        if ((flags & PASSWORD) != 0) {
            value();
        }
        atEnd();
    }

    private void packetId() {
        if (number(2) == 0) {
            throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, packet + " with packet identifier 0");
        }
    }

    private void filters(boolean options, boolean mqtt5) {
        if (at == end) {
            throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, packet + " without a topic filter");
        }
        while (at < end) {
            int start = at + 2;
            value();
            if (options) {
                boolean shared = startsWith(SHARED, start);
                options(number(1), mqtt5, shared);
            }
        }
    }

    /** Subscription options (section 3.8.3.1); MQTT 3.1.1 has the QoS alone. */
    private void options(int options, boolean mqtt5, boolean shared) {
        if ((options & (mqtt5 ? 0xC0 : 0xFC)) != 0) {
            throw malformed("reserved bits of subscription options");
        }
        if ((options & 0x03) == 3) {
            throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "subscription with QoS 3");
        }
        if ((options & 0x30) == 0x30) {
            throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "subscription with retain handling 3");
        }
        if (shared && (options & NO_LOCAL) != 0) {
            throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "shared subscription with no local");
        }
    }

    /** True if the value that started at {@code start} and was just passed begins so. */
    private boolean startsWith(byte[] prefix, int start) {
        boolean same = at - start >= prefix.length;
        for (int i = 0; same && i < prefix.length; i++) {
            same = in.getByte(start + i) == prefix[i];
        }
        return same;
    }

    private void properties(long allowed, String of) {
        int length = varint();
        if (end - at < length) {
            throw malformed("properties exceed their packet");
        }
        PacketCheck properties = new PacketCheck(packet, in, at, at + length);
        long seen = 0;
        while (properties.at < properties.end) {
            int id = properties.number(1);
            // A shift takes its distance modulo 64: an identifier above that is not known.
            long bit = id < 64 ? 1L << id : 0;
            if ((allowed & bit) == 0) {
                throw malformed("property 0x" + Integer.toHexString(id) + " does not belong to " + of);
            }
            if ((seen & bit) != 0 && id != PropertyReader.USER_PROPERTY) {
                throw new ProtocolViolation(
                        ReasonCode.PROTOCOL_ERROR,
                        "property 0x" + Integer.toHexString(id) + " is given twice in " + of);
            }
            seen |= bit;
            properties.property(id);
        }
        at += length;
    }

    private void property(int id) {
        switch (id) {
            case REQUEST_PROBLEM_INFORMATION, REQUEST_RESPONSE_INFORMATION, PropertyReader.PAYLOAD_FORMAT ->
                bounded(id, number(1) <= 1);
            case TOPIC_ALIAS_MAXIMUM -> number(2);
            case RECEIVE_MAXIMUM -> bounded(id, number(2) != 0);
            case SESSION_EXPIRY, WILL_DELAY, PropertyReader.MESSAGE_EXPIRY -> number(4);
            case MAXIMUM_PACKET_SIZE -> bounded(id, number(4) != 0);
            case PropertyReader.SUBSCRIPTION_ID -> bounded(id, varint() != 0);
            case AUTHENTICATION_DATA, PropertyReader.CORRELATION_DATA -> value();
            case PropertyReader.USER_PROPERTY -> {
                text(id);
                text(id);
            }
            case PropertyReader.RESPONSE_TOPIC -> {
                int start = at + 2;
                text(id);
                bounded(id, Topics.isName(in, start, at - start));
            }
            default -> text(id);
        }
    }

    private static void bounded(int id, boolean within) {
        if (!within) {
            throw new ProtocolViolation(
                    ReasonCode.PROTOCOL_ERROR, "value of property 0x" + Integer.toHexString(id) + " is not allowed");
        }
    }

    private void text(int id) {
        int start = at + 2;
        value();
        if (!Utf8.isValid(in, start, at - start)) {
            throw malformed("property 0x" + Integer.toHexString(id) + " is not UTF-8");
        }
    }

    /** A string or binary value: two bytes of length, then as many. */
    private void value() {
        int length = number(2);
        need(length);
        at += length;
    }

    /** Big-endian; one of 4 bytes may come out negative. */
    private int number(int bytes) {
        need(bytes);
        int value = 0;
        for (int i = 0; i < bytes; i++) {
            value = value << 8 | in.getUnsignedByte(at++);
        }
        return value;
    }

    private int varint() {
        int value = 0;
        int shift = 0;
        int b;
        do {
            if (shift > 21) {
                throw malformed("variable byte integer is longer than 4 bytes");
            }
            b = number(1);
            value |= (b & 0x7F) << shift;
            shift += 7;
        } while (b > 0x7F);
        return value;
    }

    private void need(int bytes) {
        if (end - at < bytes) {
            throw malformed("it ends early");
        }
    }

    private void atEnd() {
        if (at != end) {
            throw malformed("it has bytes after its end");
        }
    }

    private ProtocolViolation malformed(String message) {
        return new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "malformed packet: " + packet + ": " + message);
    }

    private static long set(int... ids) {
        long set = 0;
        for (int id : ids) {
            set |= 1L << id;
        }
        return set;
    }
}
