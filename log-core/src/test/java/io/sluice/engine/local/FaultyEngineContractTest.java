package io.sluice.engine.local;

import io.sluice.engine.LogEngineContractTest;
import io.sluice.io.FaultyFileSystem;
import io.sluice.io.FileSystem;
import io.sluice.io.Workers;

/** The contract for an engine whose disk fails or fills, and whose syncs end, when the test says so. */
abstract class FaultyEngineContractTest extends LogEngineContractTest {
    FaultyFileSystem files;
    HeldWorkers workers;

    /** What the next life runs on: nothing broken, nothing held. Each {@code open} begins with it. */
    final void renew(FileSystem disk, Workers threads) {
        files = new FaultyFileSystem(disk);
        workers = new HeldWorkers(threads);
    }

    /** Lets what the last tick began come to its end. */
    abstract void settle();

    @Override
    protected final void holdSyncs() {
        workers.hold();
    }

    @Override
    protected final void letSyncsEnd() {
        workers.release();
    }

    @Override
    protected final void breakDisk() {
        files.breakDisk();
    }

    @Override
    protected final void fillDisk() {
        files.usable(ContractSettings.FULL - 1);
        workers.tick();
        settle();
    }

    @Override
    protected final void emptyDisk() {
        files.usable(-1);
        workers.tick();
        settle();
    }
}
