package io.sluice.log.record;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.sluice.log.LogException;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Batches of ours are read by Kafka's code, batches of Kafka's by ours. */
class RecordBatchOracleTest {
    private final PooledByteBufAllocator allocator = PooledByteBufAllocator.DEFAULT;

    @Test
    void kafkaReadsWhatWeBuild() {
        Random random = new Random(42);
        BatchBuilder builder = new BatchBuilder(allocator);
        for (int round = 0; round < 15; round++) {
            int count = 1 + random.nextInt(300);
            List<byte[]> keys = new ArrayList<>();
            List<byte[]> values = new ArrayList<>();
            List<Long> timestamps = new ArrayList<>();
            List<Integer> headers = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                byte[] key = random.nextInt(4) == 0 ? null : bytes(random, random.nextInt(80));
                byte[] value = random.nextInt(8) == 0 ? null : bytes(random, random.nextInt(500));
                long timestamp = 1_700_000_000_000L + random.nextInt(100_000) - 50_000;
                ByteBuf fields = allocator.buffer();
                fields.writeZero(random.nextInt(5));
                int start = fields.writerIndex();
                RecordFields.writeBytes(fields, key);
                RecordFields.writeBytes(fields, value);
                int headerStart = fields.writerIndex();
                int headerCount = random.nextInt(4);
                for (int h = 0; h < headerCount; h++) {
                    RecordFields.writeHeader(fields, ("h" + h).getBytes(UTF_8), ("v" + i).getBytes(UTF_8));
                }
                int end = fields.writerIndex();
                ByteBuf extra = allocator.buffer();
                boolean routed = random.nextBoolean();
                RecordFields.writeHeader(extra, "~r".getBytes(UTF_8), new byte[] {1, 2, 3});
                int delta = routed
                        ? builder.add(
                                timestamp,
                                fields,
                                start,
                                headerStart,
                                end,
                                headerCount,
                                extra,
                                0,
                                extra.writerIndex(),
                                1)
                        : builder.add(timestamp, fields, start, headerStart, end, headerCount);
                assertThat(delta).isEqualTo(i);
                fields.release();
                extra.release();
                keys.add(key);
                values.add(value);
                timestamps.add(timestamp);
                headers.add(headerCount + (routed ? 1 : 0));
            }
            int sizeBefore = builder.sizeInBytes();
            BuiltBatch built = builder.finish();
            assertThat(built.sizeInBytes()).isEqualTo(sizeBefore);
            built.assign(1000, 7);
            BatchValidator.Summary summary = BatchValidator.validate(built.buffer(), 10 << 20);
            assertThat(summary.records()).isEqualTo(count);
            ByteBuffer copy = ByteBuffer.allocate(built.sizeInBytes());
            built.buffer().getBytes(0, copy);
            copy.flip();
            MemoryRecords records = MemoryRecords.readableRecords(copy);
            RecordBatch batch = records.firstBatch();
            batch.ensureValid();
            assertThat(batch.partitionLeaderEpoch()).isEqualTo(7);
            assertThat(batch.maxTimestamp())
                    .isEqualTo(timestamps.stream().mapToLong(t -> t).max().orElseThrow());
            int i = 0;
            RecordView view = new RecordView();
            for (Record record : records.records()) {
                assertThat(record.offset()).isEqualTo(1000 + i);
                assertThat(record.timestamp()).isEqualTo(timestamps.get(i));
                assertThat(toArray(record.key())).isEqualTo(keys.get(i));
                assertThat(toArray(record.value())).isEqualTo(values.get(i));
                assertThat(record.headers()).hasSize(headers.get(i));
                assertThat(built.record(1000 + i, view)).isTrue();
                assertThat(view.offset()).isEqualTo(1000 + i);
                assertThat(view.timestamp()).isEqualTo(timestamps.get(i));
                assertThat(view.keyBytes()).isEqualTo(keys.get(i));
                assertThat(view.headerCount()).isEqualTo(headers.get(i));
                i++;
            }
            assertThat(i).isEqualTo(count);
            assertThat(built.record(1000 + count, view)).isFalse();
            assertThat(built.record(999, view)).isFalse();
            built.release();
        }
    }

    @ParameterizedTest
    @EnumSource(CompressionType.class)
    void weReadWhatKafkaBuilds(CompressionType type) {
        Random random = new Random(7);
        for (int round = 0; round < 5; round++) {
            SimpleRecord[] simple = new SimpleRecord[1 + random.nextInt(400)];
            for (int i = 0; i < simple.length; i++) {
                Header[] headers = {
                    new RecordHeader("name", ("v" + i).getBytes(UTF_8)), new RecordHeader("none", (byte[]) null)
                };
                simple[i] = new SimpleRecord(
                        1_700_000_000_000L + random.nextInt(1000),
                        i % 3 == 0 ? null : ("key-" + i).getBytes(UTF_8),
                        i % 5 == 0 ? null : bytes(random, random.nextInt(2000)),
                        headers);
            }
            MemoryRecords records =
                    MemoryRecords.withRecords(500L, Compression.of(type).build(), simple);
            ByteBuf buffer = Unpooled.copiedBuffer(records.buffer());
            BatchValidator.Summary summary = BatchValidator.validate(buffer, 10 << 20);
            assertThat(summary.records()).isEqualTo(simple.length);
            DecodedBatch batch = DecodedBatch.decode(buffer, allocator, 10 << 20);
            assertThat(batch.recordCount()).isEqualTo(simple.length);
            assertThat(batch.baseOffset()).isEqualTo(500);
            assertThat(batch.lastOffset()).isEqualTo(500 + simple.length - 1);
            RecordView view = new RecordView();
            int i = 0;
            for (Record record : records.records()) {
                assertThat(batch.record(500 + i, view)).isTrue();
                assertThat(view.timestamp()).isEqualTo(record.timestamp());
                assertThat(view.keyBytes()).isEqualTo(toArray(record.key()));
                assertThat(view.valueLength()).isEqualTo(record.valueSize());
                assertThat(view.findHeader("name".getBytes(UTF_8))).isTrue();
                assertThat(view.headerValue()).isEqualTo(("v" + i).getBytes(UTF_8));
                i++;
            }
            batch.release();
            assertThat(buffer.refCnt()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = CompressionType.class,
            names = {"GZIP", "SNAPPY", "LZ4", "ZSTD"})
    void decompressionIsBounded(CompressionType type) {
        MemoryRecords records =
                MemoryRecords.withRecords(Compression.of(type).build(), new SimpleRecord(0, null, new byte[8 << 20]));
        ByteBuf buffer = Unpooled.copiedBuffer(records.buffer());
        assertThatThrownBy(() -> DecodedBatch.decode(buffer, allocator, 1 << 20))
                .isInstanceOfSatisfying(
                        LogException.class, e -> assertThat(e.reason()).isEqualTo(LogException.Reason.BATCH_TOO_LARGE));
        assertThat(buffer.refCnt()).isZero();
    }

    @ParameterizedTest
    @EnumSource(CompressionType.class)
    void damagedBatchesAreRefusedNeverCrash(CompressionType type) {
        Random random = new Random(99);
        SimpleRecord[] simple = new SimpleRecord[50];
        for (int i = 0; i < simple.length; i++) {
            simple[i] = new SimpleRecord(i, ("key-" + i).getBytes(UTF_8), bytes(random, 50));
        }
        MemoryRecords records = MemoryRecords.withRecords(Compression.of(type).build(), simple);
        for (int round = 0; round < 300; round++) {
            ByteBuf buffer = Unpooled.copiedBuffer(records.buffer());
            int at = random.nextInt(buffer.readableBytes());
            buffer.setByte(at, buffer.getByte(at) ^ (1 << random.nextInt(8)));
            if (at >= 16) {
                assertThatThrownBy(() -> BatchValidator.validate(buffer.duplicate(), 1 << 20))
                        .isInstanceOf(LogException.class);
            }
            // Even with the checksum made good again, decoding ends with a result or a refusal.
            int size = buffer.readableBytes();
            if (at >= 21) {
                buffer.setInt(BatchFormat.CRC, BatchFormat.computeCrc(buffer, 0, size));
                try {
                    BatchValidator.validate(buffer.duplicate(), 1 << 20);
                    DecodedBatch.decode(buffer.retain(), allocator, 1 << 20).release();
                } catch (LogException e) {
                    assertThat(e.reason()).isNotNull();
                }
            }
        }
    }

    @Test
    void appendTimeIsStampedAndSeen() {
        BatchBuilder builder = new BatchBuilder(allocator);
        builder.add(5, "k".getBytes(UTF_8), "v".getBytes(UTF_8));
        builder.add(6, null, null);
        BuiltBatch built = builder.finish();
        built.assign(3, 0);
        built.stampAppendTime(1234);
        ByteBuffer copy = ByteBuffer.allocate(built.sizeInBytes());
        built.buffer().getBytes(0, copy);
        copy.flip();
        RecordBatch batch = MemoryRecords.readableRecords(copy).firstBatch();
        batch.ensureValid();
        assertThat(batch.iterator().next().timestamp()).isEqualTo(1234);
        RecordView view = new RecordView();
        built.record(4, view);
        assertThat(view.timestamp()).isEqualTo(1234);
        built.release();
    }

    @Test
    void aMarkIsNoProducerToAnybodyAndIsNotTakenFromClients() {
        BatchBuilder builder = new BatchBuilder(allocator);
        builder.add(5, "k".getBytes(UTF_8), "v".getBytes(UTF_8));
        BuiltBatch built = builder.finish();
        long mark = GroupMark.of((1L << 43) - 1, 3);
        built.seal(mark);
        assertThat(GroupMark.isMark(mark)).isTrue();
        assertThat(GroupMark.pass(mark)).isEqualTo((1L << 43) - 1);
        assertThat(GroupMark.parts(mark)).isEqualTo(3);
        ByteBuffer copy = ByteBuffer.allocate(built.sizeInBytes());
        built.buffer().getBytes(0, copy);
        RecordBatch batch = MemoryRecords.readableRecords(copy.flip()).firstBatch();
        batch.ensureValid();
        assertThat(batch.hasProducerId()).isFalse();
        assertThat(batch.isTransactional()).isFalse();
        assertThatThrownBy(() -> BatchValidator.validate(built.buffer().duplicate(), 1 << 20))
                .isInstanceOf(LogException.class)
                .hasMessageContaining("producer id");
        built.release();
    }

    private static byte[] bytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static byte[] toArray(ByteBuffer buffer) {
        if (buffer == null) {
            return null;
        }
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }
}
