package io.sluice.amqp091.convert;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.ContentHeader;
import io.sluice.amqp091.codec.FieldTable;
import io.sluice.amqp091.codec.Wire;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The field table of the mapping, line by line: canonical headers to AMQP 0-9-1 and AMQP 0-9-1 to canonical headers. */
class HeaderMappingTest {
    private static final long NOW = 1_700_000_000_123L;
    private static final String[] NAMES = {
        "",
        "",
        "cluster-id",
        "app-id",
        "user-id",
        "type",
        "timestamp",
        "message-id",
        "expiration",
        "reply-to",
        "correlation-id",
        "priority",
        "delivery-mode",
        "headers",
        "content-encoding",
        "content-type"
    };

    private record Field(String name, Object value) {}

    /** Headers of a record ({@code name=value}, in order), key, then what AMQP sees; headers of the table start with {@code h:}. */
    static Stream<Arguments> outgoing() {
        String longText = "x".repeat(256);
        return Stream.of(
                out("content type", "content-type=text/plain", "content-type=text/plain"),
                out("content encoding", "content-encoding=gzip", "content-encoding=gzip"),
                out("durable", "sl.durable=1", "delivery-mode=2"),
                out("transient", "sl.durable=0", "delivery-mode=1"),
                out("MQTT QoS 0", "sl.qos=0", "delivery-mode=1"),
                out("MQTT QoS 1", "sl.qos=1", "delivery-mode=2"),
                out("MQTT QoS 2", "sl.qos=2", "delivery-mode=2"),
                out("neither", "", ""),
                out("priority", "sl.priority=7", "priority=7"),
                out("priority above the field", "sl.priority=700", "priority=255"),
                out("expiry", "sl.expires-at=" + (NOW + 5000), "expiration=5000"),
                out("expired", "sl.expires-at=" + (NOW - 5000), "expiration=0"),
                out("expiry that is none", "sl.expires-at=junk", ""),
                out("expiry beyond 64 bits", "sl.expires-at=99999999999999999999", ""),
                out("priority that is none", "sl.priority=high", ""),
                out("negative priority", "sl.priority=-3", "priority=0"),
                out("durability that is none", "sl.durable=yes sl.qos=no", ""),
                out("producer time that is none", "timestamp=yesterday", ""),
                out("message id", "message-id=m", "message-id=m"),
                out("long message id", "message-id=" + longText, "h:x-message-id=" + longText),
                out("correlation", "correlation-id=c", "correlation-id=c"),
                out("long correlation", "correlation-id=" + longText, "h:x-correlation-id=" + longText),
                out("reply to a queue", "reply-to=answers", "reply-to=answers"),
                out(
                        "response topic",
                        "sl.qos=1 reply-to=/exchanges/amq.topic/rsp.7",
                        "delivery-mode=2 reply-to=/exchanges/amq.topic/rsp.7 h:x-reply-to-topic=rsp/7"),
                out("producer time", "timestamp=1600000000", "timestamp=1600000000"),
                out("user", "sl.user=guest", "user-id=guest"),
                out("app id", "app-id=a", "app-id=a"),
                out("type", "type=t", "type=t"),
                out("group sequence", "sl.group-seq=5", "h:x-group-seq=5"),
                out("reply-to group", "reply-to-group-id=g", "h:reply-to-group-id=g"),
                out("trace context", "traceparent=00-1-2-01", "h:traceparent=00-1-2-01"),
                out("own header", "colour=red", "h:colour=red"),
                out("typed header", "n=7 sl.types=n=l", "h:n=7"),
                out("repeated header", "k=a other=o k=b", "h:k#1=a h:other=o h:k#2=b h:k=b"),
                out("broker's own", "sl.utf8=1 sl.retain=1 sl.delay=5", ""),
                out(
                        "a foreign broker header is replaced",
                        "x-death=mine sl.death.reason=rejected sl.death.queue=q"
                                + " sl.death.count=2 sl.death.time=1600000000000 sl.death.exchange=e sl.death.key=k",
                        "h:x-death=[{count=2, reason=rejected, queue=q, time=2020-09-13T12:26:40Z, exchange=e,"
                                + " routing-keys=[k]}] h:x-first-death-reason=rejected h:x-first-death-queue=q"
                                + " h:x-first-death-exchange=e h:x-last-death-reason=rejected h:x-last-death-queue=q"
                                + " h:x-last-death-exchange=e"));
    }

    private static Arguments out(String name, String record, String expected) {
        return Arguments.of(name, record, expected);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("outgoing")
    void canonicalHeadersBecomeProperties(String name, String headers, String expected) {
        RecordView record = record("key", headers.isEmpty() ? List.of() : fields(headers));
        assertThat(seen(write(record, 0))).isEqualTo(expected);
    }

    @Test
    void binaryCorrelationDataIsAHeader() {
        RecordView record = record("key", List.of(new Field("correlation-id", new byte[] {(byte) 0xFF, 1})));
        Map<String, Object> table = table(write(record, 0));
        assertThat(table)
                .hasEntrySatisfying(
                        "x-correlation-id", value -> assertThat(value).isEqualTo(new byte[] {(byte) 0xFF, 1}));
    }

    @Test
    void keyOfAKafkaProducerAndTombstoneAndDeliveryCountAreHeaders() {
        ByteBuf bytes = Unpooled.buffer();
        RecordFields.writeBytes(bytes, "device-7".getBytes(UTF_8));
        RecordFields.writeBytes(bytes, (byte[]) null);
        List<Field> headers = fields("sl.exchange=e sl.routing-key=commands sl.durable=1");
        RecordFields.writeVarint(bytes, headers.size());
        headers.forEach(
                h -> RecordFields.writeHeader(bytes, h.name().getBytes(UTF_8), ((String) h.value()).getBytes(UTF_8)));
        assertThat(seen(write(new RecordView().wrap(bytes, 0, 1, NOW), 3)))
                .isEqualTo("delivery-mode=2 h:x-delivery-count=3 h:x-tombstone=true h:x-key=device-7");
    }

    @Test
    void longTopicIsCutAsKeyAndWholeAsHeader() {
        String topic = "a/".repeat(150) + "é";
        RecordView record = record(topic, fields("sl.qos=1"));
        OutboundMessage message = new OutboundMessage();
        message.read(record, 0);
        ByteBuf key = Unpooled.buffer();
        message.writeRoutingKey(key);
        assertThat(Wire.readShortString(key)).isEqualTo("a.".repeat(150).substring(0, 255));
        assertThat(table(write(record, 0))).containsEntry("x-mqtt-topic", topic);
    }

    /** Properties and table of a publish, then the record's headers. */
    static Stream<Arguments> incoming() {
        String longText = "x".repeat(300);
        return Stream.of(
                in("content type", "content-type=text/plain", "content-type=text/plain"),
                in("content encoding", "content-encoding=gzip", "content-encoding=gzip"),
                in("delivery mode 2", "delivery-mode=2", "sl.durable=1"),
                in("delivery mode 1", "delivery-mode=1", "sl.durable=0"),
                in("priority", "priority=9", "sl.priority=9"),
                in("expiration", "expiration=60000", "sl.expires-at=" + (NOW + 60_000)),
                in("message id", "message-id=m", "message-id=m"),
                in("correlation id", "correlation-id=c", "correlation-id=c"),
                in("reply to", "reply-to=q", "reply-to=q"),
                in("reply to a topic", "reply-to=/exchanges/amq.topic/a.b", "reply-to=/exchanges/amq.topic/a.b"),
                in("timestamp", "timestamp=1600000000", "timestamp=1600000000"),
                in("type", "type=t", "type=t"),
                in("user id", "user-id=guest", "sl.user=guest"),
                in("app id", "app-id=a", "app-id=a"),
                in("header", "h:colour=red", "colour=red"),
                in("number", "h:n=#5", "n=5 sl.types=n=l"),
                in("key", "h:x-key=k7", "x-key=k7 sl.routing-key=key"),
                in("retain", "h:x-retain=true", "x-retain=true sl.retain=1"),
                in("group sequence", "h:x-group-seq=#3", "sl.group-seq=3 +orig"),
                in("long message id", "h:x-message-id=" + longText, "message-id=" + longText + " +orig"),
                in("long correlation", "h:x-correlation-id=" + longText, "correlation-id=" + longText + " +orig"),
                in("property before its long form", "message-id=m h:x-message-id=n", "x-message-id=n message-id=m"),
                in("a name with another meaning", "h:message-id=n", "sl.h.message-id=n +orig"),
                in("forged", "h:sl.user=root h:~r=x", "+orig"));
    }

    private static Arguments in(String name, String properties, String expected) {
        return Arguments.of(name, properties, expected);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("incoming")
    void propertiesBecomeCanonicalHeadersAndComeBackUnchanged(String name, String properties, String expected) {
        ByteBuf published = properties(properties);
        ContentHeader header = new ContentHeader(Unpooled.buffer());
        ByteBuf payload = Unpooled.buffer();
        payload.writeShort(60).writeShort(0).writeLong(1).writeBytes(published, 0, published.writerIndex());
        header.read(payload);
        InboundMessage message = new InboundMessage(header);
        message.inspect();
        ByteBuf headers = Unpooled.buffer();
        int count = message.writeHeaders(headers, new byte[0], "key".getBytes(UTF_8), message.hasKey(), NOW);
        ByteBuf bytes = Unpooled.buffer();
        RecordFields.writeBytes(bytes, message.hasKey() ? "k7".getBytes(UTF_8) : "key".getBytes(UTF_8));
        RecordFields.writeBytes(bytes, new byte[1]);
        RecordFields.writeVarint(bytes, count);
        bytes.writeBytes(headers);
        RecordView record = new RecordView().wrap(bytes, 0, 1, message.timestamp(NOW));
        List<String> found = new ArrayList<>();
        record.rewindHeaders();
        while (record.nextHeader()) {
            String header1 = record.headerName();
            if (header1.equals("sl.orig")) {
                found.add("+orig");
            } else if (!header1.equals("sl.from")) {
                found.add(header1 + "=" + new String(record.headerValue(), UTF_8));
            }
        }
        assertThat(String.join(" ", found)).isEqualTo(expected);
        assertThat(seen(write(record, 0))).isEqualTo(seen(published));
    }

    private static List<Field> fields(String text) {
        List<Field> fields = new ArrayList<>();
        for (String field : text.split(" ")) {
            int equals = field.indexOf('=');
            fields.add(new Field(field.substring(0, equals), field.substring(equals + 1)));
        }
        return fields;
    }

    private static RecordView record(String key, List<Field> headers) {
        ByteBuf bytes = Unpooled.buffer();
        RecordFields.writeBytes(bytes, key.getBytes(UTF_8));
        RecordFields.writeBytes(bytes, new byte[1]);
        RecordFields.writeVarint(bytes, headers.size());
        for (Field header : headers) {
            byte[] value = header.value() instanceof byte[] raw ? raw : ((String) header.value()).getBytes(UTF_8);
            RecordFields.writeHeader(bytes, header.name().getBytes(UTF_8), value);
        }
        return new RecordView().wrap(bytes, 0, 1, NOW);
    }

    private static ByteBuf write(RecordView record, int deliveryCount) {
        OutboundMessage message = new OutboundMessage();
        message.read(record, deliveryCount);
        ByteBuf out = Unpooled.buffer();
        message.writeProperties(out);
        return out;
    }

    private static ByteBuf properties(String text) {
        Map<Integer, String> values = new TreeMap<>(java.util.Comparator.reverseOrder());
        Map<String, Object> table = new LinkedHashMap<>();
        for (Field field : fields(text)) {
            String value = (String) field.value();
            if (field.name().startsWith("h:")) {
                Object typed = value.startsWith("#") ? (Object) Long.valueOf(value.substring(1)) : value;
                table.put(field.name().substring(2), typed);
            } else {
                values.put(List.of(NAMES).lastIndexOf(field.name()), value);
            }
        }
        if (!table.isEmpty()) {
            values.put(ContentHeader.HEADERS, "");
        }
        ByteBuf out = Unpooled.buffer();
        int flags = 0;
        for (int property : values.keySet()) {
            flags |= 1 << property;
        }
        out.writeShort(flags);
        values.forEach((property, value) -> {
            switch (property) {
                case ContentHeader.HEADERS -> FieldTable.write(out, table);
                case ContentHeader.DELIVERY_MODE, ContentHeader.PRIORITY -> out.writeByte(Integer.parseInt(value));
                case ContentHeader.TIMESTAMP -> out.writeLong(Long.parseLong(value));
                default -> Wire.writeShortString(out, value);
            }
        });
        return out;
    }

    private static ContentHeader read(ByteBuf properties) {
        ContentHeader header = new ContentHeader(Unpooled.buffer());
        ByteBuf payload = Unpooled.buffer();
        payload.writeShort(60).writeShort(0).writeLong(1).writeBytes(properties, 0, properties.writerIndex());
        header.read(payload);
        return header;
    }

    private static Map<String, Object> table(ByteBuf properties) {
        ContentHeader header = read(properties);
        return FieldTable.read(header.buffer()
                .slice(header.start(ContentHeader.HEADERS) - 4, header.length(ContentHeader.HEADERS) + 4));
    }

    /** Properties as text in the order of their flags, headers last. */
    private static String seen(ByteBuf properties) {
        ContentHeader header = read(properties);
        List<String> seen = new ArrayList<>();
        for (int property = ContentHeader.CONTENT_TYPE; property >= ContentHeader.CLUSTER_ID; property--) {
            if (!header.has(property) || property == ContentHeader.HEADERS) {
                continue;
            }
            Object value = switch (property) {
                case ContentHeader.DELIVERY_MODE, ContentHeader.PRIORITY -> header.octet(property);
                case ContentHeader.TIMESTAMP -> header.buffer().getLong(header.start(property));
                default -> header.text(property);
            };
            seen.add(NAMES[property] + "=" + value);
        }
        if (header.has(ContentHeader.HEADERS)) {
            table(properties).forEach((name, value) -> seen.add("h:" + name + "=" + text(value)));
        }
        return String.join(" ", seen);
    }

    private static Object text(Object value) {
        return value instanceof Instant time ? time.toString() : value;
    }
}
