package io.sluice.engine.local;

/**
 * Bounds and periods of the embedded engine.
 *
 * @param nodeId identity of the node at the first start
 * @param walFileBytes size of one write-ahead log file, bytes
 * @param checkpointMillis period of checkpoints, ms; 0 = none but at start and close
 * @param checkpointBytes write-ahead log bytes after which a checkpoint is taken early
 * @param tailCacheBytes memory per lease for batches just built, bytes
 * @param decodedCacheBytes memory for batches read back and decoded, bytes
 * @param maxDecodedBytes largest batch after decompression, bytes
 * @param openFiles budget of open segment files
 * @param readerThreads threads for blocking reads
 * @param warmBytes bytes at the end of a partition that are taken to be in the page cache
 * @param retentionMillis period of retention and compaction, ms; 0 = never
 * @param compactionBytes memory for the keys that one run of compaction looks at, bytes; more keys take more runs
 * @param producerIdleMillis after which an idempotent producer is forgotten, ms
 * @param diskCheckMillis period of the free-space check, ms; 0 = never
 * @param diskFullBytes free space below which publishers are refused; -1 = 5 % of the disk within 64 MiB and 1 GiB
 * @param diskWarnBytes free space below which a warning is logged; -1 = twice {@code diskFullBytes}
 */
public record LocalLogSettings(
        int nodeId,
        int walFileBytes,
        long checkpointMillis,
        long checkpointBytes,
        long tailCacheBytes,
        long decodedCacheBytes,
        int maxDecodedBytes,
        int openFiles,
        int readerThreads,
        long warmBytes,
        long retentionMillis,
        long compactionBytes,
        long producerIdleMillis,
        long diskCheckMillis,
        long diskFullBytes,
        long diskWarnBytes) {
    public static final LocalLogSettings DEFAULT = new LocalLogSettings(
            1,
            32 << 20,
            10_000,
            96L << 20,
            64L << 20,
            32L << 20,
            256 << 20,
            2048,
            2,
            256L << 20,
            30_000,
            16L << 20,
            86_400_000L,
            1_000,
            -1,
            -1);
}
