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
 * The whole lookup of an MQTT publish among subscriptions of online clients. One operation is one topic turned into a route
 * with one subscriber.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class TopicRouteBenchmark {
    /** Number of subscriptions: a third each exact, with {@code +} and with {@code #}. */
    @Param({"10", "1000", "100000"})
    int subscriptions;

    private final Keys topics = new Keys();
    private RoutingHost host;
    private RoutingTable table;
    private int serial;

    /** Opens a broker, subscribes, and asks for each of up to 1,024 topics once. */
    @Setup
    public void setUp() {
        host = new RoutingHost();
        host.subscribe(Filters.MIXED, subscriptions);
        table = host.table();
        topics.fill(subscriptions, Filters.MIXED::topic);
        for (int i = 0; i < 1_024; i++) {
            table.routeTopic(topics.next(), 1, false, null);
        }
    }

    @TearDown
    public void tearDown() {
        host.close();
    }

    /** One of up to 1,024 topics that were asked for before. */
    @Benchmark
    public Route cached() {
        Route route = table.routeTopic(topics.next(), 1, false, null);
        if (route.isEmpty()) {
            throw new IllegalStateException("a subscribed topic has no route");
        }
        return route;
    }

    /** A topic that never comes again, for {@code site/+/i}. Making the topic, about 60 B, is part of it. */
    @Benchmark
    public Route missed() {
        int i = serial++ % subscriptions;
        return table.routeTopic("site/" + serial + "/" + (i - i % 3 + 1), 1, false, null);
    }
}
