package io.sluice.engine.local;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.engine.LogEngine;
import io.sluice.engine.LogEngineContractTest;
import io.sluice.io.Clock;
import io.sluice.io.FaultyFileSystem;
import io.sluice.io.SimulatedFileSystem;
import io.sluice.io.SimulatedWorkers;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CompletionStage;

/** The embedded engine on a simulated disk; a kill is a power cut. */
class SimulatedEngineContractTest extends LogEngineContractTest {
    private final Random random = new Random(17);
    private final SimulatedFileSystem disk = new SimulatedFileSystem(random);
    private FaultyFileSystem files = new FaultyFileSystem(disk);
    private SimulatedWorkers threads = new SimulatedWorkers(random);
    private HeldWorkers workers = new HeldWorkers(threads);
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
        files = new FaultyFileSystem(disk);
        threads = new SimulatedWorkers(random);
        workers = new HeldWorkers(threads);
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
    protected void holdSyncs() {
        workers.hold();
    }

    @Override
    protected void letSyncsEnd() {
        workers.release();
    }

    @Override
    protected void breakDisk() {
        files.breakDisk();
    }

    @Override
    protected void fillDisk() {
        files.usable(ContractSettings.FULL - 1);
        workers.tick();
        threads.runAll();
    }

    @Override
    protected void emptyDisk() {
        files.usable(-1);
        workers.tick();
        threads.runAll();
    }
}
