package io.sluice.log.wal;

import io.sluice.io.FileSystem;
import io.sluice.io.NoSpaceException;
import io.sluice.io.StorageFile;
import io.sluice.log.PartitionId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jctools.queues.MpscUnboundedArrayQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Group commit: all passes waiting when the sync thread is free go to disk with one write, which returns when the disk has the
 * data. While that is on its way the next ones gather. A failed write ends the log for good (it is never retried: what the disk
 * then holds is not known). If there is no space to lay out a further file, passes wait, in order, until {@link #retry} finds space
 * or a file given back; writes into files that are laid out need none.
 *
 * <p>{@link #submit} from any writer thread; files change on the sync executor only; {@link #recycle} on the checkpoint thread.
 */
public final class WriteAheadLog {
    private static final Logger log = LoggerFactory.getLogger(WriteAheadLog.class);
    private static final int ZEROS = 1 << 20;
    /** Recycled files kept for reuse. */
    private static final int SPARES = 3;

    private final FileSystem files;
    private final Path directory;
    private final int fileBytes;
    private final Executor syncThread;
    private final Mentions mentions;
    private final Runnable onNoSpace;
    private final Runnable onFailure;
    private final Queue<WalPass> waiting = new MpscUnboundedArrayQueue<>(256);
    private final AtomicBoolean scheduled = new AtomicBoolean();
    private final Runnable drain = this::drain;

    private volatile boolean failed;
    private volatile boolean waitsForSpace;
    private volatile long lastSequence;
    private volatile long bytesWritten;

    // files, guarded by this: taken by the sync thread seldom, given back by the checkpoint
    private final Deque<WalFile> inUse = new ArrayDeque<>();
    private final Deque<WalFile> spares = new ArrayDeque<>();
    private long nextFileNumber;

    // sync thread only
    private final WalBuffer buffer = new WalBuffer();
    private final List<WalPass> round = new ArrayList<>();
    private @Nullable List<Mention> named;
    private long sequence;
    private @Nullable WalFile current;
    private long position;

    /** Offsets that became visible without the log. */
    public interface Mentions {
        /** Takes the next partition to mention, null if none. Sync thread. */
        @Nullable
        Mention poll();
    }

    /** A partition and the offset it must start above after an unclean stop. */
    public record Mention(PartitionId partition, long offset) {}

    private record WalFile(Path path, long number, long size, StorageFile file, long firstSequence) {}

    /**
     * Starts with empty files.
     *
     * @param fileBytes size of one file, bytes; a larger entry gets a larger file
     * @param nextSequence above every sequence ever used
     * @param nextFileNumber above every file number in the directory
     * @param onNoSpace told when passes begin to wait for space, and when they no longer do
     */
    public WriteAheadLog(
            FileSystem files,
            Path directory,
            int fileBytes,
            long nextSequence,
            long nextFileNumber,
            Executor syncThread,
            Mentions mentions,
            Runnable onNoSpace,
            Runnable onFailure) {
        this.files = files;
        this.directory = directory;
        this.fileBytes = (int) wholeBlocks(fileBytes);
        this.sequence = nextSequence;
        this.lastSequence = nextSequence - 1;
        this.nextFileNumber = nextFileNumber;
        this.syncThread = syncThread;
        this.mentions = mentions;
        this.onNoSpace = onNoSpace;
        this.onFailure = onFailure;
    }

    /** Hands over a pass; any writer thread. */
    public void submit(WalPass pass) {
        waiting.add(pass);
        if (scheduled.compareAndSet(false, true)) {
            syncThread.execute(drain);
        }
    }

    /** Sequence of the newest entry handed to the disk. */
    public long lastSequence() {
        return lastSequence;
    }

    /** Bytes written since the start. */
    public long bytesWritten() {
        return bytesWritten;
    }

    public boolean hasFailed() {
        return failed;
    }

    /** True while passes wait for space. */
    public boolean waitsForSpace() {
        return waitsForSpace;
    }

    /** Tries again if passes wait for space. Any thread. */
    public void retry() {
        if (waitsForSpace && scheduled.compareAndSet(false, true)) {
            syncThread.execute(drain);
        }
    }

    private void drain() {
        do {
            WalPass pass = waiting.poll();
            while (pass != null) {
                round.add(pass);
                pass = waiting.poll();
            }
            if (!round.isEmpty()) {
                writeRound();
            }
            scheduled.set(false);
        } while (!waiting.isEmpty() && !waitsForSpace && scheduled.compareAndSet(false, true));
    }

    private void writeRound() {
        int whole = round.size();
        if (!failed) {
            try {
                int encoded = 0;
                while (encoded < round.size() && encode(round.get(encoded))) {
                    encoded++;
                }
                whole = encoded;
                if (whole > 0) {
                    finishWrite();
                    lastSequence = sequence - 1;
                }
            } catch (IOException | RuntimeException e) {
                failed = true;
                whole = round.size();
                log.error("Write-ahead log failed; writers are fenced until a restart", e);
            }
        }
        List<WalPass> finished = round.subList(0, whole);
        announce(finished);
        finished.clear();
        spaceIs(round.isEmpty());
    }

    private void spaceIs(boolean found) {
        if (waitsForSpace == found) {
            waitsForSpace = !found;
            if (found) {
                log.info("Write-ahead log found disk space");
            } else {
                log.warn("Write-ahead log waits for disk space: no file left to write to");
            }
            onNoSpace.run();
        }
    }

    private void announce(List<WalPass> passes) {
        boolean done = !failed;
        for (int i = 0; i < passes.size(); i++) {
            WalPass pass = passes.get(i);
            if (!done) {
                pass.release();
            }
            boolean newestOfListener = true;
            for (int j = i + 1; j < passes.size() && newestOfListener; j++) {
                newestOfListener = !passes.get(j).listener().equals(pass.listener());
            }
            if (newestOfListener) {
                if (done) {
                    pass.listener().passesDurable(pass.number(), pass.wakeUp());
                } else {
                    pass.listener().passesFailed(pass.wakeUp());
                }
            }
        }
        if (!done) {
            onFailure.run();
        }
    }

    /** Copies a pass to the staging buffer and, when that is full, to the file; false if it must wait for space. */
    private boolean encode(WalPass pass) throws IOException {
        List<Mention> mentioned = named;
        if (mentioned == null) {
            mentioned = takeMentions();
            named = mentioned;
        }
        long body = pass.bytes()
                + (long) pass.size() * WalFormat.BATCH_HEADER
                + (long) mentioned.size() * WalFormat.MENTION;
        if (body > Integer.MAX_VALUE - 4096) {
            throw new IOException("pass of " + body + " bytes");
        }
        if (!begin(body)) {
            return false;
        }
        named = null;
        buffer.room(WalFormat.ENTRY_HEADER)
                .putInt(WalFormat.ENTRY_MAGIC)
                .putInt((int) body)
                .putLong(sequence)
                .putInt(pass.size())
                .putInt(mentioned.size());
        for (int i = 0; i < pass.size(); i++) {
            put(buffer.room(WalFormat.BATCH_HEADER), pass.partition(i)).putInt(pass.length(i));
            copy(pass, i);
        }
        for (Mention mention : mentioned) {
            put(buffer.room(WalFormat.MENTION), mention.partition()).putLong(mention.offset());
        }
        buffer.putChecksum();
        sequence++;
        pass.release();
        return true;
    }

    private List<Mention> takeMentions() {
        List<Mention> taken = List.of();
        Mention mention = mentions.poll();
        while (mention != null) {
            if (taken.isEmpty()) {
                taken = new ArrayList<>();
            }
            taken.add(mention);
            mention = mentions.poll();
        }
        return taken;
    }

    private static ByteBuffer put(ByteBuffer target, PartitionId partition) {
        return target.putLong(partition.stream().uuid().getMostSignificantBits())
                .putLong(partition.stream().uuid().getLeastSignificantBits())
                .putInt(partition.index());
    }

    private void copy(WalPass pass, int i) throws IOException {
        int from = pass.position(i);
        int left = pass.length(i);
        while (left > 0) {
            ByteBuffer target = buffer.room(1);
            int piece = Math.min(left, target.remaining());
            int limit = target.limit();
            target.limit(target.position() + piece);
            pass.buffer(i).getBytes(from, target);
            target.limit(limit);
            from += piece;
            left -= piece;
        }
    }

    /** Chooses the file for an entry and starts its checksum; false if there is no space for a file. */
    private boolean begin(long body) throws IOException {
        long entry = WalFormat.ENTRY_HEADER + body + WalFormat.TRAILER;
        WalFile file = current;
        if (file == null || position + entry > file.size()) {
            if (file != null) {
                finishWrite();
            }
            try {
                file = take(WalFormat.FILE_HEADER + entry);
            } catch (NoSpaceException e) {
                return false;
            }
            current = file;
            buffer.use(file.file());
            buffer.startChecksum();
            buffer.room(WalFormat.FILE_HEADER)
                    .putInt(WalFormat.FILE_MAGIC)
                    .putInt(WalFormat.VERSION)
                    .putLong(file.number())
                    .putLong(sequence);
            buffer.putChecksum();
            buffer.room(WalFormat.FILE_HEADER).put(new byte[WalFormat.FILE_HEADER - WalFormat.FILE_HEADER_CRC - 4]);
            position = WalFormat.FILE_HEADER;
        }
        position += entry;
        buffer.startChecksum();
        return true;
    }

    /** The next entry starts at the next block. */
    private void finishWrite() throws IOException {
        buffer.finish();
        position = wholeBlocks(position);
        bytesWritten = buffer.written();
    }

    private static long wholeBlocks(long bytes) {
        return (bytes + WalFormat.BLOCK - 1) / WalFormat.BLOCK * WalFormat.BLOCK;
    }

    private synchronized WalFile take(long bytes) throws IOException {
        WalFile spare = spares.peekFirst();
        if (spare == null || spare.size() < bytes) {
            spare = layOut(Math.max(fileBytes, wholeBlocks(bytes)));
        } else {
            spares.removeFirst();
        }
        WalFile taken = new WalFile(spare.path(), nextFileNumber++, spare.size(), spare.file(), sequence);
        inUse.addLast(taken);
        return taken;
    }

    /** Makes a file of zeros, so that syncs later have no metadata to write. */
    private WalFile layOut(long size) throws IOException {
        int slot = 0;
        while (files.exists(path(slot))) {
            slot++;
        }
        Path path = path(slot);
        long usable = files.space(directory).usable();
        if (usable < size) {
            throw new NoSpaceException("a write-ahead log file of " + size + " bytes needs more than " + usable);
        }
        try (StorageFile file = files.open(path, true)) {
            ByteBuffer zeros = ByteBuffer.allocateDirect((int) Math.min(size, ZEROS));
            for (long at = 0; at < size; at += zeros.capacity()) {
                zeros.clear().limit((int) Math.min(zeros.capacity(), size - at));
                file.write(at, zeros);
            }
            file.sync(true);
        } catch (NoSpaceException e) {
            files.delete(path);
            throw e;
        }
        files.syncDirectory(directory);
        return new WalFile(path, -1, size, files.openDirect(path), -1);
    }

    private Path path(int slot) {
        return directory.resolve("wal-" + slot + ".wal");
    }

    /**
     * Takes over the files of the last run, whose entries are no longer needed; deletes those that do not fit. The last run may have
     * ended while it laid one out, so neither its bytes nor its name need be on the disk yet.
     */
    public synchronized void adopt() throws IOException {
        for (String name : files.list(directory)) {
            if (!name.endsWith(".wal")) {
                continue;
            }
            Path path = directory.resolve(name);
            StorageFile file = files.openDirect(path);
            if (file.size() == fileBytes && spares.size() < SPARES) {
                file.sync(true);
                spares.addLast(new WalFile(path, -1, fileBytes, file, -1));
            } else {
                file.close();
                files.delete(path);
            }
        }
        files.syncDirectory(directory);
    }

    /** Lays out the next file ahead of need. Checkpoint thread. */
    public synchronized void prepare() throws IOException {
        if (spares.isEmpty()) {
            spares.add(layOut(fileBytes));
        }
    }

    /**
     * Takes back the files whose entries all lie at or below {@code sequence}; segments hold them durably.
     */
    public synchronized void recycle(long sequence) throws IOException {
        while (inUse.size() > 1) {
            WalFile oldest = inUse.removeFirst();
            WalFile following = inUse.getFirst();
            if (following.firstSequence() > sequence + 1) {
                inUse.addFirst(oldest);
                return;
            }
            if (spares.size() < SPARES && oldest.size() == fileBytes) {
                spares.addLast(oldest);
            } else {
                oldest.file().close();
                files.delete(oldest.path());
            }
        }
    }

    /** Closes the files; nothing may be waiting. */
    public synchronized void close() {
        List<WalFile> all = new ArrayList<>(inUse);
        all.addAll(spares);
        inUse.clear();
        spares.clear();
        round.forEach(WalPass::release);
        round.clear();
        for (WalFile file : all) {
            try {
                file.file().close();
            } catch (IOException e) {
                log.warn("Closing {} failed: {}", file.path(), e.toString());
            }
        }
    }
}
