package io.sluice.mqtt.convert;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.mqtt.codec.PropertyReader;
import io.sluice.mqtt.codec.ProtocolViolation;
import io.sluice.mqtt.codec.ReasonCode;
import io.sluice.routing.topic.TopicNames;
import org.jspecify.annotations.Nullable;

/**
 * Writes the canonical headers of an MQTT publish. User properties become plain headers in order, duplicates kept; where one
 * has a reserved name, so that the canonical form cannot rebuild it, the encoded property section is kept beside in {@code
 * sl.orig}. Stateless.
 */
public final class PublishToRecord {
    /** Longest property section that {@code sl.orig} takes, bytes. */
    public static final int MAX_ORIGINAL_BYTES = 65_536;

    /** User property that replaces the topic as record key. */
    public static final byte[] KEY_PROPERTY = "x-key".getBytes(US_ASCII);

    /** User property for the priority in queues, 0 to 255. */
    static final byte[] PRIORITY_PROPERTY = "x-priority".getBytes(US_ASCII);

    /** User property for the time after which the message is to be routed, ms. */
    static final byte[] DELAY_PROPERTY = "x-delay".getBytes(US_ASCII);

    /** Longest delay, ms: ten years, as over AMQP. */
    private static final long MAX_DELAY = 315_360_000_000L;

    /** Reply addresses that are MQTT topics: exchange and routing key in the address form of AMQP. */
    static final String TOPIC_ADDRESS = "/exchanges/amq.topic/";

    private static final byte[] ONE = {'1'};
    private static final byte[][] QOS = {{'0'}, {'1'}, {'2'}};
    private static final byte[] MQTT5 = "mqtt5".getBytes(US_ASCII);
    private static final byte[] RESERVED_PREFIX = "sl.".getBytes(US_ASCII);

    private PublishToRecord() {}

    /**
     * What a client says of a record itself.
     *
     * @param key value of user property {@code x-key}, null if there is none
     * @param seconds value of user property {@code timestamp}, epoch seconds; -1 if there is none
     * @param priority value of user property {@code x-priority}, 0 to 255; 0 if there is none
     * @param delay value of user property {@code x-delay}, ms; 0 if there is none, {@link #BAD_DELAY} if it is no number or above ten
     *     years
     */
    @SuppressWarnings("ArrayRecordComponent") // compared by nobody
    public record Origin(byte @Nullable [] key, long seconds, int priority, long delay) {
        public static final Origin NONE = new Origin(null, -1, 0, 0);

        public static final long BAD_DELAY = -1;
    }

    /** Reads the user properties that set key, time, priority and delay of the record; of a repeated one the first. */
    public static Origin origin(PropertyReader p, ByteBuf in) {
        byte[] key = null;
        long seconds = -1;
        int priority = -1;
        long delay = 0;
        while (p.next()) {
            if (p.id() != PropertyReader.USER_PROPERTY) {
                continue;
            }
            if (key == null && p.nameIs(KEY_PROPERTY)) {
                key = ByteBufUtil.getBytes(in, p.valueStart(), p.valueLength());
            } else if (seconds < 0 && p.nameIs(MessageHeaders.TIMESTAMP)) {
                seconds = number(in, p.valueStart(), p.valueLength(), MessageHeaders.MAX_SECONDS);
            } else if (delay == 0 && p.nameIs(DELAY_PROPERTY)) {
                delay = number(in, p.valueStart(), p.valueLength(), MAX_DELAY);
            } else if (priority < 0) {
                priority = priority(in, p);
            }
        }
        return new Origin(key, seconds, Math.max(0, priority), delay);
    }

    /** The priority in the current user property; -1 if it is not one, or is written so that it could not be told again. */
    private static int priority(ByteBuf in, PropertyReader p) {
        int length = p.valueLength();
        int start = p.valueStart();
        if (length == 0 || length > 3 || length > 1 && in.getByte(start) == '0' || !p.nameIs(PRIORITY_PROPERTY)) {
            return -1;
        }
        int value = 0;
        for (int i = start; i < start + length; i++) {
            int digit = in.getByte(i) - '0';
            if (digit < 0 || digit > 9) {
                return -1;
            }
            value = value * 10 + digit;
        }
        return value > 255 ? -1 : value;
    }

    /** Digits as a number; -1 if they are none, or more than {@code max}. */
    private static long number(ByteBuf in, int start, int length, long max) {
        long value = length == 0 || length > 12 ? -1 : 0;
        for (int i = start; i < start + length && value >= 0; i++) {
            int digit = in.getByte(i) - '0';
            value = digit < 0 || digit > 9 ? -1 : value * 10 + digit;
        }
        return value > max ? -1 : value;
    }

    /**
     * Writes headers.
     *
     * @param expiresAt epoch ms, 0 = never
     * @param properties buffer that holds the encoded MQTT 5.0 properties, without their length
     * @param start index of the first property; equal to {@code end} if there are none
     * @return number of headers written
     * @throws ProtocolViolation PACKET_TOO_LARGE if properties that must be kept as they are exceed their limit
     */
    public static int headers(
            ByteBuf out, int qos, boolean retain, long expiresAt, ByteBuf properties, int start, int end) {
        RecordFields.writeHeader(out, MessageHeaders.QOS, QOS[qos]);
        int count = 1;
        if (retain) {
            RecordFields.writeHeader(out, MessageHeaders.RETAIN, ONE);
            count++;
        }
        if (expiresAt > 0) {
            RecordFields.writeHeader(
                    out, MessageHeaders.EXPIRES_AT, Long.toString(expiresAt).getBytes(US_ASCII));
            count++;
        }
        return start == end ? count : count + properties(out, properties, start, end);
    }

    private static int properties(ByteBuf out, ByteBuf in, int start, int end) {
        int count = 0;
        boolean keepOriginal = false;
        boolean hasPriority = false;
        PropertyReader p = PropertyReader.of(in, start, end);
        while (p.next()) {
            switch (p.id()) {
                case PropertyReader.PAYLOAD_FORMAT -> {
                    if (p.number() == 1) {
                        RecordFields.writeHeader(out, MessageHeaders.UTF8, ONE);
                        count++;
                    } else {
                        keepOriginal = true;
                    }
                }
                case PropertyReader.CONTENT_TYPE -> {
                    copy(out, MessageHeaders.CONTENT_TYPE, in, p);
                    count++;
                }
                case PropertyReader.CORRELATION_DATA -> {
                    copy(out, MessageHeaders.CORRELATION_ID, in, p);
                    count++;
                }
                case PropertyReader.RESPONSE_TOPIC -> {
                    String topic = in.toString(p.valueStart(), p.valueLength(), UTF_8);
                    String address = TOPIC_ADDRESS + TopicNames.keyOfTopic(topic);
                    RecordFields.writeHeader(out, MessageHeaders.REPLY_TO, address.getBytes(UTF_8));
                    count++;
                }
                case PropertyReader.USER_PROPERTY -> {
                    if (isReserved(in, p)) {
                        keepOriginal = true;
                    } else if (!hasPriority && priority(in, p) >= 0) {
                        hasPriority = true;
                        copy(out, MessageHeaders.PRIORITY, in, p);
                        count++;
                    } else {
                        RecordFields.writeVarint(out, p.nameLength());
                        out.writeBytes(in, p.nameStart(), p.nameLength());
                        RecordFields.writeVarint(out, p.valueLength());
                        out.writeBytes(in, p.valueStart(), p.valueLength());
                        count++;
                    }
                }
                default -> {} // expiry is absolute above; an alias belongs to the connection
            }
        }
        if (keepOriginal) {
            if (end - start > MAX_ORIGINAL_BYTES) {
                throw new ProtocolViolation(
                        ReasonCode.PACKET_TOO_LARGE, "reserved user properties in " + (end - start) + " bytes");
            }
            RecordFields.writeHeader(out, MessageHeaders.FROM, MQTT5);
            RecordFields.writeHeader(out, MessageHeaders.ORIGINAL, in.slice(start, end - start));
            count += 2;
        }
        return count;
    }

    private static void copy(ByteBuf out, byte[] name, ByteBuf in, PropertyReader p) {
        RecordFields.writeVarint(out, name.length);
        out.writeBytes(name);
        RecordFields.writeVarint(out, p.valueLength());
        out.writeBytes(in, p.valueStart(), p.valueLength());
    }

    /** Names that a client must not set as headers, or that would be read back as another property. */
    private static boolean isReserved(ByteBuf in, PropertyReader p) {
        if (p.nameLength() == 0 || in.getByte(p.nameStart()) == '~') {
            return true;
        }
        boolean prefix = p.nameLength() >= RESERVED_PREFIX.length;
        for (int i = 0; prefix && i < RESERVED_PREFIX.length; i++) {
            prefix = in.getByte(p.nameStart() + i) == RESERVED_PREFIX[i];
        }
        return prefix
                || p.nameIs(MessageHeaders.CONTENT_TYPE)
                || p.nameIs(MessageHeaders.CORRELATION_ID)
                || p.nameIs(MessageHeaders.REPLY_TO);
    }
}
