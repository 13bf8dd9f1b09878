package io.sluice.engine.local;

import io.sluice.engine.LogEngine;
import io.sluice.engine.LogEngineContractTest;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.Entropy;
import io.sluice.io.FaultyFileSystem;
import io.sluice.io.SystemClock;
import io.sluice.io.ThreadWorkers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;

/** The embedded engine on real files, with real threads; a kill leaves what the process had written. */
class LocalEngineContractTest extends LogEngineContractTest {
    @TempDir
    Path directory;

    private int life;
    private FaultyFileSystem files = new FaultyFileSystem(new DiskFileSystem());
    private HeldWorkers workers = new HeldWorkers(new ThreadWorkers());

    @Override
    protected LogEngine open() {
        files = new FaultyFileSystem(new DiskFileSystem());
        workers = new HeldWorkers(new ThreadWorkers());
        return LocalLogEngine.open(data(), ContractSettings.of(), files, new SystemClock(), Entropy.system(), workers);
    }

    private Path data() {
        return directory.resolve("life-" + life);
    }

    @Override
    protected void kill(LogEngine running) throws Exception {
        Path from = data();
        life++;
        copyTree(from, data());
        workers.release();
        running.close();
    }

    @Override
    protected void await(CompletionStage<?> stage) throws Exception {
        stage.toCompletableFuture().get(10, TimeUnit.SECONDS);
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
    }

    @Override
    protected void emptyDisk() {
        files.usable(-1);
        workers.tick();
    }

    private static void copyTree(Path from, Path to) throws Exception {
        try (var paths = Files.walk(from)) {
            for (Path path : (Iterable<Path>) paths::iterator) {
                Path target = to.resolve(from.relativize(path).toString());
                if (Files.isDirectory(path)) {
                    Files.createDirectories(target);
                } else {
                    Files.copy(path, target);
                }
            }
        }
    }
}
