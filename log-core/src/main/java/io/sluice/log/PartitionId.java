package io.sluice.log;

/**
 * Identity of a partition.
 *
 * @param stream the stream it belongs to
 * @param index 0-based index within the stream
 */
public record PartitionId(StreamId stream, int index) {}
