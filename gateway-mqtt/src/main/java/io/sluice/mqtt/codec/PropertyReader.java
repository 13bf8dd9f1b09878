package io.sluice.mqtt.codec;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;

/**
 * Cursor over the encoded properties of a PUBLISH (MQTT 5.0 section 2.2.2); every length and string is checked before use.
 * Positions are absolute indexes of the buffer. Not thread-safe.
 */
public final class PropertyReader {
    public static final int PAYLOAD_FORMAT = 0x01;
    public static final int MESSAGE_EXPIRY = 0x02;
    public static final int CONTENT_TYPE = 0x03;
    public static final int RESPONSE_TOPIC = 0x08;
    public static final int CORRELATION_DATA = 0x09;
    public static final int SUBSCRIPTION_ID = 0x0B;
    public static final int TOPIC_ALIAS = 0x23;
    public static final int USER_PROPERTY = 0x26;

    private final ByteBuf in;
    private final int start;
    private final int end;
    private int at;

    private int id;
    private int propertyStart;
    private long number;
    private int nameStart;
    private int nameLength;
    private int valueStart;
    private int valueLength;

    /**
     * Starts at the property length.
     *
     * @param packetEnd index after the packet
     * @throws ProtocolViolation if the properties do not fit into the packet
     */
    public PropertyReader(ByteBuf in, int lengthAt, int packetEnd) {
        this.in = in;
        this.at = lengthAt;
        int length = varint(packetEnd);
        this.start = at;
        if (packetEnd - at < length) {
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "properties exceed their packet");
        }
        this.end = at + length;
    }

    private PropertyReader(ByteBuf in, int start, int end, boolean bare) {
        this.in = in;
        this.start = start;
        this.at = start;
        this.end = bare ? end : start;
    }

    /** Reads encoded properties that have no length in front. */
    public static PropertyReader of(ByteBuf in, int start, int end) {
        return new PropertyReader(in, start, end, true);
    }

    /** Index of the first property. */
    public int start() {
        return start;
    }

    /** Index after the last property. */
    public int end() {
        return end;
    }

    /**
     * Moves to the next property; false after the last.
     *
     * @throws ProtocolViolation if it is malformed or not one that a PUBLISH may have
     */
    public boolean next() {
        if (at == end) {
            return false;
        }
        propertyStart = at;
        id = in.getUnsignedByte(at++);
        switch (id) {
            case PAYLOAD_FORMAT -> {
                need(1);
                number = in.getUnsignedByte(at);
                at += 1;
            }
            case MESSAGE_EXPIRY -> {
                need(4);
                number = in.getUnsignedInt(at);
                at += 4;
            }
            case TOPIC_ALIAS -> {
                need(2);
                number = in.getUnsignedShort(at);
                at += 2;
            }
            case SUBSCRIPTION_ID -> number = varint(end);
            case CONTENT_TYPE, RESPONSE_TOPIC -> value(true);
            case CORRELATION_DATA -> value(false);
            case USER_PROPERTY -> {
                value(true);
                nameStart = valueStart;
                nameLength = valueLength;
                value(true);
            }
            default -> throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "unknown property " + id);
        }
        return true;
    }

    private void value(boolean text) {
        need(2);
        valueLength = in.getUnsignedShort(at);
        at += 2;
        valueStart = at;
        need(valueLength);
        at += valueLength;
        if (text && !Utf8.isValid(in, valueStart, valueLength)) {
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "property " + id + " is not UTF-8");
        }
    }

    private void need(int bytes) {
        if (end - at < bytes) {
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "property ends early");
        }
    }

    private int varint(int limit) {
        int value = 0;
        int shift = 0;
        int b;
        do {
            if (shift > 21 || at >= limit) {
                throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "malformed variable byte integer");
            }
            b = in.getByte(at++);
            value |= (b & 0x7F) << shift;
            shift += 7;
        } while (b < 0);
        return value;
    }

    /** Identifier of the current property. */
    public int id() {
        return id;
    }

    /** Index of the current property's identifier. */
    public int propertyStart() {
        return propertyStart;
    }

    /** Value of the current numeric property. */
    public long number() {
        return number;
    }

    public int nameStart() {
        return nameStart;
    }

    /** Length of the current user property's name in bytes. */
    public int nameLength() {
        return nameLength;
    }

    public int valueStart() {
        return valueStart;
    }

    /** Length of the current string or binary value in bytes. */
    public int valueLength() {
        return valueLength;
    }

    /** Name of the current user property. */
    public String name() {
        return in.toString(nameStart, nameLength, StandardCharsets.UTF_8);
    }

    /** True if the current user property has this name. */
    public boolean nameIs(byte[] name) {
        if (nameLength != name.length) {
            return false;
        }
        for (int i = 0; i < name.length; i++) {
            if (in.getByte(nameStart + i) != name[i]) {
                return false;
            }
        }
        return true;
    }
}
