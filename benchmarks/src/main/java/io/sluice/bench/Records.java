package io.sluice.bench;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.sluice.log.record.BatchBuilder;
import io.sluice.log.record.BuiltBatch;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import java.util.Random;
import org.openjdk.jmh.infra.Blackhole;

/** Canonical records as an MQTT publish of QoS 1 becomes one: topic as key, payload, header {@code sl.qos}. One thread. */
final class Records {
    /** Record time; fixed, so that every run encodes the same bytes. */
    static final long TIMESTAMP = 1_700_000_000_000L;

    private static final byte[] KEY = "site/17/line/4/temperature".getBytes(US_ASCII);
    private static final byte[] QOS_1 = {'1'};

    private final ByteBuf payload;
    private final ByteBuf fields;
    private final int headersStart;

    /** Records with a payload of {@code bytes} random bytes. */
    Records(int bytes) {
        byte[] content = new byte[bytes];
        new Random(7).nextBytes(content);
        payload = Unpooled.directBuffer(bytes).writeBytes(content);
        fields = Unpooled.directBuffer(bytes + 128);
        writeKeyAndValue(fields);
        headersStart = fields.writerIndex();
        writeHeaders(fields);
    }

    /** Encodes key and value. */
    void writeKeyAndValue(ByteBuf out) {
        RecordFields.writeBytes(out, KEY);
        RecordFields.writeBytes(out, payload);
    }

    /** Encodes the headers; answers how many. */
    int writeHeaders(ByteBuf out) {
        RecordFields.writeHeader(out, MessageHeaders.QOS, QOS_1);
        return 1;
    }

    /** Adds {@code count} records, whose fields are encoded already, and completes the batch. */
    BuiltBatch build(BatchBuilder builder, int count) {
        for (int i = 0; i < count; i++) {
            builder.add(TIMESTAMP + i, fields, 0, headersStart, fields.writerIndex(), 1);
        }
        return builder.finish();
    }

    /** A batch of {@code count} records; the caller releases it. */
    static BuiltBatch batch(int count, int bytes) {
        Records records = new Records(bytes);
        try {
            return records.build(new BatchBuilder(PooledByteBufAllocator.DEFAULT), count);
        } finally {
            records.close();
        }
    }

    /** Looks at everything that a gateway needs of a record to deliver it. */
    static void consume(RecordView record, Blackhole into) {
        into.consume(record.offset());
        into.consume(record.keyLength());
        into.consume(record.buffer().getByte(record.valueStart() + record.valueLength() - 1));
        into.consume(record.findHeader(MessageHeaders.QOS));
    }

    void close() {
        payload.release();
        fields.release();
    }
}
