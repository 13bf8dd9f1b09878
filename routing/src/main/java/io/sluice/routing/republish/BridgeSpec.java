package io.sluice.routing.republish;

import io.sluice.log.StreamId;
import java.util.List;

/**
 * A stream that is bound to an exchange.
 *
 * @param number number of the binding in the catalog, never reused; names its cursors
 * @param suffix whether the record key is appended to the topic of records that a Kafka producer wrote
 * @param startOffsets first offset to pass on, by partition; partitions beyond the list start at 0
 */
public record BridgeSpec(
        String vhost,
        long number,
        StreamId stream,
        String streamName,
        int partitions,
        String exchange,
        boolean suffix,
        List<Long> startOffsets) {}
