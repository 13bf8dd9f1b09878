/** Shards: one thread that owns partitions and queues, its bounded inbox, and the hand-over objects between it and event loops. */
@NullMarked
package io.sluice.shard;

import org.jspecify.annotations.NullMarked;
