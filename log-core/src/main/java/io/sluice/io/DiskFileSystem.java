package io.sluice.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The machine's own files through {@link FileChannel}. */
public final class DiskFileSystem implements FileSystem {
    /** By name, because this option of the JDK is outside the Java platform's interfaces and may be missing. */
    private static final @Nullable OpenOption DIRECT = findDirect();

    private static @Nullable OpenOption findDirect() {
        try {
            Object[] options =
                    Class.forName("com.sun.nio.file.ExtendedOpenOption").getEnumConstants();
            for (Object option : options == null ? new Object[0] : options) {
                if (option instanceof OpenOption open && "DIRECT".equals(option.toString())) {
                    return open;
                }
            }
            return null;
        } catch (ClassNotFoundException e) {
            return null;
        }
    }

    /** With less than this free, a failed write is taken for want of space whatever the system calls it. */
    private static final long NO_SPACE_BYTES = 64 << 10;

    @Override
    public StorageFile open(Path path, boolean create) throws IOException {
        if (!create) {
            return new DiskFile(path, FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE));
        }
        try {
            return new DiskFile(
                    path,
                    FileChannel.open(
                            path, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE));
        } catch (IOException e) {
            throw explained(path, e);
        }
    }

    @Override
    public StorageFile openDirect(Path path) throws IOException {
        // O_DSYNC with O_DIRECT lets the kernel write through the disk's cache (FUA) instead of flushing all of it: see
        // docs/decisions.
        if (DIRECT != null) {
            try {
                return new DiskFile(
                        path,
                        FileChannel.open(
                                path,
                                StandardOpenOption.READ,
                                StandardOpenOption.WRITE,
                                StandardOpenOption.DSYNC,
                                DIRECT));
            } catch (UnsupportedOperationException | IOException e) {
                if (!Files.exists(path)) {
                    throw e;
                }
            }
        }
        return new DiskFile(
                path,
                FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DSYNC));
    }

    @Override
    public boolean exists(Path path) {
        return Files.exists(path);
    }

    @Override
    public List<String> list(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.map(p -> String.valueOf(p.getFileName())).sorted().toList();
        }
    }

    @Override
    public void createDirectories(Path directory) throws IOException {
        try {
            Files.createDirectories(directory);
        } catch (IOException e) {
            throw explained(directory, e);
        }
    }

    @Override
    public void syncDirectory(Path directory) throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    @Override
    public void delete(Path path) throws IOException {
        Files.deleteIfExists(path);
    }

    @Override
    public void rename(Path from, Path to) throws IOException {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw explained(to, e);
        }
    }

    @Override
    public Space space(Path path) throws IOException {
        FileStore store = Files.getFileStore(path);
        return new Space(store.getTotalSpace(), store.getUsableSpace());
    }

    /**
     * Java tells ENOSPC and EDQUOT by the system's text only, and that is translated by some systems: a disk without space
     * counts, too.
     */
    private static IOException explained(Path path, IOException error) {
        String text = String.valueOf(error.getMessage()).toLowerCase(Locale.ROOT);
        boolean noSpace = text.contains("no space left") || text.contains("quota exceeded");
        if (!noSpace) {
            try {
                Path existing = Files.exists(path) ? path : path.getParent();
                noSpace = existing != null && Files.getFileStore(existing).getUsableSpace() < NO_SPACE_BYTES;
            } catch (IOException unknown) {
                error.addSuppressed(unknown);
            }
        }
        return noSpace ? new NoSpaceException("no space left for " + path, error) : error;
    }

    private record DiskFile(Path path, FileChannel channel) implements StorageFile {
        @Override
        public int read(long position, ByteBuffer target) throws IOException {
            return channel.read(target, position);
        }

        @Override
        public void write(long position, ByteBuffer source) throws IOException {
            long at = position;
            try {
                while (source.hasRemaining()) {
                    at += channel.write(source, at);
                }
            } catch (IOException e) {
                throw explained(path, e);
            }
        }

        @Override
        public void load(long position, int size) throws IOException {
            PageCache.load(channel, position, size);
        }

        @Override
        public long size() throws IOException {
            return channel.size();
        }

        @Override
        public void truncate(long size) throws IOException {
            channel.truncate(size);
        }

        @Override
        public void sync(boolean metadata) throws IOException {
            channel.force(metadata);
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
