package io.sluice.engine.local;

import io.sluice.engine.LogEngine;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.Entropy;
import io.sluice.io.SystemClock;
import io.sluice.io.ThreadWorkers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;

/** The embedded engine on real files, with real threads; a kill leaves what the process had written. */
class LocalEngineContractTest extends FaultyEngineContractTest {
    @TempDir
    Path directory;

    private int life;

    @Override
    protected LogEngine open() {
        renew(new DiskFileSystem(), new ThreadWorkers());
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

    /** The thread that ticks is the one that looks. */
    @Override
    void settle() {}

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
