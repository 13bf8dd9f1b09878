package io.sluice.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertAll;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.sluice.io.LeakReports;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/**
 * The core as a whole in a simulated machine: publishes, deliveries, settlements, dead letters, checkpoints, failing calls,
 * full disks, kills and power cuts, held to every {@link Invariant}. {@code -Dsluice.sim.seeds} and {@code
 * -Dsluice.sim.steps} set the length, {@code -Dsluice.sim.seed} the first seed; profile {@code simulation} makes it a
 * million steps.
 */
class CoreSimTest {
    private final Logger log = (Logger) LoggerFactory.getLogger("io.sluice");
    private Level level;

    @BeforeEach
    void quiet() {
        LeakReports.start();
        level = log.getLevel();
        // every second line would be about a disk that was made to fail
        log.setLevel(Boolean.getBoolean("sluice.sim.log") ? Level.TRACE : Level.OFF);
    }

    @AfterEach
    void loud() {
        log.setLevel(level);
        LeakReports.assertNone();
    }

    /** Else a seed that fails would say nothing. */
    @Test
    void theSameSeedDoesTheSameAgain() {
        for (long seed = 1; seed <= 2; seed++) {
            assertThat(course(seed)).isEqualTo(course(seed));
        }
    }

    private static String course(long seed) {
        CoreSimulation simulation = new CoreSimulation(seed);
        simulation.run(300);
        return simulation.files.calls() + " calls, " + simulation.trace() + ", then " + simulation.random.nextLong();
    }

    @Test
    void theCoreKeepsItsPromises() {
        long first = Long.getLong("sluice.sim.seed", 1);
        long seeds = Long.getLong("sluice.sim.seeds", 40);
        int steps = Integer.getInteger("sluice.sim.steps", 500);
        // a few, so that one long run shows more than its first finding
        List<AssertionError> broken = new ArrayList<>();
        for (long seed = first; seed < first + seeds && broken.size() < 10; seed++) {
            CoreSimulation simulation = new CoreSimulation(seed);
            try {
                simulation.run(steps);
            } catch (Throwable e) {
                String again = "mvn -pl log-core -Psimulation test -Dsluice.sim.seeds=1 -Dsluice.sim.steps=" + steps
                        + " -Dsluice.sim.seed=" + seed;
                broken.add(new AssertionError(
                        "seed " + seed + ": " + e.getMessage() + "\n  after " + simulation.trace() + "\n  again with: "
                                + again,
                        e));
            }
        }
        assertAll("seeds", broken.stream().map(error -> () -> {
            throw error;
        }));
    }
}
