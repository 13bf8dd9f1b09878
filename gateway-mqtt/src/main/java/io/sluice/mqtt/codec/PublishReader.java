package io.sluice.mqtt.codec;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * Flyweight over a received PUBLISH (MQTT 5.0 section 3.3): absolute positions of its parts, checked. Reusable, allocates
 * nothing; valid while the buffer is. Not thread-safe.
 */
public final class PublishReader {
    private static final byte[] NONE = {};

    private @Nullable ByteBuf in;
    private int topicStart;
    private int topicLength;
    private int packetId;
    private int propertiesStart;
    private int propertiesEnd;
    private int payloadStart;
    private int end;
    private int qos;
    private boolean retain;
    private boolean dup;

    private int alias;
    private int aliasAt;
    private long expirySeconds;
    private int expiryAt;

    /**
     * Reads and checks a packet.
     *
     * @throws ProtocolViolation with the reason to end the connection with
     */
    public void read(int flags, ByteBuf in, int start, int end, boolean mqtt5) {
        this.in = in;
        this.end = end;
        qos = (flags >> 1) & 3;
        retain = (flags & 1) != 0;
        dup = (flags & 8) != 0;
        if (qos == 3) {
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "PUBLISH with QoS 3");
        }
        if (qos == 2) {
            throw new ProtocolViolation(ReasonCode.QOS_NOT_SUPPORTED, "PUBLISH with QoS 2, maximum is 1");
        }
        if (qos == 0 && dup) {
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "PUBLISH with DUP and QoS 0");
        }
        int at = start;
        need(at, 2);
        topicLength = in.getUnsignedShort(at);
        at += 2;
        topicStart = at;
        need(at, topicLength);
        at += topicLength;
        packetId = 0;
        if (qos > 0) {
            need(at, 2);
            packetId = in.getUnsignedShort(at);
            at += 2;
            if (packetId == 0) {
                throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "PUBLISH with packet identifier 0");
            }
        }
        alias = 0;
        expirySeconds = -1;
        propertiesStart = at;
        propertiesEnd = at;
        if (mqtt5) {
            at = readProperties(at);
        }
        payloadStart = at;
        if (topicLength == 0 && alias == 0) {
            throw new ProtocolViolation(
                    mqtt5 ? ReasonCode.PROTOCOL_ERROR : ReasonCode.TOPIC_NAME_INVALID, "PUBLISH without a topic");
        }
    }

    private int readProperties(int from) {
        PropertyReader properties = new PropertyReader(buffer(), from, end);
        propertiesStart = properties.start();
        propertiesEnd = properties.end();
        int seen = 0;
        while (properties.next()) {
            int id = properties.id();
            switch (id) {
                case PropertyReader.PAYLOAD_FORMAT -> {
                    seen = once(seen, 1);
                    if (properties.number() > 1) {
                        throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "payload format indicator above 1");
                    }
                }
                case PropertyReader.MESSAGE_EXPIRY -> {
                    seen = once(seen, 2);
                    expirySeconds = properties.number();
                    expiryAt = properties.propertyStart();
                }
                case PropertyReader.CONTENT_TYPE -> seen = once(seen, 4);
                case PropertyReader.RESPONSE_TOPIC -> {
                    seen = once(seen, 8);
                    if (!Topics.isName(buffer(), properties.valueStart(), properties.valueLength())) {
                        throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "response topic is not a topic name");
                    }
                }
                case PropertyReader.CORRELATION_DATA -> seen = once(seen, 16);
                case PropertyReader.TOPIC_ALIAS -> {
                    seen = once(seen, 32);
                    alias = (int) properties.number();
                    aliasAt = properties.propertyStart();
                    if (alias == 0) {
                        throw new ProtocolViolation(ReasonCode.TOPIC_ALIAS_INVALID, "topic alias 0");
                    }
                }
                case PropertyReader.USER_PROPERTY -> {}
                default ->
                    throw new ProtocolViolation(
                            ReasonCode.PROTOCOL_ERROR, "property " + id + " in a PUBLISH from a client");
            }
        }
        return propertiesEnd;
    }

    private static int once(int seen, int bit) {
        if ((seen & bit) != 0) {
            throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "property given twice in a PUBLISH");
        }
        return seen | bit;
    }

    private void need(int at, int bytes) {
        if (end - at < bytes) {
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "PUBLISH ends early");
        }
    }

    public ByteBuf buffer() {
        if (in == null) {
            throw new IllegalStateException("no packet read");
        }
        return in;
    }

    /** Forgets the buffer. */
    public void clear() {
        in = null;
    }

    public int topicStart() {
        return topicStart;
    }

    /** Bytes of the topic name; 0 = the alias stands for it. */
    public int topicLength() {
        return topicLength;
    }

    /** Packet identifier, 0 for QoS 0. */
    public int packetId() {
        return packetId;
    }

    public int qos() {
        return qos;
    }

    public boolean retain() {
        return retain;
    }

    /** Topic alias, 0 = none. */
    public int alias() {
        return alias;
    }

    /** Message expiry interval in seconds, -1 = none. */
    public long expirySeconds() {
        return expirySeconds;
    }

    public int payloadStart() {
        return payloadStart;
    }

    public int payloadLength() {
        return end - payloadStart;
    }

    public boolean hasProperties() {
        return propertiesEnd > propertiesStart;
    }

    /** A cursor over the properties; allocates. */
    public PropertyReader properties() {
        return PropertyReader.of(buffer(), propertiesStart, propertiesEnd);
    }

    /** The properties that are forwarded unaltered (section 3.3.2.3), that is without alias and expiry; encoded, copied. */
    public byte[] forwardedProperties() {
        int length = propertiesEnd - propertiesStart;
        int cut = (alias != 0 ? 3 : 0) + (expirySeconds >= 0 ? 5 : 0);
        if (length == cut) {
            return NONE;
        }
        byte[] copy = new byte[length - cut];
        int first = alias == 0 ? expiryAt : expirySeconds < 0 ? aliasAt : Math.min(aliasAt, expiryAt);
        int second = alias != 0 && expirySeconds >= 0 ? Math.max(aliasAt, expiryAt) : -1;
        if (cut == 0) {
            buffer().getBytes(propertiesStart, copy);
            return copy;
        }
        int to = 0;
        int from = propertiesStart;
        to = copy(from, first, copy, to);
        from = first + cutLength(first);
        if (second >= 0) {
            to = copy(from, second, copy, to);
            from = second + cutLength(second);
        }
        copy(from, propertiesEnd, copy, to);
        return copy;
    }

    private int cutLength(int at) {
        return alias != 0 && at == aliasAt ? 3 : 5;
    }

    private int copy(int from, int until, byte[] copy, int to) {
        buffer().getBytes(from, copy, to, until - from);
        return to + until - from;
    }
}
