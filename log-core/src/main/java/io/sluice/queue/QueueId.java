package io.sluice.queue;

/** Identity of a queue; given by the catalog, persisted, never reused. Positive. */
public record QueueId(long value) {}
