package io.sluice.server;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The data directory, held by one broker at a time. The lock is the operating system's, so it goes with the process however that
 * ends; the text in the lock file (process id, management address) is for people and for {@code bin/sluice route}.
 */
public final class DataDirectory implements AutoCloseable {
    private static final String LOCK_FILE = "sluice.lock";

    private final Path path;
    private final FileChannel channel;

    private DataDirectory(Path path, FileChannel channel) {
        this.path = path;
        this.channel = channel;
    }

    /**
     * Makes the directory if need be (readable by its owner and group only) and locks it.
     *
     * @throws StartException if it is in use, or cannot be made or written
     */
    public static DataDirectory lock(Path path) {
        FileChannel channel = null;
        try {
            create(path);
            channel = FileChannel.open(
                    path.resolve(LOCK_FILE),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.READ,
                    StandardOpenOption.WRITE);
            if (!tryLock(channel)) {
                throw new StartException("The data directory " + path + " is in use by another broker"
                        + holder(path).map(pid -> " (process " + pid + ")").orElse("")
                        + "; stop that one or give another directory with --data.");
            }
            DataDirectory directory = new DataDirectory(path, channel);
            directory.write("");
            channel = null;
            return directory;
        } catch (AccessDeniedException e) {
            throw new StartException(
                    "The data directory " + path + " cannot be written by user " + System.getProperty("user.name")
                            + "; change its owner or give another directory with --data.",
                    e);
        } catch (FileAlreadyExistsException e) {
            throw new StartException("The data directory " + path + " is a file; give a directory with --data.", e);
        } catch (IOException e) {
            throw new StartException(
                    "The data directory " + path + " cannot be used (" + e.getMessage()
                            + "); check the disk or give another directory with --data.",
                    e);
        } finally {
            closeQuietly(channel);
        }
    }

    private static void create(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            return;
        }
        if (path.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            Files.createDirectories(
                    path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-x---")));
        } else {
            Files.createDirectories(path);
        }
    }

    private static boolean tryLock(FileChannel channel) throws IOException {
        try {
            FileLock lock = channel.tryLock();
            return lock != null;
        } catch (OverlappingFileLockException e) {
            return false; // held by another broker in this process
        }
    }

    private static Optional<String> holder(Path path) {
        return readLock(path).stream().findFirst().filter(pid -> !pid.isBlank());
    }

    /** Base URL of the management port of the broker that runs on this directory, if one does and is ready. */
    public static Optional<String> managementUrl(Path path) {
        List<String> lines = readLock(path);
        return lines.size() < 2 ? Optional.empty() : Optional.of(lines.get(1)).filter(url -> url.startsWith("http://"));
    }

    private static List<String> readLock(Path path) {
        try {
            return Files.readAllLines(path.resolve(LOCK_FILE));
        } catch (IOException e) {
            return List.of();
        }
    }

    Path path() {
        return path;
    }

    /** Lets other processes find the management port. */
    void publish(String managementUrl) throws IOException {
        write(managementUrl);
    }

    private void write(String managementUrl) throws IOException {
        byte[] text = (ProcessHandle.current().pid() + "\n" + managementUrl + "\n").getBytes(UTF_8);
        channel.truncate(0);
        channel.write(ByteBuffer.wrap(text), 0);
    }

    /** Gives the directory free. The file stays, empty: removing it would let two brokers lock two files of one name. */
    @Override
    public void close() throws IOException {
        try (FileChannel closing = channel) {
            closing.truncate(0);
        }
    }

    private static void closeQuietly(@Nullable FileChannel channel) {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                // the lock attempt already failed with its own reason
            }
        }
    }
}
