package io.sluice.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.BenchmarkList;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Every benchmark sets up, runs and checks its own work; what it measures here means nothing. */
class BenchmarksSmokeTest {
    @TempDir
    Path directory;

    @Test
    void everyBenchmarkRunsOnce() throws Exception {
        System.setProperty("jmh.ignoreLock", "true");
        System.setProperty("jmh.executor", "CUSTOM");
        System.setProperty("jmh.executor.class", BrokerThreads.class.getName());
        System.setProperty("sluice.bench.dir", directory.toString());
        Collection<RunResult> results = new Runner(new OptionsBuilder()
                        .forks(0)
                        .warmupIterations(0)
                        .measurementIterations(1)
                        .measurementTime(TimeValue.milliseconds(1))
                        .param("bindings", "10")
                        .param("filters", "10")
                        .param("subscriptions", "10")
                        .param("records", "3")
                        .param("bytes", "100")
                        .shouldFailOnError(true)
                        .verbosity(VerboseMode.SILENT)
                        .build())
                .run();

        Set<String> ran = new TreeSet<>();
        for (RunResult result : results) {
            ran.add(result.getParams().getBenchmark());
            assertThat(result.getPrimaryResult().getScore())
                    .as(result.getParams().id())
                    .isPositive();
        }
        Set<String> all = new TreeSet<>();
        BenchmarkList.defaultList()
                .getAll(OutputFormatFactory.createFormatInstance(System.out, VerboseMode.SILENT), List.of())
                .forEach(entry -> all.add(entry.getUsername()));
        assertThat(ran).isEqualTo(all).hasSizeGreaterThanOrEqualTo(17);
    }
}
