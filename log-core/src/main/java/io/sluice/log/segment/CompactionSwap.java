package io.sluice.log.segment;

import io.sluice.io.FileSystem;
import io.sluice.log.recovery.DurableFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The replacement of adjacent segments by one compacted file, as an intent that a start finishes after a crash. The file {@code
 * compaction.swap} is durable before anything is touched and goes when everything is durable. Applying it again changes nothing.
 *
 * <pre>
 * magic 4 | version 4 | segments 4 | base offset 8 each, ascending: the first names the compacted file | CRC-32C 4
 * </pre>
 */
public final class CompactionSwap {
    static final String CLEANED = ".log.cleaned";
    private static final String FILE = "compaction.swap";
    private static final int MAGIC = 0x534C4350; // SLCP
    private static final int VERSION = 1;

    private final FileSystem files;
    private final Path directory;
    private final long[] bases;

    public CompactionSwap(FileSystem files, Path directory, long[] bases) {
        this.files = files;
        this.directory = directory;
        this.bases = bases.clone();
    }

    /**
     * Makes the intent durable; the compacted file must be.
     *
     * @throws io.sluice.io.NoSpaceException if there is no space for it: nothing has happened
     */
    public void write() throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(16 + 8 * bases.length);
        bytes.putInt(MAGIC).putInt(VERSION).putInt(bases.length);
        for (long base : bases) {
            bytes.putLong(base);
        }
        DurableFiles.replace(files, directory, FILE, DurableFiles.withChecksum(bytes));
    }

    /** Puts the compacted file in the place of the others. Names are durable after {@link #finish}. */
    public void apply() throws IOException {
        // The old index would lead astray in the new file; a missing one is built anew.
        delete(bases[0], ".index");
        delete(bases[0], ".timeindex");
        for (int i = 1; i < bases.length; i++) {
            delete(bases[i], ".log");
            delete(bases[i], ".index");
            delete(bases[i], ".timeindex");
        }
        Path cleaned = directory.resolve(Segment.name(bases[0], CLEANED));
        if (files.exists(cleaned)) {
            files.rename(cleaned, directory.resolve(Segment.name(bases[0], ".log")));
        }
    }

    /** Makes what {@link #apply} did durable and takes the intent away. */
    public void finish() throws IOException {
        files.syncDirectory(directory);
        abandon();
    }

    /** Takes the intent away. */
    public void abandon() throws IOException {
        files.delete(directory.resolve(FILE));
        files.syncDirectory(directory);
    }

    private void delete(long base, String suffix) throws IOException {
        files.delete(directory.resolve(Segment.name(base, suffix)));
    }

    /** Finishes a replacement that was cut off and removes compacted files that did not get so far. At start. */
    public static void recover(FileSystem files, Path directory) throws IOException {
        CompactionSwap swap = read(files, directory);
        if (swap != null) {
            swap.apply();
            swap.finish();
        }
        for (String name : files.list(directory)) {
            if (name.endsWith(CLEANED)) {
                files.delete(directory.resolve(name));
            }
        }
    }

    private static @Nullable CompactionSwap read(FileSystem files, Path directory) throws IOException {
        ByteBuffer bytes = DurableFiles.read(files, directory.resolve(FILE), MAGIC, VERSION);
        if (bytes == null) {
            return null;
        }
        long[] bases = new long[bytes.getInt()];
        for (int i = 0; i < bases.length; i++) {
            bases[i] = bytes.getLong();
        }
        return new CompactionSwap(files, directory, bases);
    }
}
