package io.sluice.engine;

/** A set of partitions with one writer. */
public record ShardId(String name) {
    /** Home partitions, user streams, queues and catalog. */
    public static final ShardId CORE = new ShardId("core");

    /** Kafka's group coordinator, which owns {@code __consumer_offsets}. */
    public static final ShardId GROUPS = new ShardId("groups");
}
