package io.sluice.amqp091.convert;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.sluice.amqp091.codec.ContentHeader;
import io.sluice.amqp091.codec.Wire;
import io.sluice.message.RecordView;
import io.sluice.routing.topic.TopicNames;
import java.util.Arrays;
import java.util.Map;

/**
 * Reads a canonical record and writes what AMQP 0-9-1 sees of it: exchange, routing key and properties. One walk over the
 * headers sorts them; nothing is allocated unless headers are typed or the message was dead-lettered. Reusable, confined to one
 * loop.
 */
public final class OutboundMessage {
    private static final byte[] TOPIC_EXCHANGE = "amq.topic".getBytes(US_ASCII);
    private static final byte[] AMQP_091 = "amqp091".getBytes(US_ASCII);
    private static final int NAMES = CanonicalName.values().length;

    private final int[] starts = new int[NAMES];
    private final int[] lengths = new int[NAMES];
    private RecordView record = new RecordView();
    private int applicationHeaders;
    private int deliveryCount;

    /** Takes up a record; positions are valid as long as its buffer is. */
    public void read(RecordView source, int failedDeliveries) {
        record = source;
        deliveryCount = failedDeliveries;
        applicationHeaders = 0;
        Arrays.fill(lengths, -1);
        ByteBuf in = source.buffer();
        source.rewindHeaders();
        while (source.nextHeader()) {
            int found = CanonicalName.find(in, source.headerNameStart(), source.headerNameLength());
            if (found >= 0) {
                starts[found] = source.headerValueStart();
                lengths[found] = Math.max(0, source.headerValueLength());
            } else if (!CanonicalName.isInternal(in, source.headerNameStart(), source.headerNameLength())) {
                applicationHeaders++;
            }
        }
    }

    private boolean has(CanonicalName name) {
        return lengths[name.ordinal()] >= 0;
    }

    private int start(CanonicalName name) {
        return starts[name.ordinal()];
    }

    private int length(CanonicalName name) {
        return lengths[name.ordinal()];
    }

    private String text(CanonicalName name) {
        return record.buffer().toString(start(name), length(name), UTF_8);
    }

    /** True if an MQTT client published it. */
    private boolean isMqtt() {
        return has(CanonicalName.QOS) || has(CanonicalName.TOPIC);
    }

    /** Writes the exchange as a short string: the one published to, the topic exchange for MQTT, else the default one. */
    public void writeExchange(ByteBuf out) {
        if (has(CanonicalName.EXCHANGE)) {
            Wire.writeShortString(out, record.buffer(), start(CanonicalName.EXCHANGE), length(CanonicalName.EXCHANGE));
        } else if (isMqtt()) {
            out.writeByte(TOPIC_EXCHANGE.length);
            out.writeBytes(TOPIC_EXCHANGE);
        } else {
            out.writeByte(0);
        }
    }

    /** Writes the routing key as a short string, cut at 255 bytes. */
    public void writeRoutingKey(ByteBuf out) {
        ByteBuf in = record.buffer();
        if (has(CanonicalName.ROUTING_KEY)) {
            Wire.writeShortString(out, in, start(CanonicalName.ROUTING_KEY), length(CanonicalName.ROUTING_KEY));
        } else if (isMqtt()) {
            Wire.writeShortString(out, TopicNames.keyOfTopic(topic()));
        } else {
            Wire.writeShortString(out, in, record.keyStart(), Math.max(0, record.keyLength()));
        }
    }

    private String topic() {
        return has(CanonicalName.TOPIC)
                ? text(CanonicalName.TOPIC)
                : record.buffer().toString(record.keyStart(), Math.max(0, record.keyLength()), UTF_8);
    }

    /** Writes property flags and values. */
    public void writeProperties(ByteBuf out) {
        if (has(CanonicalName.ORIGINAL)
                && length(CanonicalName.ORIGINAL) >= 2
                && length(CanonicalName.FROM) == AMQP_091.length
                && CanonicalName.equal(record.buffer(), start(CanonicalName.FROM), AMQP_091)) {
            writeOriginal(out);
        } else {
            writeRebuilt(out);
        }
    }

    /** The properties as they were published, with the broker's own headers added to the table. */
    private void writeOriginal(ByteBuf out) {
        ByteBuf in = record.buffer();
        int at = start(CanonicalName.ORIGINAL);
        int end = at + length(CanonicalName.ORIGINAL);
        int flags = in.getUnsignedShort(at);
        at += 2;
        if (!hasBrokerHeaders()) {
            out.writeBytes(in, start(CanonicalName.ORIGINAL), length(CanonicalName.ORIGINAL));
            return;
        }
        out.writeShort(flags | 1 << ContentHeader.HEADERS);
        int table = at;
        if ((flags >> ContentHeader.CONTENT_TYPE & 1) != 0) {
            table += 1 + in.getUnsignedByte(table);
        }
        if ((flags >> ContentHeader.CONTENT_ENCODING & 1) != 0) {
            table += 1 + in.getUnsignedByte(table);
        }
        out.writeBytes(in, at, table - at);
        int mark = out.writerIndex();
        out.writeInt(0);
        int rest = table;
        if ((flags >> ContentHeader.HEADERS & 1) != 0) {
            int length = in.getInt(table);
            out.writeBytes(in, table + 4, length);
            rest = table + 4 + length;
        }
        writeBrokerHeaders(out);
        out.setInt(mark, out.writerIndex() - mark - 4);
        out.writeBytes(in, rest, end - rest);
    }

    private void writeRebuilt(ByteBuf out) {
        int at = out.writerIndex();
        out.writeShort(0);
        int flags = 0;
        flags |= writeText(out, CanonicalName.CONTENT_TYPE, ContentHeader.CONTENT_TYPE);
        flags |= writeText(out, CanonicalName.CONTENT_ENCODING, ContentHeader.CONTENT_ENCODING);
        if (applicationHeaders > 0 || hasBrokerHeaders()) {
            int mark = out.writerIndex();
            out.writeInt(0);
            writeApplicationHeaders(out);
            writeBrokerHeaders(out);
            out.setInt(mark, out.writerIndex() - mark - 4);
            flags |= 1 << ContentHeader.HEADERS;
        }
        int mode = deliveryMode();
        if (mode != 0) {
            out.writeByte(mode);
            flags |= 1 << ContentHeader.DELIVERY_MODE;
        }
        if (has(CanonicalName.PRIORITY)) {
            out.writeByte((int) Math.max(0, Math.min(255, number(CanonicalName.PRIORITY, 0))));
            flags |= 1 << ContentHeader.PRIORITY;
        }
        flags |= writeText(out, CanonicalName.CORRELATION_ID, ContentHeader.CORRELATION_ID);
        flags |= writeText(out, CanonicalName.REPLY_TO, ContentHeader.REPLY_TO);
        if (has(CanonicalName.EXPIRES_AT)) {
            long millis = Math.max(0, number(CanonicalName.EXPIRES_AT, 0) - record.timestamp());
            Wire.writeShortString(out, Long.toString(millis));
            flags |= 1 << ContentHeader.EXPIRATION;
        }
        flags |= writeText(out, CanonicalName.MESSAGE_ID, ContentHeader.MESSAGE_ID);
        if (has(CanonicalName.TIMESTAMP)) {
            out.writeLong(number(CanonicalName.TIMESTAMP, Math.floorDiv(record.timestamp(), 1000L)));
            flags |= 1 << ContentHeader.TIMESTAMP;
        }
        flags |= writeText(out, CanonicalName.TYPE, ContentHeader.TYPE);
        flags |= writeText(out, CanonicalName.USER, ContentHeader.USER_ID);
        flags |= writeText(out, CanonicalName.APP_ID, ContentHeader.APP_ID);
        out.setShort(at, flags);
    }

    private int deliveryMode() {
        if (has(CanonicalName.DURABLE)) {
            return number(CanonicalName.DURABLE, 0) == 1 ? 2 : 1;
        }
        if (has(CanonicalName.QOS)) {
            return number(CanonicalName.QOS, 0) > 0 ? 2 : 1;
        }
        return 0;
    }

    private long number(CanonicalName name, long fallback) {
        try {
            return length(name) <= 20 ? Long.parseLong(text(name)) : fallback;
        } catch (NumberFormatException e) {
            return fallback;
        }
    }

    private boolean fits(CanonicalName name) {
        return length(name) <= 255
                && (name != CanonicalName.CORRELATION_ID
                        || ByteBufUtil.isText(record.buffer(), start(name), length(name), UTF_8));
    }

    private int writeText(ByteBuf out, CanonicalName name, int property) {
        if (!has(name) || !fits(name)) {
            return 0;
        }
        out.writeByte(length(name));
        out.writeBytes(record.buffer(), start(name), length(name));
        return 1 << property;
    }

    private void writeApplicationHeaders(ByteBuf out) {
        ByteBuf in = record.buffer();
        Map<String, Character> types = has(CanonicalName.TYPES)
                ? HeaderTypes.parse(in, start(CanonicalName.TYPES), length(CanonicalName.TYPES))
                : Map.of();
        record.rewindHeaders();
        while (record.nextHeader()) {
            int start = record.headerNameStart();
            int length = record.headerNameLength();
            if (CanonicalName.find(in, start, length) >= 0 || CanonicalName.isInternal(in, start, length)) {
                continue;
            }
            char code = 0;
            if (!types.isEmpty()) {
                Character typed = types.get(in.toString(start, length, UTF_8));
                code = typed == null ? 0 : typed;
            }
            Wire.writeShortString(out, in, start, length);
            HeaderValues.write(out, code, in, record.headerValueStart(), record.headerValueLength());
        }
    }

    private boolean hasBrokerHeaders() {
        return deliveryCount > 0
                || has(CanonicalName.DEATH_REASON)
                || record.valueLength() < 0
                || isLong(CanonicalName.MESSAGE_ID)
                || isLong(CanonicalName.CORRELATION_ID)
                || isLong(CanonicalName.REPLY_TO)
                || isMqtt() && record.keyLength() > 255;
    }

    private boolean isLong(CanonicalName name) {
        return has(name) && !fits(name);
    }

    private void writeBrokerHeaders(ByteBuf out) {
        if (deliveryCount > 0) {
            Wire.writeShortString(out, "x-delivery-count");
            out.writeByte('l').writeLong(deliveryCount);
        }
        if (record.valueLength() < 0) {
            Wire.writeShortString(out, "x-tombstone");
            out.writeByte('t').writeBoolean(true);
        }
        writeLong(out, CanonicalName.MESSAGE_ID, "x-message-id");
        writeLong(out, CanonicalName.CORRELATION_ID, "x-correlation-id");
        writeLong(out, CanonicalName.REPLY_TO, "x-reply-to");
        if (isMqtt() && record.keyLength() > 255) {
            HeaderValues.writeText(out, "x-mqtt-topic", topic());
        }
        if (has(CanonicalName.DEATH_REASON)) {
            DeathHistory.write(out, record);
        }
    }

    private void writeLong(ByteBuf out, CanonicalName name, String header) {
        if (isLong(name)) {
            Wire.writeShortString(out, header);
            HeaderValues.write(out, (char) 0, record.buffer(), start(name), length(name));
        }
    }
}
