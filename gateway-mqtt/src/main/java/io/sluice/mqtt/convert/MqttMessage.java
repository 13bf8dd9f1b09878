package io.sluice.mqtt.convert;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.routing.DirectMessage;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import org.jspecify.annotations.Nullable;

/**
 * An MQTT publish on its way to online subscribers: topic bytes, property bytes and payload are shared by all of them, so an
 * MQTT subscriber's PUBLISH is three copies into its output. Immutable; any thread while retained.
 */
public final class MqttMessage extends AbstractReferenceCounted implements DirectMessage {
    private static final AtomicReferenceFieldUpdater<MqttMessage, ByteBuf> RECORD =
            AtomicReferenceFieldUpdater.newUpdater(MqttMessage.class, ByteBuf.class, "record");
    private static final AtomicReferenceFieldUpdater<MqttMessage, MqttMessage> COMPACT =
            AtomicReferenceFieldUpdater.newUpdater(MqttMessage.class, MqttMessage.class, "compact");

    private final String topic;
    private final byte[] topicBytes;
    private final ByteBuf source;
    private final int payloadStart;
    private final int payloadLength;
    private final ByteBuf properties;
    private final int qos;
    private final boolean retain;
    private final long timestamp;
    private final long expiresAt;
    private final String publisherId;

    private volatile @Nullable ByteBuf record;
    private volatile @Nullable MqttMessage compact;

    /**
     * Creates a message.
     *
     * @param source buffer that holds the payload; this object takes over one reference
     * @param properties encoded MQTT 5.0 properties without expiry and topic alias, empty for MQTT 3.1.1
     * @param timestamp epoch ms
     * @param expiresAt epoch ms, 0 = never
     */
    public MqttMessage(
            String topic,
            byte[] topicBytes,
            ByteBuf source,
            int payloadStart,
            int payloadLength,
            byte[] properties,
            int qos,
            boolean retain,
            long timestamp,
            long expiresAt,
            String publisherId) {
        this(
                topic,
                topicBytes,
                source,
                payloadStart,
                payloadLength,
                properties.length == 0 ? Unpooled.EMPTY_BUFFER : Unpooled.wrappedBuffer(properties),
                qos,
                retain,
                timestamp,
                expiresAt,
                publisherId);
    }

    private MqttMessage(
            String topic,
            byte[] topicBytes,
            ByteBuf source,
            int payloadStart,
            int payloadLength,
            ByteBuf properties,
            int qos,
            boolean retain,
            long timestamp,
            long expiresAt,
            String publisherId) {
        this.topic = topic;
        this.topicBytes = topicBytes;
        this.source = source;
        this.payloadStart = payloadStart;
        this.payloadLength = payloadLength;
        this.properties = properties;
        this.qos = qos;
        this.retain = retain;
        this.timestamp = timestamp;
        this.expiresAt = expiresAt;
        this.publisherId = publisherId;
    }

    @Override
    public String topic() {
        return topic;
    }

    @Override
    public int qos() {
        return qos;
    }

    @Override
    public String publisherId() {
        return publisherId;
    }

    /** Topic in UTF-8; not to be changed. */
    public byte[] topicBytes() {
        return topicBytes;
    }

    /** Buffer that holds the payload; borrowed. */
    public ByteBuf source() {
        return source;
    }

    public int payloadStart() {
        return payloadStart;
    }

    public int payloadLength() {
        return payloadLength;
    }

    /** Encoded MQTT 5.0 properties; borrowed, its indexes not to be moved. */
    public ByteBuf properties() {
        return properties;
    }

    /** True if published with RETAIN. */
    public boolean retained() {
        return retain;
    }

    /** Epoch ms, 0 = never. */
    public long expiresAt() {
        return expiresAt;
    }

    @Override
    public void record(RecordView into) {
        ByteBuf encoded = record;
        if (encoded == null) {
            encoded = encode();
            if (!RECORD.compareAndSet(this, null, encoded)) {
                encoded = record;
            }
        }
        if (encoded != null) {
            into.wrap(encoded, 0, -1, timestamp);
        }
    }

    /**
     * The same message in memory of its own size, for those who keep it: a few bytes must not hold a whole read buffer. The
     * caller owns one reference of the answer; this message is not released.
     */
    public MqttMessage compact() {
        if (source.capacity() <= 2 * payloadLength + 128) {
            return (MqttMessage) retain();
        }
        MqttMessage copy = compact;
        if (copy == null) {
            ByteBuf payload = source.alloc().buffer(Math.max(1, payloadLength));
            payload.writeBytes(source, payloadStart, payloadLength);
            copy = new MqttMessage(
                    topic,
                    topicBytes,
                    payload,
                    0,
                    payloadLength,
                    properties,
                    qos,
                    retain,
                    timestamp,
                    expiresAt,
                    publisherId);
            if (!COMPACT.compareAndSet(this, null, copy)) {
                copy.release();
                copy = compact;
            }
        }
        return copy == null ? (MqttMessage) retain() : (MqttMessage) copy.retain();
    }

    private ByteBuf encode() {
        ByteBuf headers = Unpooled.buffer(64);
        int count = PublishToRecord.headers(
                headers, qos, retain, expiresAt, properties, properties.readerIndex(), properties.writerIndex());
        ByteBuf out = Unpooled.buffer(topicBytes.length + payloadLength + headers.readableBytes() + 16);
        RecordFields.writeBytes(out, topicBytes);
        RecordFields.writeVarint(out, payloadLength);
        out.writeBytes(source, payloadStart, payloadLength);
        RecordFields.writeVarint(out, count);
        out.writeBytes(headers);
        return out;
    }

    @Override
    protected void deallocate() {
        source.release();
        MqttMessage copy = compact;
        if (copy != null) {
            copy.release();
        }
    }

    @Override
    public ReferenceCounted touch(Object hint) {
        return this;
    }
}
