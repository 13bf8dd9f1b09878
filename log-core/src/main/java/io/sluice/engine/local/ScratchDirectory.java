package io.sluice.engine.local;

import io.sluice.engine.ScratchSpace;
import io.sluice.io.FileSystem;
import io.sluice.io.StorageFile;
import java.io.IOException;
import java.nio.file.Path;

/** Scratch files in a directory of their own, which is emptied when it is opened. */
final class ScratchDirectory implements ScratchSpace {
    private final FileSystem files;
    private final Path directory;

    ScratchDirectory(FileSystem files, Path directory) throws IOException {
        this.files = files;
        this.directory = directory;
        files.createDirectories(directory);
        for (String left : files.list(directory)) {
            files.delete(directory.resolve(left));
        }
    }

    @Override
    public StorageFile create(String name) throws IOException {
        files.delete(directory.resolve(name));
        return files.open(directory.resolve(name), true);
    }

    @Override
    public void delete(String name) throws IOException {
        files.delete(directory.resolve(name));
    }
}
