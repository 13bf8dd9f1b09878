package io.sluice.bench;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.access.Caller;
import io.sluice.log.Durability;
import io.sluice.log.LogException;
import io.sluice.log.record.BatchBuilder;
import io.sluice.log.record.BatchValidator;
import io.sluice.log.record.BuiltBatch;
import io.sluice.log.record.DecodedBatch;
import io.sluice.message.RecordView;
import io.sluice.queue.TargetSet;
import io.sluice.shard.PublishBatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.Blackhole;

/** Encoding, checking and decoding of record batches in memory. One operation is one batch of {@code records} records. */
@State(Scope.Thread)
@Fork(jvmArgsAppend = {BrokerThreads.CUSTOM, BrokerThreads.CLASS})
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class RecordBenchmark {
    /** Records in a batch. */
    @Param({"1", "100"})
    int records;

    /** Payload of a record, bytes. */
    @Param({"100", "1024"})
    int bytes;

    private final BatchBuilder builder = new BatchBuilder(PooledByteBufAllocator.DEFAULT);
    private final RecordView view = new RecordView();
    private final Caller caller = Caller.broker("/");
    private final Nobody nobody = new Nobody();
    private Records source;
    private BuiltBatch encoded;

    /** Encodes the batch that is read. */
    @Setup
    public void setUp() {
        source = new Records(bytes);
        encoded = Records.batch(records, bytes);
    }

    @TearDown
    public void tearDown() {
        source.close();
        encoded.release();
    }

    /** What an event loop does: the canonical fields of all messages of one read, as a publish for the shard. */
    @Benchmark
    public int encodeFields() {
        PublishBatch batch = new PublishBatch(caller, nobody, PooledByteBufAllocator.DEFAULT, records * (bytes + 64));
        for (int i = 0; i < records; i++) {
            batch.begin();
            source.writeKeyAndValue(batch.buffer());
            batch.headers();
            int headers = source.writeHeaders(batch.buffer());
            batch.end(headers, TargetSet.EMPTY, i, Records.TIMESTAMP + i, Durability.OS, i);
        }
        int size = batch.sizeInBytes();
        batch.releaseBuffer();
        return size;
    }

    /** What the shard does: encoded fields framed as records of one batch, checksum included. */
    @Benchmark
    public int buildBatch() {
        BuiltBatch batch = source.build(builder, records);
        int size = batch.sizeInBytes();
        batch.release();
        return size;
    }

    /** What a produce request of a Kafka client goes through: checksum and framing of every record. */
    @Benchmark
    public BatchValidator.Summary validate() {
        return BatchValidator.validate(encoded.buffer(), 16 << 20);
    }

    /** A batch read from disk is decoded, and every record looked at. */
    @Benchmark
    public void decode(Blackhole into) {
        ByteBuf bytesRead = encoded.buffer().retainedDuplicate();
        DecodedBatch batch = DecodedBatch.decode(bytesRead, PooledByteBufAllocator.DEFAULT, 16 << 20);
        for (int i = 0; i < batch.recordCount(); i++) {
            batch.recordAt(i, view);
            Records.consume(view, into);
        }
        batch.release();
    }

    /** The batches are never submitted. */
    private static final class Nobody implements PublishBatch.Completion {
        @Override
        public Executor executor() {
            return Runnable::run;
        }

        @Override
        public void completed(PublishBatch batch, @Nullable LogException error) {
            throw new IllegalStateException("not submitted");
        }
    }
}
