package io.sluice.kafka;

import io.sluice.log.Durability;
import org.jspecify.annotations.Nullable;

/**
 * Settings of the native door.
 *
 * @param advertised {@code host:port} that clients are told to connect to, null = the local address they reached
 * @param maxRequestBytes largest accepted request, bytes
 * @param requestMemoryBytes budget for requests that are still arriving, over all connections, bytes
 * @param firstRequestMillis time in which the first request of a connection must have arrived whole, ms
 * @param idleMillis time without a request after which a connection is closed, ms
 * @param maxInFlight unanswered requests per connection before it is no longer read
 * @param autoCreateTopics create unknown topics that producers and consumers ask metadata of
 * @param defaultPartitions partitions of a topic created without a number
 * @param durabilityAll level of acks=all where the stream sets none
 * @param durabilityFew level of acks=0 and acks=1 where the stream sets none
 * @param maxFetchBytes largest fetch response over all partitions, bytes (the first batch always goes whole)
 * @param maxFetchSessions incremental fetch sessions over all connections; further clients fetch without a session
 * @param rebalanceDelayMillis how long the first rebalance of an empty group waits for more members, ms
 * @param offsetsRetentionMillis how long offsets of a group without members are kept, ms
 */
public record NativeSettings(
        @Nullable String advertised,
        int maxRequestBytes,
        long requestMemoryBytes,
        long firstRequestMillis,
        long idleMillis,
        int maxInFlight,
        boolean autoCreateTopics,
        int defaultPartitions,
        Durability durabilityAll,
        Durability durabilityFew,
        int maxFetchBytes,
        int maxFetchSessions,
        int rebalanceDelayMillis,
        long offsetsRetentionMillis) {
    /** Kafka's defaults, an eighth of the heap for arriving requests, one partition, 10 s for the first
     * request, a rebalance delay of 0.5 s, and group commit for acks=all. */
    public static final NativeSettings DEFAULT = new NativeSettings(
            null,
            100 << 20,
            Runtime.getRuntime().maxMemory() / 8,
            10_000,
            600_000,
            64,
            true,
            1,
            Durability.GROUP,
            Durability.OS,
            55 << 20,
            1_000,
            500,
            7L * 24 * 60 * 60 * 1_000);

    /** Checks bounds. */
    public NativeSettings {
        if (maxRequestBytes < 8 << 10) {
            throw new IllegalArgumentException("maxRequestBytes must be at least 8 KiB: " + maxRequestBytes);
        }
        if (requestMemoryBytes < 1
                || firstRequestMillis < 1
                || idleMillis < 1
                || maxInFlight < 1
                || defaultPartitions < 1
                || maxFetchBytes < 1
                || maxFetchSessions < 0) {
            throw new IllegalArgumentException("bounds must be positive");
        }
    }

    /** These settings with another advertised address. */
    public NativeSettings withAdvertised(@Nullable String address) {
        return new NativeSettings(
                address,
                maxRequestBytes,
                requestMemoryBytes,
                firstRequestMillis,
                idleMillis,
                maxInFlight,
                autoCreateTopics,
                defaultPartitions,
                durabilityAll,
                durabilityFew,
                maxFetchBytes,
                maxFetchSessions,
                rebalanceDelayMillis,
                offsetsRetentionMillis);
    }

    /** These settings with other levels for acks=all and for acks=0 and 1. */
    public NativeSettings withDurability(Durability all, Durability few) {
        return new NativeSettings(
                advertised,
                maxRequestBytes,
                requestMemoryBytes,
                firstRequestMillis,
                idleMillis,
                maxInFlight,
                autoCreateTopics,
                defaultPartitions,
                all,
                few,
                maxFetchBytes,
                maxFetchSessions,
                rebalanceDelayMillis,
                offsetsRetentionMillis);
    }
}
