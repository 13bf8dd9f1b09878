package io.sluice.engine.local;

import io.sluice.engine.LogEngine;
import io.sluice.engine.ScratchSpace;
import io.sluice.engine.ShardId;
import io.sluice.engine.ShardLease;
import io.sluice.io.Clock;
import io.sluice.io.Entropy;
import io.sluice.io.FileSystem;
import io.sluice.io.NoSpaceException;
import io.sluice.io.ThreadWorkers;
import io.sluice.io.Workers;
import io.sluice.log.LiveOffsets;
import io.sluice.log.LogException;
import io.sluice.log.LogException.Reason;
import io.sluice.log.LogPartition;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamConfig;
import io.sluice.log.StreamId;
import io.sluice.log.StreamInfo;
import io.sluice.log.record.GroupMark;
import io.sluice.log.segment.OpenFiles;
import io.sluice.log.segment.Segment;
import io.sluice.log.wal.WriteAheadLog;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jctools.queues.MpscUnboundedArrayQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The embedded engine: everything in one data directory.
 *
 * <pre>
 * node.meta     cluster id, node id
 * checkpoint    how far segments are durable, where the write-ahead log starts
 * clean-stop    there after a clean stop only
 * wal/          write-ahead log files
 * scratch/      parts of queue indexes; emptied at every start
 * streams/      one directory per stream, named by its id; in it one per partition
 * </pre>
 */
public final class LocalLogEngine implements LogEngine {
    private static final Logger log = LoggerFactory.getLogger(LocalLogEngine.class);
    private static final long SMALLEST_WAL_FILE = 1L << 20;

    private final LocalLogSettings settings;
    private final FileSystem files;
    private final Clock clock;
    private final Workers workers;
    private final Executor admin;
    private final Executor checkpoints;
    private final Executor cleaning;
    private final Executor readers;
    private final ScratchSpace scratch;
    private final StreamDirectory directory;
    private final OpenFiles openFiles;
    private final DecodedCache decodedCache;
    private final DiskWatch disk;
    private final NodeIdentity identity;
    private final WriteAheadLog wal;
    private final Checkpointer checkpointer;
    private final LogCleaner cleaner;
    private final DeadBatches deadBatches;
    private final boolean recovered;
    private final long checkpointBytes;
    private final Map<StreamId, StreamInfo> streams = new ConcurrentHashMap<>();
    private final Map<PartitionId, LocalPartition> partitions = new ConcurrentHashMap<>();
    private final Map<ShardId, LocalLease> shards = new ConcurrentHashMap<>();
    private final CopyOnWriteArrayList<LocalLease> leases = new CopyOnWriteArrayList<>();
    private final Queue<LocalPartition> mentions = new MpscUnboundedArrayQueue<>(256);
    private final AtomicLong markedPasses = new AtomicLong();
    private final AtomicBoolean checkpointAsked = new AtomicBoolean();
    private volatile boolean failed;
    private volatile boolean torn;
    private volatile boolean closed;
    // checkpoint thread only
    private boolean checkpointsWait;

    /** Opens a data directory with real threads and randomness; recovers it if the last stop was not clean. */
    public static LocalLogEngine open(Path dir, LocalLogSettings settings, FileSystem files, Clock clock) {
        return open(dir, settings, files, clock, Entropy.system(), new ThreadWorkers());
    }

    /**
     * Opens a data directory.
     *
     * @param workers threads of the engine; closed with it
     * @throws LogException IO_ERROR, or UNSUPPORTED_FORMAT if another version wrote the directory
     */
    public static LocalLogEngine open(
            Path dir, LocalLogSettings settings, FileSystem files, Clock clock, Entropy entropy, Workers workers) {
        try {
            return new LocalLogEngine(dir, settings, files, clock, entropy, workers);
        } catch (NoSpaceException e) {
            workers.close();
            throw new LogException(Reason.DISK_FULL, "opening " + dir + " failed: " + e.getMessage(), e);
        } catch (IOException e) {
            workers.close();
            throw new LogException(Reason.IO_ERROR, "opening " + dir + " failed: " + e.getMessage(), e);
        } catch (RuntimeException e) {
            workers.close();
            throw e;
        }
    }

    private LocalLogEngine(
            Path dir, LocalLogSettings settings, FileSystem files, Clock clock, Entropy entropy, Workers workers)
            throws IOException {
        this.settings = settings;
        this.files = files;
        this.clock = clock;
        this.workers = workers;
        this.admin = workers.serial("sluice-log-admin");
        this.checkpoints = workers.serial("sluice-checkpoint");
        this.cleaning = workers.serial("sluice-cleaner");
        this.readers = workers.pool("sluice-reader", settings.readerThreads());
        this.openFiles = new OpenFiles(settings.openFiles());
        this.decodedCache = new DecodedCache(settings.decodedCacheBytes());
        Path walDirectory = dir.resolve("wal");
        Path streamsDirectory = dir.resolve("streams");
        files.createDirectories(walDirectory);
        files.createDirectories(streamsDirectory);
        this.scratch = new ScratchDirectory(files, dir.resolve("scratch"));
        files.syncDirectory(dir);
        this.directory = new StreamDirectory(files, streamsDirectory);
        this.disk = new DiskWatch(files, dir, settings, admin, this::writerWaits);
        this.identity = NodeIdentity.load(files, dir, settings.nodeId(), entropy);
        Recovery recovery = new Recovery(this, files, dir, walDirectory);
        Recovery.Outcome outcome = recovery.run(directory, openFiles);
        for (StreamInfo info : outcome.streams()) {
            streams.put(info.id(), info);
        }
        for (LocalPartition partition : outcome.partitions()) {
            partitions.put(partition.id(), partition);
        }
        this.recovered = outcome.unclean();
        // On a small disk the log must not take what messages need.
        long share = Math.max(SMALLEST_WAL_FILE, files.space(dir).total() / 32);
        this.checkpointBytes = Math.min(settings.checkpointBytes(), 3 * share);
        this.wal = new WriteAheadLog(
                files,
                walDirectory,
                (int) Math.min(settings.walFileBytes(), share),
                outcome.nextSequence(),
                outcome.nextFileNumber(),
                workers.serial("sluice-sync"),
                this::pollMention,
                this::logSpaceChanged,
                () -> fail("The write-ahead log failed", null));
        this.checkpointer = new Checkpointer(this, files, dir, entropy);
        this.cleaner = new LogCleaner(this, files, openFiles);
        this.deadBatches = new DeadBatches(this, files, openFiles);
        checkpointer.take();
        wal.adopt();
        wal.prepare();
        disk.listen(this::diskChanged);
        disk.check();
        schedule();
    }

    private void schedule() {
        if (settings.checkpointMillis() > 0) {
            workers.every(settings.checkpointMillis(), checkpoints, this::checkpoint);
            workers.every(Math.max(50, settings.checkpointMillis() / 50), checkpoints, this::checkpointIfLarge);
        }
        if (settings.diskCheckMillis() > 0) {
            workers.every(settings.diskCheckMillis(), admin, this::watchDisk);
        }
        if (settings.retentionMillis() > 0) {
            workers.every(settings.retentionMillis(), cleaning, cleaner::run);
        }
    }

    // ---- streams

    @Override
    public CompletionStage<StreamInfo> createStream(StreamId id, String name, int count, StreamConfig config) {
        if (count < 1) {
            throw new IllegalArgumentException("a stream has at least one partition, not " + count);
        }
        return onAdmin(() -> {
            StreamInfo existing = streams.get(id);
            if (existing != null) {
                return existing;
            }
            StreamInfo info = new StreamInfo(id, name, count, config);
            directory.create(info);
            openNew(info, 0);
            streams.put(id, info);
            return info;
        });
    }

    private void openNew(StreamInfo info, int from) throws IOException {
        PartitionOpener opener = new PartitionOpener(this, files, openFiles, false);
        for (int i = from; i < info.partitions(); i++) {
            PartitionId id = new PartitionId(info.id(), i);
            partitions.put(id, opener.open(info, id, directory.partition(info.id(), i), null, (bytes, at) -> {}));
        }
    }

    @Override
    public CompletionStage<Void> deleteStream(StreamId id) {
        return onAdmin(() -> {
                    StreamInfo info = streams.remove(id);
                    if (info != null) {
                        delete(info);
                    }
                    return id;
                })
                .thenAccept(deleted -> {});
    }

    private void delete(StreamInfo info) throws IOException {
        List<LocalPartition> gone = new ArrayList<>();
        for (int i = 0; i < info.partitions(); i++) {
            PartitionId partition = new PartitionId(info.id(), i);
            LocalPartition removed = partitions.remove(partition);
            if (removed != null) {
                removed.close();
                gone.add(removed);
            }
            decodedCache.drop(partition);
        }
        // passes that began before they were closed end, too
        endPasses();
        if (gone.stream().anyMatch(LocalPartition::holdsUncoveredGroup)) {
            coverGroups();
        }
        gone.forEach(partition -> partition.segments().closeFiles());
        directory.delete(info.id());
    }

    private void endPasses() {
        for (LocalLease lease : leases) {
            lease.pause();
            lease.resume();
        }
    }

    /** A checkpoint, so that what is about to go is not missed by groups that it belongs to; without space for it, they may. */
    private void coverGroups() throws IOException {
        try {
            checkpointer.take();
        } catch (NoSpaceException e) {
            log.debug("No checkpoint before a deletion", e);
        } catch (IOException e) {
            fail("Checkpoint failed", e);
            throw e;
        }
    }

    @Override
    public CompletionStage<StreamInfo> alterStream(StreamId id, StreamConfig config) {
        return onAdmin(() -> {
            StreamInfo now = existing(id);
            StreamInfo next = new StreamInfo(id, now.name(), now.partitions(), config);
            directory.write(next);
            publish(next);
            return next;
        });
    }

    @Override
    public CompletionStage<StreamInfo> addPartitions(StreamId id, int count) {
        return onAdmin(() -> {
            StreamInfo now = existing(id);
            if (count <= now.partitions()) {
                return now;
            }
            StreamInfo next = new StreamInfo(id, now.name(), count, now.config());
            directory.addPartitions(next, now.partitions());
            directory.write(next);
            openNew(next, now.partitions());
            publish(next);
            return next;
        });
    }

    private void publish(StreamInfo info) {
        for (int i = 0; i < info.partitions(); i++) {
            LocalPartition partition = partitions.get(new PartitionId(info.id(), i));
            if (partition != null) {
                partition.describe(info);
            }
        }
        streams.put(info.id(), info);
    }

    private StreamInfo existing(StreamId id) {
        StreamInfo info = streams.get(id);
        if (info == null) {
            throw new LogException(Reason.STREAM_NOT_FOUND, "no stream " + id.uuid());
        }
        return info;
    }

    private interface AdminTask<T> {
        T run() throws IOException;
    }

    private <T> CompletionStage<T> onAdmin(AdminTask<T> task) {
        CompletableFuture<T> result = new CompletableFuture<>();
        if (closed) {
            result.completeExceptionally(new LogException(Reason.CLOSED, "the engine is closed"));
            return result;
        }
        admin.execute(() -> {
            try {
                if (failed) {
                    throw new LogException(Reason.FENCED, "the disk failed");
                }
                result.complete(task.run());
            } catch (NoSpaceException e) {
                result.completeExceptionally(new LogException(Reason.DISK_FULL, String.valueOf(e.getMessage()), e));
            } catch (IOException e) {
                result.completeExceptionally(new LogException(Reason.IO_ERROR, String.valueOf(e.getMessage()), e));
            } catch (RuntimeException e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    @Override
    public @Nullable StreamInfo stream(StreamId id) {
        return streams.get(id);
    }

    @Override
    public Collection<StreamInfo> streams() {
        return List.copyOf(streams.values());
    }

    @Override
    public @Nullable LogPartition partition(PartitionId id) {
        return partitions.get(id);
    }

    @Nullable
    LocalPartition local(PartitionId id) {
        return partitions.get(id);
    }

    Collection<LocalPartition> partitions() {
        return partitions.values();
    }

    // ---- leases

    @Override
    public ShardLease acquire(ShardId shard) {
        if (closed || failed) {
            throw new LogException(closed ? Reason.CLOSED : Reason.FENCED, "the engine does not take writers");
        }
        LocalLease lease = new LocalLease(this);
        synchronized (shards) {
            LocalLease before = shards.put(shard, lease);
            if (before != null) {
                before.fence();
                // a pass of it that has begun ends first
                before.pause();
                before.resume();
                leases.remove(before);
                torn |= before.isTorn();
            }
            leases.add(lease);
        }
        return lease;
    }

    /** A pass is in the segments in part and will never be there as a whole: only the next start can put that right. */
    void leftTorn() {
        torn = true;
    }

    /** Mark for the batches of a pass. Any thread. */
    long nextMark(int parts) {
        return GroupMark.of(markedPasses.incrementAndGet(), parts);
    }

    /**
     * End offsets of all partitions at a moment when no pass is under way: each is below them in all partitions, or above.
     *
     * @throws NoSpaceException if a pass is in the segments in part, and waits for space
     */
    Map<LocalPartition, Long> endsBetweenPasses() throws IOException {
        Map<LocalPartition, Long> ends = new LinkedHashMap<>();
        synchronized (shards) {
            List<LocalLease> writers = List.copyOf(leases);
            writers.forEach(LocalLease::pause);
            try {
                if (torn || writers.stream().anyMatch(LocalLease::isTorn)) {
                    throw new NoSpaceException("a writer waits for space");
                }
                if (failed) {
                    throw new IOException("a write failed before");
                }
                for (LocalPartition partition : partitions.values()) {
                    ends.put(partition, partition.writtenEnd());
                }
            } finally {
                writers.forEach(LocalLease::resume);
            }
        }
        return ends;
    }

    void released(LocalLease lease) {
        leases.remove(lease);
        shards.values().remove(lease);
    }

    List<LocalLease> leases() {
        return leases;
    }

    /** Waits until the passes of a lease are on disk; bounded by the sync thread's own work. */
    void awaitWritten(LocalLease lease) {
        long started = clock.nanoTime();
        while (!lease.isDone() && !wal.waitsForSpace() && clock.nanoTime() - started < 10_000_000_000L) {
            workers.pause();
        }
    }

    /** Segment files open now. */
    int openFiles() {
        return openFiles.count();
    }

    boolean isClosed() {
        return closed;
    }

    boolean isFailed() {
        return failed;
    }

    // ---- what partitions and leases need

    LocalLogSettings settings() {
        return settings;
    }

    Clock clock() {
        return clock;
    }

    WriteAheadLog wal() {
        return wal;
    }

    DecodedCache decodedCache() {
        return decodedCache;
    }

    @Override
    public Executor readerPool() {
        return readers;
    }

    void mention(LocalPartition partition) {
        mentions.add(partition);
    }

    private WriteAheadLog.@Nullable Mention pollMention() {
        LocalPartition partition = mentions.poll();
        return partition == null ? null : partition.takeMention();
    }

    /** What may grow, by the free space last seen. */
    DiskWatch.Growth growth() {
        return disk.growth();
    }

    /** A pass wrote so many bytes to segments. */
    void wrote(long bytes) {
        disk.wrote(bytes);
    }

    /** A writer found no space, or found it again. */
    void checkDiskSoon() {
        if (!closed) {
            disk.checkSoon();
        }
    }

    /** The write-ahead log has no file left, or found one: a checkpoint gives files back. Sync thread. */
    private void logSpaceChanged() {
        checkDiskSoon();
        if (wal.waitsForSpace() && !closed) {
            checkpoints.execute(this::checkpoint);
        }
    }

    private boolean writerWaits() {
        if (wal.waitsForSpace()) {
            return true;
        }
        for (LocalLease lease : leases) {
            if (lease.waitsForSpace()) {
                return true;
            }
        }
        return false;
    }

    /** The periodic look at the disk: also wakes whoever waits for space, since others may have freed it. */
    private void watchDisk() {
        wal.retry();
        for (LocalLease lease : leases) {
            lease.wakeIfWaiting();
        }
        disk.check();
    }

    private void diskChanged(DiskState state) {
        if (state == DiskState.FULL) {
            cleaning.execute(cleaner::run);
        }
    }

    void deleteLater(Segment segment) {
        if (closed) {
            delete(segment);
        } else {
            cleaning.execute(() -> delete(segment));
        }
    }

    private static void delete(Segment segment) {
        try {
            segment.delete();
        } catch (IOException e) {
            log.warn("Deleting segment {} failed: {}", segment.baseOffset(), e.toString());
        }
    }

    /** Segments wait for it to be deleted, and space is short. Any thread. */
    void checkpointSoon() {
        if (!closed && checkpointAsked.compareAndSet(false, true)) {
            checkpoints.execute(() -> {
                checkpointAsked.set(false);
                checkpoint();
            });
        }
    }

    /** See {@link LogPartition#dropDead}. Any thread. */
    CompletionStage<Long> dropDead(LocalPartition partition, LiveOffsets live) {
        if (closed || failed) {
            return CompletableFuture.completedFuture(0L);
        }
        CompletableFuture<Long> won = new CompletableFuture<>();
        cleaning.execute(() -> {
            try {
                won.complete(deadBatches.drop(partition, live));
            } catch (RuntimeException e) {
                won.completeExceptionally(e);
            }
        });
        return won;
    }

    /** A write or sync failed: nobody writes until a restart. Any thread. */
    void fail(String what, @Nullable Throwable cause) {
        if (!failed) {
            failed = true;
            log.error("{}; all writers are fenced until a restart", what, cause);
        }
        for (LocalLease lease : leases) {
            lease.fence();
        }
        disk.fail();
    }

    // ---- checkpoints

    private void checkpointIfLarge() {
        if (checkpointer.pendingBytes() >= checkpointBytes) {
            checkpoint();
        }
    }

    private void checkpoint() {
        if (failed || closed) {
            return;
        }
        try {
            if (!checkpointer.isIdle()) {
                checkpointer.take();
            }
            wal.retry();
            wal.prepare();
            if (checkpointsWait) {
                checkpointsWait = false;
                log.info("Checkpoints go on");
            }
        } catch (NoSpaceException e) {
            if (!checkpointsWait) {
                checkpointsWait = true;
                log.warn("Checkpoints wait for disk space: {}", e.getMessage());
            }
            // their space is worth more than that groups torn by a crash right now go as a whole
            partitions.values().forEach(partition -> partition.deleteRemoved(true));
        } catch (IOException e) {
            fail("Checkpoint failed", e);
        }
    }

    // ---- the rest

    @Override
    public String clusterId() {
        return identity.clusterId();
    }

    @Override
    public int nodeId() {
        return identity.nodeId();
    }

    @Override
    public boolean recovered() {
        return recovered;
    }

    @Override
    public ScratchSpace scratch() {
        return scratch;
    }

    @Override
    public DiskState diskState() {
        return disk.state();
    }

    @Override
    public void onDiskState(DiskListener listener) {
        disk.listen(listener);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        for (LocalLease lease : leases) {
            lease.fence();
        }
        workers.close();
        if (torn) {
            log.info("A pass found no space until the end; the next start recovers");
        } else if (!failed) {
            try {
                for (LocalPartition partition : partitions.values()) {
                    partition.producers().expire(clock.epochMillis(), settings.producerIdleMillis());
                }
                checkpointer.takeLast();
            } catch (IOException e) {
                log.error("The last checkpoint failed; the next start recovers", e);
            }
        }
        for (LocalPartition partition : partitions.values()) {
            partition.close();
            partition.segments().closeFiles();
        }
        decodedCache.close();
        wal.close();
    }
}
