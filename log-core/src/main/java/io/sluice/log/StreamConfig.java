package io.sluice.log;

import org.jspecify.annotations.Nullable;

/**
 * Settings of a stream, with the meaning and defaults of Kafka's topic configs.
 *
 * @param segmentBytes size at which a segment rolls, bytes
 * @param segmentMillis age at which a segment rolls, ms
 * @param retentionMillis age after which a closed segment is deleted, ms; -1 = never
 * @param retentionBytes size per partition above which old segments are deleted, bytes; -1 = unlimited
 * @param compact keep only the newest record of each key ({@code cleanup.policy=compact})
 * @param delete apply time and size retention ({@code cleanup.policy=delete})
 * @param maxBatchBytes largest accepted record batch, bytes ({@code max.message.bytes})
 * @param logAppendTime stamp batches with the broker's time instead of the producer's
 * @param durability level that overrides the broker's defaults, null = defaults
 * @param tombstoneMillis how long compaction keeps a record without value after it has removed what the record deletes, ms
 *     ({@code delete.retention.ms})
 * @param journal the broker's own state: appended to also while publishers are refused for want of disk space
 */
public record StreamConfig(
        long segmentBytes,
        long segmentMillis,
        long retentionMillis,
        long retentionBytes,
        boolean compact,
        boolean delete,
        int maxBatchBytes,
        boolean logAppendTime,
        @Nullable Durability durability,
        long tombstoneMillis,
        boolean journal) {
    private static final long DAY = 86_400_000L;

    /** Kafka's defaults: 1 GiB segments, 7 days, no size limit, 1,048,588 byte batches. */
    public static final StreamConfig DEFAULT =
            new StreamConfig(1L << 30, 7 * DAY, 7 * DAY, -1, false, true, 1_048_588, false, null);

    /** Retained messages and other content that is compacted: small segments, no time retention. */
    public static final StreamConfig COMPACTED =
            new StreamConfig(16L << 20, 7 * DAY, -1, -1, true, false, 32 << 20, false, null);

    /** The broker's own state by key: compacted, and written as long as there is any space. */
    public static final StreamConfig STATE = COMPACTED.asJournal();

    /** Home partitions: no time or size retention; prefixes are deleted as queues settle. */
    public static final StreamConfig HOME =
            new StreamConfig(64L << 20, 7 * DAY, -1, -1, false, false, 256 << 20, false, null);

    /** The queue journal: cut by its own checkpoints, and written as long as there is any space. */
    public static final StreamConfig JOURNAL =
            new StreamConfig(16L << 20, 7 * DAY, -1, -1, false, false, 256 << 20, false, null).asJournal();

    /** A stream of users: tombstones are kept for a day. */
    public StreamConfig(
            long segmentBytes,
            long segmentMillis,
            long retentionMillis,
            long retentionBytes,
            boolean compact,
            boolean delete,
            int maxBatchBytes,
            boolean logAppendTime,
            @Nullable Durability durability) {
        this(
                segmentBytes,
                segmentMillis,
                retentionMillis,
                retentionBytes,
                compact,
                delete,
                maxBatchBytes,
                logAppendTime,
                durability,
                DAY,
                false);
    }

    /** The same settings with another durability. */
    public StreamConfig withDurability(@Nullable Durability level) {
        return new StreamConfig(
                segmentBytes,
                segmentMillis,
                retentionMillis,
                retentionBytes,
                compact,
                delete,
                maxBatchBytes,
                logAppendTime,
                level,
                tombstoneMillis,
                journal);
    }

    /** The same settings with another life time of tombstones, ms. */
    public StreamConfig withTombstoneMillis(long millis) {
        return new StreamConfig(
                segmentBytes,
                segmentMillis,
                retentionMillis,
                retentionBytes,
                compact,
                delete,
                maxBatchBytes,
                logAppendTime,
                durability,
                millis,
                journal);
    }

    private StreamConfig asJournal() {
        return new StreamConfig(
                segmentBytes,
                segmentMillis,
                retentionMillis,
                retentionBytes,
                compact,
                delete,
                maxBatchBytes,
                logAppendTime,
                durability,
                tombstoneMillis,
                true);
    }
}
