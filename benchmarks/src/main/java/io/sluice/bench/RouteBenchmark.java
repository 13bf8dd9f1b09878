package io.sluice.bench;

import io.sluice.routing.Route;
import io.sluice.routing.RoutingTable;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * The whole lookup of a publish to an exchange. One operation is one routing key turned into a route, ready for {@code
 * PublishBatch}.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class RouteBenchmark {
    /** The exchange. */
    @Param({"DIRECT", "FANOUT", "TOPIC"})
    Shape shape = Shape.DIRECT;

    /** Number of bindings, to at most 1,000 queues. */
    @Param({"10", "1000", "100000"})
    int bindings;

    private final Keys keys = new Keys();
    private RoutingHost host;
    private RoutingTable table;
    private String exchange;
    private int serial;

    /** Opens a broker, binds, and asks for each of up to 1,024 keys once. */
    @Setup
    public void setUp() {
        host = new RoutingHost();
        host.bind(shape, bindings);
        table = host.table();
        exchange = shape.exchange().name();
        keys.fill(bindings, shape::key);
        for (int i = 0; i < 1_024; i++) {
            table.route(exchange, keys.next(), 1, null);
        }
    }

    @TearDown
    public void tearDown() {
        host.close();
    }

    /** One of up to 1,024 keys that were asked for before. */
    @Benchmark
    public Route cached() {
        Route route = table.route(exchange, keys.next(), 1, null);
        if (route.isEmpty()) {
            throw new IllegalStateException("a bound key has no route");
        }
        return route;
    }

    /** A key that never comes again; with DIRECT nothing is bound to it. Making the key, about 60 B, is part of it. */
    @Benchmark
    public Route missed() {
        return table.route(exchange, "site." + (serial++ % bindings) + "." + serial, 1, null);
    }
}
