package io.sluice.bench;

import io.sluice.routing.Binding;
import io.sluice.routing.exchange.Address;
import io.sluice.routing.exchange.Exchange;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.Blackhole;

/**
 * Looking up an exchange's bindings without any cache. One operation is one routing key taken apart and all its bindings
 * reported: one, or with FANOUT all of them.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class ExchangeBenchmark {
    /** The exchange. */
    @Param
    Shape shape = Shape.DIRECT;

    /** Number of bindings. */
    @Param({"10", "1000", "100000"})
    int bindings;

    private final Keys keys = new Keys();
    private Exchange exchange;
    private Consumer<Binding.End> found;
    private long reported;

    /** Binds. */
    @Setup
    public void setUp(Blackhole into) {
        exchange = Exchange.of(shape.exchange());
        for (int i = 0; i < bindings; i++) {
            exchange = exchange.with(shape.binding(i));
        }
        keys.fill(bindings, shape::key);
        found = end -> {
            into.consume(end);
            reported++;
        };
    }

    /** Routes a key that is bound. */
    @Benchmark
    public long match() {
        long before = reported;
        exchange.route(Address.ofKey(keys.next()), found);
        if (reported == before) {
            throw new IllegalStateException("a bound key was not found");
        }
        return reported;
    }
}
