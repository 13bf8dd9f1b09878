package io.sluice.log;

import java.util.UUID;

/** Identity of a stream; survives renames and is never reused. Also Kafka's topic id. */
public record StreamId(UUID uuid) {}
