package io.sluice.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;

/** Another file system with a disk that breaks, and fills up, on command. */
public final class FaultyFileSystem implements FileSystem {
    private final FileSystem files;
    private volatile boolean broken;
    private volatile long usable = -1;

    public FaultyFileSystem(FileSystem files) {
        this.files = files;
    }

    /** From now on nothing can be written or synced. */
    public void breakDisk() {
        broken = true;
    }

    /** Free space that is reported from now on, bytes; -1 = what there is. */
    public void usable(long bytes) {
        usable = bytes;
    }

    private void check() throws IOException {
        if (broken) {
            throw new IOException("the disk is broken");
        }
    }

    @Override
    public StorageFile open(Path path, boolean create) throws IOException {
        return new FaultyFile(files.open(path, create));
    }

    @Override
    public StorageFile openDirect(Path path) throws IOException {
        return new FaultyFile(files.openDirect(path));
    }

    @Override
    public boolean exists(Path path) {
        return files.exists(path);
    }

    @Override
    public List<String> list(Path directory) throws IOException {
        return files.list(directory);
    }

    @Override
    public void createDirectories(Path directory) throws IOException {
        check();
        files.createDirectories(directory);
    }

    @Override
    public void syncDirectory(Path directory) throws IOException {
        check();
        files.syncDirectory(directory);
    }

    @Override
    public void delete(Path path) throws IOException {
        check();
        files.delete(path);
    }

    @Override
    public void rename(Path from, Path to) throws IOException {
        check();
        files.rename(from, to);
    }

    @Override
    public Space space(Path path) throws IOException {
        Space space = files.space(path);
        return usable < 0 ? space : new Space(space.total(), usable);
    }

    private final class FaultyFile implements StorageFile {
        private final StorageFile file;

        FaultyFile(StorageFile file) {
            this.file = file;
        }

        @Override
        public int read(long position, ByteBuffer target) throws IOException {
            return file.read(position, target);
        }

        @Override
        public void write(long position, ByteBuffer source) throws IOException {
            check();
            file.write(position, source);
        }

        @Override
        public long size() throws IOException {
            return file.size();
        }

        @Override
        public void truncate(long size) throws IOException {
            check();
            file.truncate(size);
        }

        @Override
        public void sync(boolean metadata) throws IOException {
            check();
            file.sync(metadata);
        }

        @Override
        public void load(long position, int size) throws IOException {
            file.load(position, size);
        }

        @Override
        public FileChannel channel() {
            return file.channel();
        }

        @Override
        public void close() throws IOException {
            file.close();
        }
    }
}
