package io.sluice.amqp091.convert;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.sluice.amqp091.codec.ContentHeader;
import io.sluice.amqp091.codec.FieldTable;
import io.sluice.amqp091.codec.Wire;
import io.sluice.message.HeaderTypes;
import io.sluice.message.RecordView;
import io.sluice.routing.topic.TopicNames;
import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;

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
    private final ApplicationHeaders application = new ApplicationHeaders();
    private final BrokerHeaders broker = new BrokerHeaders();
    private int deliveryCount;
    private long parsed;
    private @Nullable String mqttKey;

    /** As {@link #read}, with the record's offset for the reader of a stream. */
    public void readFromStream(RecordView source) {
        read(source, 0);
        broker.add(BrokerHeaders.STREAM_OFFSET, true);
    }

    /** Takes up a record; positions are valid as long as its buffer is. */
    public void read(RecordView source, int failedDeliveries) {
        record = source;
        deliveryCount = failedDeliveries;
        mqttKey = null;
        application.clear();
        Arrays.fill(lengths, -1);
        ByteBuf in = source.buffer();
        source.rewindHeaders();
        while (source.nextHeader()) {
            int found = CanonicalName.find(in, source.headerNameStart(), source.headerNameLength());
            if (found >= 0) {
                starts[found] = source.headerValueStart();
                lengths[found] = Math.max(0, source.headerValueLength());
            } else if (!CanonicalName.isInternal(in, source.headerNameStart(), source.headerNameLength())) {
                application.add(source);
            }
        }
        if (isMqtt() && !has(CanonicalName.ROUTING_KEY)) {
            mqttKey = TopicNames.keyOfTopic(topic());
        }
        findBrokerHeaders(in);
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
        } else if (mqttKey != null) {
            Wire.writeShortString(out, mqttKey);
        } else {
            Wire.writeShortString(out, in, record.keyStart(), Math.max(0, record.keyLength()));
        }
    }

    private String topic() {
        return has(CanonicalName.TOPIC)
                ? text(CanonicalName.TOPIC)
                : record.buffer().toString(record.keyStart(), Math.max(0, record.keyLength()), UTF_8);
    }

    /** True if the properties were published by this protocol and are kept whole. */
    private boolean isOriginal() {
        return has(CanonicalName.ORIGINAL)
                && length(CanonicalName.ORIGINAL) >= 2
                && length(CanonicalName.FROM) == AMQP_091.length
                && CanonicalName.equal(record.buffer(), start(CanonicalName.FROM), AMQP_091);
    }

    /** Writes property flags and values. */
    public void writeProperties(ByteBuf out) {
        if (isOriginal()) {
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
        // a dead letter does not expire again
        boolean cut = has(CanonicalName.DEATH_REASON) && (flags >> ContentHeader.EXPIRATION & 1) != 0;
        if (broker.isEmpty()) {
            out.writeBytes(in, start(CanonicalName.ORIGINAL), length(CanonicalName.ORIGINAL));
            return;
        }
        out.writeShort((cut ? flags & ~(1 << ContentHeader.EXPIRATION) : flags) | 1 << ContentHeader.HEADERS);
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
            rest = table + 4 + in.getInt(table);
            copyFields(out, in, table + 4, rest);
        }
        writeBrokerHeaders(out);
        out.setInt(mark, out.writerIndex() - mark - 4);
        if (cut) {
            int expiration = expirationAt(in, rest, flags);
            out.writeBytes(in, rest, expiration - rest);
            rest = expiration + 1 + in.getUnsignedByte(expiration);
        }
        out.writeBytes(in, rest, end - rest);
    }

    /** Where the expiration stands in a property section, from the end of its headers on. */
    private static int expirationAt(ByteBuf in, int afterHeaders, int flags) {
        int at = afterHeaders;
        at += flags >> ContentHeader.DELIVERY_MODE & 1;
        at += flags >> ContentHeader.PRIORITY & 1;
        at += (flags >> ContentHeader.CORRELATION_ID & 1) == 0 ? 0 : 1 + in.getUnsignedByte(at);
        at += (flags >> ContentHeader.REPLY_TO & 1) == 0 ? 0 : 1 + in.getUnsignedByte(at);
        return at;
    }

    /** The fields of a table but those that the broker writes itself. */
    private void copyFields(ByteBuf out, ByteBuf in, int start, int end) {
        ByteBuf fields = in.slice(start, end - start);
        while (fields.isReadable()) {
            int from = fields.readerIndex();
            int length = fields.readUnsignedByte();
            fields.skipBytes(length);
            FieldTable.skipValue(fields, fields.readByte());
            if (!broker.replaces(fields, from + 1, length)) {
                out.writeBytes(fields, from, fields.readerIndex() - from);
            }
        }
    }

    private void writeRebuilt(ByteBuf out) {
        int at = out.writerIndex();
        out.writeShort(0);
        int flags = 0;
        flags |= writeText(out, CanonicalName.CONTENT_TYPE, ContentHeader.CONTENT_TYPE);
        flags |= writeText(out, CanonicalName.CONTENT_ENCODING, ContentHeader.CONTENT_ENCODING);
        if (!application.isEmpty() || !broker.isEmpty()) {
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
        if (isNumber(CanonicalName.PRIORITY)) {
            out.writeByte((int) Math.max(0, Math.min(255, parsed)));
            flags |= 1 << ContentHeader.PRIORITY;
        }
        flags |= writeText(out, CanonicalName.CORRELATION_ID, ContentHeader.CORRELATION_ID);
        flags |= writeText(out, CanonicalName.REPLY_TO, ContentHeader.REPLY_TO);
        if (isNumber(CanonicalName.EXPIRES_AT) && record.timestamp() >= 0) {
            long expiresAt = parsed;
            long millis = expiresAt <= 0 ? 0 : Math.max(0, expiresAt - record.timestamp());
            Wire.writeShortString(out, Long.toString(millis));
            flags |= 1 << ContentHeader.EXPIRATION;
        }
        flags |= writeText(out, CanonicalName.MESSAGE_ID, ContentHeader.MESSAGE_ID);
        if (isNumber(CanonicalName.TIMESTAMP)) {
            out.writeLong(parsed);
            flags |= 1 << ContentHeader.TIMESTAMP;
        }
        flags |= writeText(out, CanonicalName.TYPE, ContentHeader.TYPE);
        flags |= writeText(out, CanonicalName.USER, ContentHeader.USER_ID);
        flags |= writeText(out, CanonicalName.APP_ID, ContentHeader.APP_ID);
        out.setShort(at, flags);
    }

    private int deliveryMode() {
        if (isNumber(CanonicalName.DURABLE)) {
            return parsed == 1 ? 2 : 1;
        }
        if (isNumber(CanonicalName.QOS)) {
            return parsed > 0 ? 2 : 1;
        }
        return 0;
    }

    /**
     * Reads a number into {@link #parsed}. False if the header is absent or, set by a Kafka producer, no number: then the property
     * is absent too.
     */
    private boolean isNumber(CanonicalName name) {
        int length = length(name);
        if (length <= 0 || length > 20) {
            return false;
        }
        long value = 0;
        ByteBuf in = record.buffer();
        int at = start(name);
        int end = at + length;
        boolean negative = in.getByte(at) == '-';
        at += negative ? 1 : 0;
        boolean any = at < end;
        while (at < end) {
            int digit = in.getByte(at++) - '0';
            if (digit < 0 || digit > 9 || value > (Long.MAX_VALUE - digit) / 10) {
                return false;
            }
            value = value * 10 + digit;
        }
        parsed = negative ? -value : value;
        return any;
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
        application.write(out, in, types, broker);
    }

    private void findBrokerHeaders(ByteBuf in) {
        broker.clear();
        broker.add(BrokerHeaders.DELIVERY_COUNT, deliveryCount > 0);
        broker.add(BrokerHeaders.TOMBSTONE, record.valueLength() < 0);
        broker.add(BrokerHeaders.MQTT_TOPIC, mqttKey != null && ByteBufUtil.utf8Bytes(mqttKey) > 255);
        broker.add(BrokerHeaders.DEATHS, has(CanonicalName.DEATH_REASON));
        if (isOriginal()) {
            return; // has its other headers as they were published
        }
        broker.add(BrokerHeaders.MESSAGE_ID, isLong(CanonicalName.MESSAGE_ID));
        broker.add(BrokerHeaders.CORRELATION_ID, isLong(CanonicalName.CORRELATION_ID));
        broker.add(BrokerHeaders.REPLY_TO, isLong(CanonicalName.REPLY_TO));
        broker.add(
                BrokerHeaders.REPLY_TO_TOPIC,
                isMqtt()
                        && has(CanonicalName.REPLY_TO)
                        && ReplyAddress.isTopic(in, start(CanonicalName.REPLY_TO), length(CanonicalName.REPLY_TO)));
        broker.add(BrokerHeaders.GROUP_SEQUENCE, has(CanonicalName.GROUP_SEQUENCE));
        // the key of a Kafka producer; a dead letter's is its routing key of before
        broker.add(
                BrokerHeaders.KEY,
                has(CanonicalName.ROUTING_KEY)
                        && record.keyLength() >= 0
                        && !has(CanonicalName.QOS)
                        && !has(CanonicalName.RETAIN)
                        && !has(CanonicalName.DEATH_REASON)
                        && !application.contains(in, BrokerHeaders.nameOf(BrokerHeaders.KEY)));
    }

    private boolean isLong(CanonicalName name) {
        return has(name) && !fits(name);
    }

    private void writeBrokerHeaders(ByteBuf out) {
        if (broker.isEmpty()) {
            return;
        }
        if (broker.has(BrokerHeaders.DELIVERY_COUNT)) {
            BrokerHeaders.writeName(out, BrokerHeaders.DELIVERY_COUNT);
            out.writeByte('l').writeLong(deliveryCount);
        }
        if (broker.has(BrokerHeaders.STREAM_OFFSET)) {
            BrokerHeaders.writeName(out, BrokerHeaders.STREAM_OFFSET);
            out.writeByte('l').writeLong(record.offset());
        }
        if (broker.has(BrokerHeaders.TOMBSTONE)) {
            BrokerHeaders.writeName(out, BrokerHeaders.TOMBSTONE);
            out.writeByte('t').writeBoolean(true);
        }
        writeLong(out, CanonicalName.MESSAGE_ID, BrokerHeaders.MESSAGE_ID);
        writeLong(out, CanonicalName.CORRELATION_ID, BrokerHeaders.CORRELATION_ID);
        writeLong(out, CanonicalName.REPLY_TO, BrokerHeaders.REPLY_TO);
        if (broker.has(BrokerHeaders.REPLY_TO_TOPIC)) {
            String address = text(CanonicalName.REPLY_TO);
            BrokerHeaders.writeName(out, BrokerHeaders.REPLY_TO_TOPIC);
            writeText(out, ReplyAddress.topic(address));
        }
        if (broker.has(BrokerHeaders.MQTT_TOPIC)) {
            BrokerHeaders.writeName(out, BrokerHeaders.MQTT_TOPIC);
            writeText(out, topic());
        }
        if (broker.has(BrokerHeaders.KEY)) {
            BrokerHeaders.writeName(out, BrokerHeaders.KEY);
            HeaderValues.write(out, (char) 0, record.buffer(), record.keyStart(), record.keyLength());
        }
        if (broker.has(BrokerHeaders.GROUP_SEQUENCE)) {
            BrokerHeaders.writeName(out, BrokerHeaders.GROUP_SEQUENCE);
            HeaderValues.write(
                    out,
                    'l',
                    record.buffer(),
                    start(CanonicalName.GROUP_SEQUENCE),
                    length(CanonicalName.GROUP_SEQUENCE));
        }
        if (broker.has(BrokerHeaders.DEATHS)) {
            DeathHistory.write(out, record);
        }
    }

    private static void writeText(ByteBuf out, String value) {
        out.writeByte('S');
        Wire.writeLongString(out, value);
    }

    private void writeLong(ByteBuf out, CanonicalName name, int header) {
        if (broker.has(header)) {
            BrokerHeaders.writeName(out, header);
            HeaderValues.write(out, (char) 0, record.buffer(), start(name), length(name));
        }
    }
}
