package io.sluice.amqp091.convert;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ContentHeader;
import io.sluice.amqp091.codec.FieldTable;
import io.sluice.amqp091.codec.Wire;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PropertiesRoundTripTest {
    private static final long NOW = 1_700_000_000_123L;

    private static ByteBuf properties(Map<String, Object> headers, boolean all) {
        ByteBuf out = Unpooled.buffer();
        out.writeShort(all ? 0xFFF8 : 1 << ContentHeader.HEADERS);
        if (all) {
            Wire.writeShortString(out, "text/plain");
            Wire.writeShortString(out, "gzip");
        }
        FieldTable.write(out, headers);
        if (all) {
            out.writeByte(2).writeByte(7);
            for (String text : List.of("corr", "reply", "60000", "id")) {
                Wire.writeShortString(out, text);
            }
            out.writeLong(1_600_000_000L);
            for (String text : List.of("type", "guest", "app")) {
                Wire.writeShortString(out, text);
            }
        }
        return out;
    }

    private static RecordView toRecord(ByteBuf properties) {
        ContentHeader header = new ContentHeader(Unpooled.buffer());
        ByteBuf payload = Unpooled.buffer();
        payload.writeShort(60).writeShort(0).writeLong(4).writeBytes(properties, 0, properties.writerIndex());
        header.read(payload);
        InboundMessage message = new InboundMessage(header);
        message.inspect();
        ByteBuf headers = Unpooled.buffer();
        int count = message.writeHeaders(headers, "ex".getBytes(UTF_8), "key".getBytes(UTF_8), message.hasKey(), NOW);
        ByteBuf record = Unpooled.buffer();
        RecordFields.writeBytes(record, "key".getBytes(UTF_8));
        RecordFields.writeBytes(record, "body".getBytes(UTF_8));
        RecordFields.writeVarint(record, count);
        record.writeBytes(headers);
        return new RecordView().wrap(record, 0, 5, message.timestamp(NOW));
    }

    private static ByteBuf back(RecordView record, int deliveryCount) {
        OutboundMessage message = new OutboundMessage();
        message.read(record, deliveryCount);
        ByteBuf out = Unpooled.buffer();
        message.writeProperties(out);
        return out;
    }

    @Test
    void allPropertiesComeBackByteForByte() {
        ByteBuf original = properties(Map.of("plain", "text"), true);
        assertThat(ByteBufUtil.hexDump(back(toRecord(original), 0))).isEqualTo(ByteBufUtil.hexDump(original));
    }

    @Test
    void typedHeadersAreReadableTextInTheRecordAndTypedAgainForAmqp() {
        Map<String, Object> headers = new LinkedHashMap<>();
        headers.put("count", 42L);
        headers.put("ok", true);
        headers.put("ratio", 0.25d);
        headers.put("blob", new byte[] {0, (byte) 0xFF});
        headers.put("none", null);
        headers.put("odd=;%", 3);
        ByteBuf original = properties(headers, false);
        RecordView record = toRecord(original);
        assertThat(record.findHeader("count".getBytes(UTF_8))).isTrue();
        assertThat(record.headerValue()).isEqualTo("42".getBytes(UTF_8));
        assertThat(record.findHeader(MessageHeaders.TYPES)).isTrue();
        assertThat(new String(record.headerValue(), UTF_8)).startsWith("count=l;ok=t;ratio=d;blob=b");
        assertThat(record.findHeader(MessageHeaders.ORIGINAL)).isFalse();
        assertThat(ByteBufUtil.hexDump(back(record, 0))).isEqualTo(ByteBufUtil.hexDump(original));
    }

    @Test
    void nestedTablesAreJsonForOthersAndExactForAmqp() {
        ByteBuf original = properties(Map.of("nested", Map.of("a", List.of(1, "x"))), false);
        RecordView record = toRecord(original);
        assertThat(record.findHeader("nested".getBytes(UTF_8))).isTrue();
        assertThat(new String(record.headerValue(), UTF_8)).isEqualTo("{\"a\":[1,\"x\"]}");
        assertThat(ByteBufUtil.hexDump(back(record, 0))).isEqualTo(ByteBufUtil.hexDump(original));
    }

    @Test
    void headerNamesThatAreNoTextComeBackByteForByte() {
        ByteBuf original = Unpooled.buffer();
        original.writeShort(1 << ContentHeader.HEADERS).writeInt(11);
        original.writeBytes(new byte[] {1, (byte) 0xFE, 't', 1, 1, (byte) 0xFF, 'I', 0, 0, 0, 7});
        assertThat(ByteBufUtil.hexDump(back(toRecord(original), 0))).isEqualTo(ByteBufUtil.hexDump(original));
    }

    @Test
    void clientsCannotSetTheBrokersOwnHeaders() {
        ByteBuf original = properties(Map.of("~r", "forged", "sl.user", "root"), false);
        RecordView record = toRecord(original);
        assertThat(record.findHeader(MessageHeaders.ROUTING)).isFalse();
        assertThat(record.findHeader(MessageHeaders.USER)).isFalse();
        assertThat(ByteBufUtil.hexDump(back(record, 0))).isEqualTo(ByteBufUtil.hexDump(original));
    }

    @Test
    void deliveryCountIsAddedToTheTable() {
        ByteBuf original = properties(Map.of("nested", Map.of()), true);
        ByteBuf delivered = back(toRecord(original), 3);
        ByteBuf payload = Unpooled.buffer();
        payload.writeShort(60).writeShort(0).writeLong(4).writeBytes(delivered);
        ContentHeader header = new ContentHeader(Unpooled.buffer());
        header.read(payload);
        Map<String, Object> table = FieldTable.read(header.buffer()
                .slice(header.start(ContentHeader.HEADERS) - 4, header.length(ContentHeader.HEADERS) + 4));
        assertThat(table).containsEntry("x-delivery-count", 3L).containsEntry("nested", Map.of());
        assertThat(header.text(ContentHeader.APP_ID)).isEqualTo("app");
    }

    @Test
    void aDelayStaysAHeader() {
        ByteBuf original = properties(Map.of("x-delay", 1_500), false);
        assertThat(ByteBufUtil.hexDump(back(toRecord(original), 0))).isEqualTo(ByteBufUtil.hexDump(original));
    }

    @Test
    void aDelayBeyondTenYearsIsRefused() {
        assertThatThrownBy(() -> toRecord(properties(Map.of("x-delay", 400_000_000_000L), false)))
                .isInstanceOf(AmqpException.class)
                .hasMessageContaining("x-delay");
    }

    @Test
    void mqttMessagesHaveTheTopicExchangeAndAKey() {
        ByteBuf record = Unpooled.buffer();
        RecordFields.writeBytes(record, "sensors/7/temp".getBytes(UTF_8));
        RecordFields.writeBytes(record, "21".getBytes(UTF_8));
        RecordFields.writeVarint(record, 1);
        RecordFields.writeHeader(record, MessageHeaders.QOS, "1".getBytes(UTF_8));
        OutboundMessage message = new OutboundMessage();
        message.read(new RecordView().wrap(record, 0, 1, NOW), 0);
        ByteBuf out = Unpooled.buffer();
        message.writeExchange(out);
        message.writeRoutingKey(out);
        message.writeProperties(out);
        assertThat(Wire.readShortString(out)).isEqualTo("amq.topic");
        assertThat(Wire.readShortString(out)).isEqualTo("sensors.7.temp");
        assertThat(out.readUnsignedShort()).isEqualTo(1 << ContentHeader.DELIVERY_MODE);
        assertThat(out.readByte()).isEqualTo((byte) 2);
    }
}
