package io.sluice.io;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * Files of one machine. What is written reaches the disk in any order, or not at all, until {@link StorageFile#sync} (data)
 * and {@link #syncDirectory} (names) have returned. Thread-safe.
 */
public interface FileSystem {
    /**
     * Opens for reading and writing; creates the file if it is missing and {@code create} is set.
     *
     * @throws NoSpaceException if it cannot be created for want of space
     */
    StorageFile open(Path path, boolean create) throws IOException;

    /**
     * Opens an existing file for writes that are durable when they return, without {@link StorageFile#sync}, and that pass the page
     * cache by where the file system can. Position, length and memory address of each write are multiples of 4096 bytes and lie
     * within the file. A failed write leaves any part of its bytes on the disk.
     */
    StorageFile openDirect(Path path) throws IOException;

    boolean exists(Path path);

    /** Names of the entries of a directory, sorted; empty if there is no such directory. */
    List<String> list(Path directory) throws IOException;

    /**
     * Creates a directory and its missing parents. Their names are durable after {@link #syncDirectory} of each parent.
     *
     * @throws NoSpaceException if there is no space for it
     */
    void createDirectories(Path directory) throws IOException;

    /** Makes creations, renames and deletions in the directory durable. */
    void syncDirectory(Path directory) throws IOException;

    /** Deletes a file or an empty directory; nothing happens if it is missing. */
    void delete(Path path) throws IOException;

    /** Replaces {@code to} atomically. */
    void rename(Path from, Path to) throws IOException;

    /** Space of the file system that holds {@code path}. */
    Space space(Path path) throws IOException;

    /**
     * Space of a file system in bytes.
     *
     * @param total size
     * @param usable what this process may still fill
     */
    record Space(long total, long usable) {}
}
