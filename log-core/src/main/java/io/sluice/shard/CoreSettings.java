package io.sluice.shard;

/**
 * Bounds of the core shard.
 *
 * @param inboxCapacity batches waiting in the inbox above which more are refused
 * @param unfinishedBytes encoded bytes of publishes not yet confirmed above which the shard counts as congested
 * @param memoryLogBytes bytes of transient messages kept in memory; above it they go to disk without a sync
 * @param batchBytes size at which an open record batch is sealed, bytes
 * @param checkpointBytes bytes appended to home partitions or to the journal after which queue indexes are written down
 * @param indexBytes bytes of queue indexes kept in memory beside their two ends; above it they go to scratch files
 * @param indexBlock messages of a block of a queue index: what goes to a scratch file, or comes from it, at a time
 * @param indexFileBytes size of a scratch file
 * @param checkpointSlice messages whose references are written down at a time
 */
public record CoreSettings(
        int inboxCapacity,
        long unfinishedBytes,
        long memoryLogBytes,
        int batchBytes,
        long checkpointBytes,
        long indexBytes,
        int indexBlock,
        int indexFileBytes,
        int checkpointSlice) {
    private static final int INDEX_BLOCK = 1024;
    private static final int INDEX_FILE_BYTES = 8 << 20;
    /** A quarter of a megabyte, well under a millisecond of the shard's time. */
    private static final int CHECKPOINT_SLICE = 16 * 1024;

    /** 8,192 batches; an eighth of the heap each for unfinished publishes and transient messages; 128 KiB; 64 MiB; 8 MiB. */
    public static final CoreSettings DEFAULT = new CoreSettings(
            8192,
            Runtime.getRuntime().maxMemory() / 8,
            Runtime.getRuntime().maxMemory() / 8,
            128 << 10,
            64L << 20,
            8L << 20);

    /** With blocks of 1,024 messages, scratch files of 8 MiB and checkpoints in slices of 16,384 messages. */
    public CoreSettings(
            int inboxCapacity,
            long unfinishedBytes,
            long memoryLogBytes,
            int batchBytes,
            long checkpointBytes,
            long indexBytes) {
        this(
                inboxCapacity,
                unfinishedBytes,
                memoryLogBytes,
                batchBytes,
                checkpointBytes,
                indexBytes,
                INDEX_BLOCK,
                INDEX_FILE_BYTES,
                CHECKPOINT_SLICE);
    }

    public CoreSettings {
        if (inboxCapacity < 2
                || unfinishedBytes < 1
                || memoryLogBytes < 0
                || batchBytes < 1
                || checkpointBytes < 1
                || indexBytes < 0
                || indexBlock < 1
                || indexFileBytes < 1
                || checkpointSlice < 1) {
            throw new IllegalArgumentException("bounds of the core shard must be positive");
        }
    }
}
