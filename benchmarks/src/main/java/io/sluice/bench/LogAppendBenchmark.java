package io.sluice.bench;

import io.sluice.log.Durability;
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

/**
 * Appending to the embedded engine on real files. One operation is one batch of {@code records} records: built, appended,
 * committed as a pass of its own, and waited for until it is as durable as {@code durability} says. With GROUP that is one sync
 * of the disk per operation: a broker under load shares a sync among many batches.
 */
@State(Scope.Thread)
@Fork(jvmArgsAppend = {BrokerThreads.CUSTOM, BrokerThreads.CLASS})
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class LogAppendBenchmark {
    /** When a batch counts as stored. */
    @Param({"OS", "GROUP"})
    Durability durability = Durability.OS;

    /** Records in a batch. */
    @Param({"1", "100"})
    int records;

    /** Payload of a record, bytes. */
    @Param({"100", "1024"})
    int bytes;

    private Records source;
    private LogWriter log;

    /** Opens an engine in a new directory. */
    @Setup
    public void setUp() {
        source = new Records(bytes);
        log = new LogWriter();
    }

    @TearDown
    public void tearDown() {
        log.close();
        source.close();
    }

    /** Builds, appends and commits a batch. */
    @Benchmark
    public long append() {
        long last = log.append(source, records, durability);
        log.bound((long) records * bytes);
        return last;
    }
}
