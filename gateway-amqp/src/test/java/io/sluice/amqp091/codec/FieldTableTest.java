package io.sluice.amqp091.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FieldTableTest {
    @Test
    void allTypesComeBack() {
        Map<String, Object> table = new LinkedHashMap<>();
        table.put("t", true);
        table.put("b", (byte) -5);
        table.put("s", (short) -300);
        table.put("I", -70_000);
        table.put("l", Long.MIN_VALUE);
        table.put("f", 1.5f);
        table.put("d", Double.MAX_VALUE);
        table.put("D", new BigDecimal("12.34"));
        table.put("S", "größe");
        table.put("A", List.of(1, "two", List.of()));
        table.put("T", Instant.ofEpochSecond(1_700_000_000L));
        table.put("F", Map.of("nested", 1L));
        table.put("V", null);
        ByteBuf out = Unpooled.buffer();
        FieldTable.write(out, table);
        assertThat(FieldTable.read(out)).isEqualTo(table);
        assertThat(out.isReadable()).isFalse();
    }

    @Test
    void unsignedTypesAreRead() {
        ByteBuf out = Unpooled.buffer();
        out.writeInt(4 + 5 + 7);
        out.writeByte(1).writeByte('a').writeByte('B').writeByte(0xFF);
        out.writeByte(1).writeByte('b').writeByte('u').writeShort(0xFFFF);
        out.writeByte(1).writeByte('c').writeByte('i').writeInt(-1);
        Map<String, Object> read = FieldTable.read(out);
        assertThat(((Number) read.get("a")).intValue()).isEqualTo(255);
        assertThat(((Number) read.get("b")).intValue()).isEqualTo(65_535);
        assertThat(((Number) read.get("c")).longValue()).isEqualTo(4_294_967_295L);
    }

    @Test
    void depthIsBounded() {
        Object value = List.of();
        for (int i = 0; i < FieldTable.MAX_DEPTH + 1; i++) {
            value = List.of(value);
        }
        ByteBuf out = Unpooled.buffer();
        FieldTable.write(out, Map.of("deep", value));
        assertThatThrownBy(() -> FieldTable.read(out))
                .isInstanceOf(AmqpException.class)
                .hasMessageContaining("nested deeper");
    }

    @Test
    void lengthBeyondTheFrameIsRefusedBeforeAllocation() {
        ByteBuf out = Unpooled.buffer();
        out.writeInt(9).writeByte(1).writeByte('a').writeByte('S').writeInt(Integer.MAX_VALUE);
        assertThatThrownBy(() -> FieldTable.read(out)).isInstanceOf(AmqpException.class);
    }

    @Test
    void randomBytesEndInAnErrorOrATable() {
        long seed = 42;
        Random random = new Random(seed);
        for (int round = 0; round < 20_000; round++) {
            byte[] bytes = new byte[random.nextInt(60)];
            random.nextBytes(bytes);
            ByteBuf out = Unpooled.buffer();
            out.writeInt(bytes.length).writeBytes(bytes);
            try {
                FieldTable.read(out);
            } catch (AmqpException | IndexOutOfBoundsException e) {
                assertThat(out.readerIndex()).isLessThanOrEqualTo(out.writerIndex());
            }
        }
    }
}
