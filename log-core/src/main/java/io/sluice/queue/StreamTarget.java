package io.sluice.queue;

import io.sluice.log.PartitionId;
import io.sluice.log.StreamId;

/**
 * A stream that gets its own copy of a routed message.
 *
 * @param partitions number of partitions at routing time; the copy goes to {@code hash mod partitions}
 */
public record StreamTarget(StreamId stream, int partitions) {
    /** The partition for an order hash. */
    public PartitionId partition(int orderHash) {
        return new PartitionId(stream, Math.floorMod(orderHash, partitions));
    }
}
