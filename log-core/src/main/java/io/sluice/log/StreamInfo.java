package io.sluice.log;

/**
 * A stream as it is now.
 *
 * @param id identity
 * @param name name given at creation, for people and tools only (the catalog owns names)
 * @param partitions number of partitions, at least 1
 * @param config settings
 */
public record StreamInfo(StreamId id, String name, int partitions, StreamConfig config) {}
