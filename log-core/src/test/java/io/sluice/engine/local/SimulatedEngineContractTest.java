package io.sluice.engine.local;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.engine.LogEngine;
import io.sluice.io.Clock;
import io.sluice.io.SimulatedFileSystem;
import io.sluice.io.SimulatedWorkers;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CompletionStage;

/** The embedded engine on a simulated disk; a kill is a power cut. */
class SimulatedEngineContractTest extends FaultyEngineContractTest {
    private final Random random = new Random(17);
    private final SimulatedFileSystem disk = new SimulatedFileSystem(random);
    private SimulatedWorkers threads = new SimulatedWorkers(random);
    private long millis = 1_700_000_000_000L;

    private final Clock clock = new Clock() {
        @Override
        public long epochMillis() {
            return ++millis;
        }

        @Override
        public long nanoTime() {
            return millis * 1_000_000;
        }
    };

    @Override
    protected LogEngine open() {
        threads = new SimulatedWorkers(random);
        renew(disk, threads);
        // the caller's own thread is all there is: who opens waits for nobody
        threads.direct(true);
        try {
            return LocalLogEngine.open(
                    Path.of("/data"), ContractSettings.of(), files, clock, random::nextLong, workers);
        } finally {
            threads.direct(false);
        }
    }

    @Override
    protected void kill(LogEngine running) {
        disk.kill();
        running.close();
        disk.revive();
        disk.powerCut();
    }

    @Override
    protected void await(CompletionStage<?> stage) {
        threads.runAll();
        assertThat(stage.toCompletableFuture()).isDone();
    }

    @Override
    void settle() {
        threads.runAll();
    }
}
