package io.sluice.bench;

import io.sluice.engine.local.LocalLogEngine;
import io.sluice.engine.local.LocalLogSettings;
import io.sluice.io.DiskFileSystem;
import io.sluice.io.SystemClock;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * An embedded engine on real files, in a new directory below that of system property {@code sluice.bench.dir} (the temporary
 * directory by default), which goes when it is closed.
 */
final class DataDirectory implements AutoCloseable {
    private final Path path;
    private final LocalLogEngine engine;

    DataDirectory() {
        try {
            String parent = System.getProperty("sluice.bench.dir");
            path = parent == null
                    ? Files.createTempDirectory("sluice-bench")
                    : Files.createTempDirectory(Files.createDirectories(Path.of(parent)), "sluice-bench");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        engine = LocalLogEngine.open(path, LocalLogSettings.DEFAULT, new DiskFileSystem(), new SystemClock());
    }

    LocalLogEngine engine() {
        return engine;
    }

    @Override
    public void close() {
        engine.close();
        try {
            List<Path> all;
            try (Stream<Path> walk = Files.walk(path)) {
                all = walk.sorted(Comparator.reverseOrder()).toList();
            }
            for (Path each : all) {
                Files.deleteIfExists(each);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
