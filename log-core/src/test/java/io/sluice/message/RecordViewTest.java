package io.sluice.message;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.util.Random;
import org.apache.kafka.common.utils.internals.ByteUtils;
import org.junit.jupiter.api.Test;

/** Record fields written by {@link RecordFields} come back through {@link RecordView}; varints agree with Kafka's. */
class RecordViewTest {
    @Test
    void varintsAgreeWithKafka() {
        Random random = new Random(7);
        for (int i = 0; i < 20_000; i++) {
            int value = random.nextInt() >> random.nextInt(32);
            long wide = random.nextLong() >> random.nextInt(64);
            ByteBuf ours = Unpooled.buffer();
            RecordFields.writeVarint(ours, value);
            RecordFields.writeVarlong(ours, wide);
            ByteBuffer theirs = ByteBuffer.allocate(32);
            ByteUtils.writeVarint(value, theirs);
            ByteUtils.writeVarlong(wide, theirs);
            theirs.flip();
            assertThat(ours).as("varint %d, varlong %d", value, wide).isEqualTo(Unpooled.wrappedBuffer(theirs));
            assertThat(RecordFields.sizeOfVarint(value)).isEqualTo(ByteUtils.sizeOfVarint(value));
            assertThat(RecordFields.sizeOfVarlong(wide)).isEqualTo(ByteUtils.sizeOfVarlong(wide));
        }
    }

    @Test
    void readsKeyValueAndHeaders() {
        ByteBuf fields = Unpooled.buffer();
        fields.writeLong(-1); // fields need not start at index 0
        RecordFields.writeBytes(fields, "sensors/7/temp".getBytes(UTF_8));
        RecordFields.writeBytes(fields, Unpooled.copiedBuffer("21.5", UTF_8));
        RecordFields.writeVarint(fields, 3);
        RecordFields.writeHeader(fields, MessageHeaders.QOS, "1".getBytes(UTF_8));
        RecordFields.writeHeader(fields, MessageHeaders.CONTENT_TYPE, Unpooled.copiedBuffer("text/plain", UTF_8));
        RecordFields.writeHeader(fields, MessageHeaders.EXPIRES_AT, (byte[]) null);
        fields.writeByte(99); // the next record

        RecordView view = new RecordView().wrap(fields, 8, 42, 1_700_000_000_000L);

        assertThat(view.offset()).isEqualTo(42);
        assertThat(view.timestamp()).isEqualTo(1_700_000_000_000L);
        assertThat(view.keyBytes()).isEqualTo("sensors/7/temp".getBytes(UTF_8));
        assertThat(view.valueSlice().toString(UTF_8)).isEqualTo("21.5");
        assertThat(view.findHeader(MessageHeaders.CONTENT_TYPE)).isTrue();
        assertThat(view.headerValue()).isEqualTo("text/plain".getBytes(UTF_8));
        assertThat(view.findHeader(MessageHeaders.EXPIRES_AT)).isTrue();
        assertThat(view.headerValue()).isNull();
        assertThat(view.findHeader(MessageHeaders.QOS)).isTrue();
        assertThat(view.headerAsLong(-1)).isEqualTo(1);
        assertThat(view.findHeader(MessageHeaders.TOPIC)).isFalse();
        assertThat(view.end()).isEqualTo(fields.writerIndex() - 1);
    }

    @Test
    void nullAndEmptyAreDistinct() {
        ByteBuf fields = Unpooled.buffer();
        RecordFields.writeBytes(fields, (byte[]) null);
        RecordFields.writeBytes(fields, new byte[0]);
        RecordFields.writeVarint(fields, 0);

        RecordView view = new RecordView().wrap(fields, 0, 0, 0);

        assertThat(view.keyLength()).isEqualTo(-1);
        assertThat(view.keyBytes()).isNull();
        assertThat(view.valueLength()).isZero();
        assertThat(view.nextHeader()).isFalse();
    }

    @Test
    void refusesLengthsBeyondTheBuffer() {
        ByteBuf fields = Unpooled.buffer(8, 8);
        RecordFields.writeVarint(fields, 1_000);
        assertThatThrownBy(() -> new RecordView().wrap(fields, 0, 0, 0))
                .isInstanceOfAny(IndexOutOfBoundsException.class, IllegalArgumentException.class);
        ByteBuf endless = Unpooled.wrappedBuffer(new byte[] {-1, -1, -1, -1, -1, -1, -1});
        assertThatThrownBy(() -> new RecordView().wrap(endless, 0, 0, 0)).isInstanceOf(IllegalArgumentException.class);
    }
}
