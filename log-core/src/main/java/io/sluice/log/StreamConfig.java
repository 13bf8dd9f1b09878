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
        @Nullable Durability durability) {
    /** Kafka's defaults: 1 GiB segments, 7 days, no size limit, 1,048,588 byte batches. */
    public static final StreamConfig DEFAULT =
            new StreamConfig(1L << 30, 604_800_000L, 604_800_000L, -1, false, true, 1_048_588, false, null);

    /** Internal compacted state: small segments, no time retention. */
    public static final StreamConfig COMPACTED =
            new StreamConfig(16L << 20, 604_800_000L, -1, -1, true, false, 32 << 20, false, null);

    /** Home partitions: no time or size retention; prefixes are deleted as queues settle. */
    public static final StreamConfig HOME =
            new StreamConfig(64L << 20, 604_800_000L, -1, -1, false, false, 256 << 20, false, null);
}
