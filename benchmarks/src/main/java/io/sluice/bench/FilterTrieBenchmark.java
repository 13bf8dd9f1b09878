package io.sluice.bench;

import io.sluice.routing.topic.PatternTrie;
import io.sluice.routing.topic.PatternTrie.Syntax;
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
 * The trie of MQTT topic filters without any cache. One operation is one topic taken apart and matched by one filter; or one
 * filter replaced, which is what a change of a subscription costs.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class FilterTrieBenchmark {
    /** How filters are written. */
    @Param({"EXACT", "PLUS", "HASH"})
    Filters form = Filters.EXACT;

    /** Number of filters. */
    @Param({"10", "1000", "100000"})
    int filters;

    private final Keys topics = new Keys();
    private final Keys changed = new Keys();
    private PatternTrie<Integer> trie;
    private Consumer<Integer> found;
    private long reported;

    /** Fills the trie. */
    @Setup
    public void setUp(Blackhole into) {
        trie = PatternTrie.empty(Syntax.MQTT);
        for (int i = 0; i < filters; i++) {
            trie = trie.with(form.filter(i), "session", i);
        }
        topics.fill(filters, form::topic);
        changed.fill(filters, form::filter);
        found = value -> {
            into.consume(value);
            reported++;
        };
    }

    /** Matches a topic. */
    @Benchmark
    public long match() {
        long before = reported;
        trie.match(Syntax.MQTT.split(topics.next()), found);
        if (reported == before) {
            throw new IllegalStateException("a filter did not take its topic");
        }
        return reported;
    }

    /** Puts another value in the place of a filter's. */
    @Benchmark
    public PatternTrie<Integer> change() {
        return trie.with(changed.next(), "session", -1);
    }
}
