package io.sluice.bench;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.sluice.log.Durability;
import io.sluice.log.Isolation;
import io.sluice.log.LogPartition;
import io.sluice.log.LogSlice;
import io.sluice.log.record.BatchView;
import io.sluice.log.record.DecodedBatch;
import io.sluice.message.RecordView;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
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

/** Reading back what was appended. One operation is one batch of {@code records} records, one after the other over 1,000. */
@State(Scope.Thread)
@Fork(jvmArgsAppend = {BrokerThreads.CUSTOM, BrokerThreads.CLASS})
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class LogReadBenchmark {
    private static final int BATCHES = 1_000;

    /** Records in a batch. */
    @Param({"1", "100"})
    int records;

    /** Payload of a record, bytes. */
    @Param({"100", "1024"})
    int bytes;

    private final RecordView view = new RecordView();
    private LogWriter log;
    private int next;

    /** Writes the batches. The largest take 100 MiB, more than the tail cache: what is in memory is set up per benchmark. */
    @Setup
    public void setUp() {
        log = new LogWriter();
        Records source = new Records(bytes);
        for (int i = 0; i < BATCHES; i++) {
            log.append(source, records, Durability.OS);
        }
        source.close();
    }

    @TearDown
    public void tearDown() {
        log.close();
    }

    /** From the segment file, which is in the page cache: index lookup, read, decoding, every record looked at. */
    @Benchmark
    public void readAndDecode(Blackhole into) throws IOException {
        LogSlice slice = log.partition().read(offset(BATCHES), 1, Isolation.HIGH_WATERMARK);
        ByteBuf read = PooledByteBufAllocator.DEFAULT.directBuffer(slice.sizeInBytes());
        slice.readFully(0, read.nioBuffer(0, slice.sizeInBytes()));
        read.writerIndex(slice.sizeInBytes());
        slice.release();
        look(DecodedBatch.decode(read, PooledByteBufAllocator.DEFAULT, 16 << 20), into);
    }

    /** From the tail cache, as a queue delivers what was just published: lookup, every record looked at. */
    @Benchmark
    public void cached(Blackhole into) {
        LogPartition partition = log.partition();
        BatchView batch = partition.cachedBatch(partition.logEndOffset() - records - offset(BATCHES / 10));
        if (batch == null) {
            throw new IllegalStateException("a recent batch is not in the tail cache");
        }
        look(batch, into);
    }

    private void look(BatchView batch, Blackhole into) {
        for (int i = 0; i < batch.recordCount(); i++) {
            batch.recordAt(i, view);
            Records.consume(view, into);
        }
        batch.release();
    }

    /** Offset of the first record of the batches 0 to {@code batches}, exclusive, in turn. */
    private long offset(int batches) {
        next = next + 1 < batches ? next + 1 : 0;
        return (long) next * records;
    }
}
