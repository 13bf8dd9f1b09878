package io.sluice.mqtt.session;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.message.RecordView;
import io.sluice.mqtt.codec.PacketWriter;
import io.sluice.mqtt.codec.Topics;
import io.sluice.mqtt.convert.MqttMessage;
import io.sluice.mqtt.convert.RecordToPublish;
import io.sluice.routing.DirectMessage;
import org.jspecify.annotations.Nullable;

/**
 * What a PUBLISH to a subscriber is made of (MQTT 5.0 section 3.3), read from a direct message or a stored record, and its
 * encoding. Reusable scratch of one thread; borrows from what it was read from.
 */
final class PublishFields {
    /** Bytes of a fixed header and a topic length, at most. */
    static final int HEAD_BYTES = 7;

    private static final byte[] NONE = {};

    private final RecordView record = new RecordView();
    private final RecordToPublish stored = new RecordToPublish();

    private byte[] topic = NONE;
    private ByteBuf properties = Unpooled.EMPTY_BUFFER;
    private ByteBuf payload = Unpooled.EMPTY_BUFFER;
    private int payloadStart;
    private int payloadLength;
    private long expirySeconds;
    private boolean retained;

    /** View to read a stored record into, before {@link #readRecord}. */
    RecordView record() {
        return record;
    }

    /**
     * Reads a direct message.
     *
     * @param now epoch ms
     * @return false if it has expired or has no form in MQTT
     */
    boolean read(DirectMessage message, boolean mqtt5, long now) {
        if (!(message instanceof MqttMessage own)) {
            message.record(record);
            return readRecord(mqtt5, message.topic(), now);
        }
        topic = own.topicBytes();
        properties = own.properties();
        payload = own.source();
        payloadStart = own.payloadStart();
        payloadLength = own.payloadLength();
        retained = own.retained();
        return expires(own.expiresAt(), now);
    }

    /** As {@link #read} for {@link #record()}; {@code knownTopic} null = derive it. */
    boolean readRecord(boolean mqtt5, @Nullable String knownTopic, long now) {
        stored.read(record, mqtt5, knownTopic);
        topic = stored.topic();
        properties = stored.properties();
        payload = record.buffer();
        payloadStart = record.valueStart();
        payloadLength = Math.max(0, record.valueLength());
        retained = stored.retain();
        return expires(stored.expiresAt(), now) && topic.length > 0 && topic.length <= Topics.MAX_LENGTH;
    }

    /** True if it was published with RETAIN. */
    boolean retained() {
        return retained;
    }

    private boolean expires(long expiresAt, long now) {
        if (expiresAt <= 0) {
            expirySeconds = -1;
            return true;
        }
        long left = expiresAt - now;
        expirySeconds = Math.min(0xFFFF_FFFFL, (left + 999) / 1000); // rounded up: 0 would mean expired
        return left > 0;
    }

    byte[] topic() {
        return topic;
    }

    ByteBuf payload() {
        return payload;
    }

    int payloadStart() {
        return payloadStart;
    }

    int payloadLength() {
        return payloadLength;
    }

    /** Encoded size of the properties, their length not counted; 0 for MQTT 3.1.1. */
    int propertyBytes(boolean mqtt5, int[] identifiers) {
        if (!mqtt5) {
            return 0;
        }
        int size = properties.readableBytes() + (expirySeconds >= 0 ? 5 : 0);
        for (int identifier : identifiers) {
            size += 1 + PacketWriter.sizeOfVarint(identifier);
        }
        return size;
    }

    /** Remaining length of the packet, bytes. */
    long remaining(boolean mqtt5, boolean withId, int propertyBytes) {
        return 2L
                + topic.length
                + (withId ? 2 : 0)
                + (mqtt5 ? PacketWriter.sizeOfVarint(propertyBytes) + propertyBytes : 0)
                + payloadLength;
    }

    /**
     * Writes the packet up to its payload.
     *
     * @param flags low bits of the first byte: DUP, QoS, RETAIN
     * @param packetId packet identifier, not written for QoS 0
     */
    void writeHead(
            ByteBuf out, int flags, int remaining, int packetId, boolean mqtt5, int propertyBytes, int[] identifiers) {
        out.writeByte(0x30 | flags);
        PacketWriter.writeVarint(out, remaining);
        out.writeShort(topic.length);
        out.writeBytes(topic);
        if ((flags & 6) != 0) {
            out.writeShort(packetId);
        }
        if (!mqtt5) {
            return;
        }
        PacketWriter.writeVarint(out, propertyBytes);
        out.writeBytes(properties, properties.readerIndex(), properties.readableBytes());
        if (expirySeconds >= 0) {
            out.writeByte(0x02);
            out.writeInt((int) expirySeconds);
        }
        for (int identifier : identifiers) {
            out.writeByte(0x0B);
            PacketWriter.writeVarint(out, identifier);
        }
    }

    void writePayload(ByteBuf out) {
        out.writeBytes(payload, payloadStart, payloadLength);
    }
}
