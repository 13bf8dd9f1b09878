package io.sluice.mqtt.convert;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordView;
import io.sluice.mqtt.codec.PropertyReader;
import io.sluice.mqtt.codec.ProtocolViolation;
import io.sluice.mqtt.codec.Utf8;
import io.sluice.routing.topic.TopicNames;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Reads what a PUBLISH needs out of a canonical record: topic, flags, expiry and, for MQTT 5.0, the encoded properties.
 * Reusable scratch of one thread; its answers hold until the next {@link #read}.
 */
public final class RecordToPublish {
    private static final byte[] EMPTY = {};
    private static final byte[] TOMBSTONE = "x-tombstone".getBytes(US_ASCII);
    private static final byte[] TRUE = "true".getBytes(US_ASCII);
    private static final byte[] DEATH_REASON = "x-death-reason".getBytes(US_ASCII);
    private static final byte[] DEATH_QUEUE = "x-death-queue".getBytes(US_ASCII);
    private static final byte[] MQTT5 = "mqtt5".getBytes(US_ASCII);

    private final ByteBuf properties = Unpooled.buffer(256);
    private byte[] topic = EMPTY;
    private boolean retain;
    private long expiresAt;

    private boolean mqttOrigin;
    private boolean originalIsMqtt;
    /** Written by a door, which notes exchange or durability; else by a Kafka producer. */
    private boolean noted;

    private boolean died;
    private boolean hasKeyProperty;
    private boolean hasTimestamp;
    private int originalStart;
    private int originalLength;

    /**
     * Reads a record.
     *
     * @param withProperties false skips what only MQTT 5.0 subscribers see
     * @param knownTopic topic if the caller knows it, null = derive it from the record
     */
    public void read(RecordView record, boolean withProperties, @Nullable String knownTopic) {
        properties.clear();
        if (properties.capacity() > 65_536) {
            properties.capacity(256);
        }
        retain = false;
        expiresAt = 0;
        mqttOrigin = false;
        originalIsMqtt = false;
        originalLength = -1;
        noted = false;
        died = false;
        hasKeyProperty = false;
        hasTimestamp = false;
        byte[] exact = null;
        byte[] routingKey = null;
        ByteBuf in = record.buffer();
        record.rewindHeaders();
        while (record.nextHeader()) {
            int length = record.headerNameLength();
            int first = length == 0 ? 0 : in.getByte(record.headerNameStart());
            if (first == '~') {
                continue;
            }
            boolean reserved = length > 3
                    && first == 's'
                    && in.getByte(record.headerNameStart() + 1) == 'l'
                    && in.getByte(record.headerNameStart() + 2) == '.';
            if (!reserved) {
                if (withProperties) {
                    property(in, record);
                }
            } else if (record.headerNameIs(MessageHeaders.TOPIC)) {
                exact = record.headerValue();
            } else if (record.headerNameIs(MessageHeaders.ROUTING_KEY)) {
                routingKey = record.headerValue();
            } else {
                reserved(record, withProperties);
            }
        }
        topic = knownTopic != null ? knownTopic.getBytes(UTF_8) : topic(record, exact, routingKey);
        if (withProperties && originalIsMqtt && originalLength >= 0 && isOriginalWhole(in)) {
            original(in);
        } else if (withProperties && !mqttOrigin) {
            foreign(record, in, routingKey != null);
        }
    }

    /** What a record of another protocol has beside its headers. */
    private void foreign(RecordView record, ByteBuf in, boolean hasRoutingKey) {
        if (record.valueLength() < 0) {
            user(TOMBSTONE, TRUE);
        }
        boolean ofProducer = !noted && !hasRoutingKey;
        // a record key that is not the address; a dead letter's is its address of before, a retained message's its
        // topic
        int length = record.keyLength();
        if ((ofProducer || hasRoutingKey)
                && !hasKeyProperty
                && !died
                && !retain
                && length >= 0
                && length <= 65_535
                && Utf8.isValid(in, record.keyStart(), length)) {
            properties.writeByte(PropertyReader.USER_PROPERTY);
            properties.writeShort(PublishToRecord.KEY_PROPERTY.length);
            properties.writeBytes(PublishToRecord.KEY_PROPERTY);
            properties.writeShort(length);
            properties.writeBytes(in, record.keyStart(), length);
        }
        if (ofProducer && !hasTimestamp && record.timestamp() >= 0) {
            user(
                    MessageHeaders.TIMESTAMP,
                    Long.toString(record.timestamp() / 1000).getBytes(US_ASCII));
        }
    }

    private void reserved(RecordView record, boolean withProperties) {
        if (record.headerNameIs(MessageHeaders.QOS)) {
            mqttOrigin = true;
        } else if (record.headerNameIs(MessageHeaders.RETAIN)) {
            retain = true;
        } else if (record.headerNameIs(MessageHeaders.EXPIRES_AT)) {
            expiresAt = record.headerAsLong(0);
        } else if (!withProperties) {
            return;
        } else if (record.headerNameIs(MessageHeaders.EXCHANGE) || record.headerNameIs(MessageHeaders.DURABLE)) {
            noted = true;
        } else if (record.headerNameIs(MessageHeaders.UTF8)) {
            if (record.headerAsLong(0) == 1) {
                properties.writeByte(PropertyReader.PAYLOAD_FORMAT);
                properties.writeByte(1);
            }
        } else if (record.headerNameIs(MessageHeaders.PRIORITY)) {
            if (record.headerAsLong(-1) >= 0) {
                renamed(PublishToRecord.PRIORITY_PROPERTY, record);
            }
        } else if (record.headerNameIs(MessageHeaders.DEATH_REASON)) {
            died = true;
            renamed(DEATH_REASON, record);
        } else if (record.headerNameIs(MessageHeaders.DEATH_QUEUE)) {
            renamed(DEATH_QUEUE, record);
        } else if (record.headerNameIs(MessageHeaders.FROM)) {
            originalIsMqtt = Arrays.equals(record.headerValue(), MQTT5);
        } else if (record.headerNameIs(MessageHeaders.ORIGINAL)) {
            originalStart = record.headerValueStart();
            originalLength = record.headerValueLength();
        }
    }

    private void property(ByteBuf in, RecordView record) {
        int start = record.headerValueStart();
        int length = Math.max(0, record.headerValueLength());
        if (length > 65_535 || record.headerNameLength() > 65_535) {
            return; // no MQTT string is that long
        }
        if (record.headerNameIs(MessageHeaders.CORRELATION_ID)) {
            properties.writeByte(PropertyReader.CORRELATION_DATA);
            properties.writeShort(length);
            properties.writeBytes(in, start, length);
            return;
        }
        if (!Utf8.isValid(in, start, length)) {
            return; // binary headers have no form in a user property
        }
        if (record.headerNameIs(MessageHeaders.CONTENT_TYPE)) {
            properties.writeByte(PropertyReader.CONTENT_TYPE);
        } else if (record.headerNameIs(MessageHeaders.REPLY_TO)) {
            replyTo(in.toString(start, length, UTF_8));
            return;
        } else {
            if (!Utf8.isValid(in, record.headerNameStart(), record.headerNameLength())) {
                return;
            }
            hasKeyProperty |= record.headerNameIs(PublishToRecord.KEY_PROPERTY);
            hasTimestamp |= record.headerNameIs(MessageHeaders.TIMESTAMP);
            properties.writeByte(PropertyReader.USER_PROPERTY);
            properties.writeShort(record.headerNameLength());
            properties.writeBytes(in, record.headerNameStart(), record.headerNameLength());
        }
        properties.writeShort(length);
        properties.writeBytes(in, start, length);
    }

    private void replyTo(String address) {
        if (!address.startsWith(PublishToRecord.TOPIC_ADDRESS)) {
            return; // a queue: no MQTT topic reaches it
        }
        byte[] reply = TopicNames.topicOfKey(address.substring(PublishToRecord.TOPIC_ADDRESS.length()))
                .getBytes(UTF_8);
        if (reply.length > 0 && reply.length <= 65_535) {
            properties.writeByte(PropertyReader.RESPONSE_TOPIC);
            properties.writeShort(reply.length);
            properties.writeBytes(reply);
        }
    }

    private void renamed(byte[] name, RecordView record) {
        byte[] value = record.headerValue();
        if (value != null && value.length <= 65_535) {
            user(name, value);
        }
    }

    private void user(byte[] name, byte[] value) {
        properties.writeByte(PropertyReader.USER_PROPERTY);
        properties.writeShort(name.length);
        properties.writeBytes(name);
        properties.writeShort(value.length);
        properties.writeBytes(value);
    }

    /** False for what a Kafka producer made up: then the properties are those of the record's other headers. */
    private boolean isOriginalWhole(ByteBuf in) {
        try {
            PropertyReader p = PropertyReader.of(in, originalStart, originalStart + originalLength);
            boolean more = p.next();
            while (more) {
                more = p.next();
            }
            return true;
        } catch (ProtocolViolation | IndexOutOfBoundsException e) {
            return false;
        }
    }

    /** Takes the property section as it was received, without what belongs to a connection or is absolute here. */
    private void original(ByteBuf in) {
        properties.clear();
        PropertyReader p = PropertyReader.of(in, originalStart, originalStart + originalLength);
        int from = originalStart;
        while (p.next()) {
            int id = p.id();
            boolean cut = id == PropertyReader.TOPIC_ALIAS || id == PropertyReader.MESSAGE_EXPIRY;
            if (cut) {
                properties.writeBytes(in, from, p.propertyStart() - from);
                from = p.propertyStart() + (id == PropertyReader.TOPIC_ALIAS ? 3 : 5);
            }
        }
        properties.writeBytes(in, from, originalStart + originalLength - from);
    }

    private byte[] topic(RecordView record, byte @Nullable [] exact, byte @Nullable [] routingKey) {
        byte[] key = record.keyBytes();
        if (exact != null || mqttOrigin) {
            byte[] published = exact != null ? exact : key == null ? EMPTY : key;
            return routingKey == null ? published : readdressed(published, routingKey);
        }
        byte[] address = routingKey != null ? routingKey : key;
        return address == null
                ? EMPTY
                : TopicNames.topicOfKey(new String(address, UTF_8)).getBytes(UTF_8);
    }

    /** The topic of a message that was published to another one: a dead letter has the key that it was dead-lettered with. */
    private static byte[] readdressed(byte[] published, byte[] routingKey) {
        String key = new String(routingKey, UTF_8);
        return TopicNames.keyOfTopic(new String(published, UTF_8)).equals(key)
                ? published
                : TopicNames.topicOfKey(key).getBytes(UTF_8);
    }

    /** Topic name; not to be changed. */
    public byte[] topic() {
        return topic;
    }

    /** True if published with RETAIN. */
    public boolean retain() {
        return retain;
    }

    /** Epoch ms, 0 = never. */
    public long expiresAt() {
        return expiresAt;
    }

    /** Encoded MQTT 5.0 properties without expiry and length; borrowed. */
    public ByteBuf properties() {
        return properties;
    }
}
