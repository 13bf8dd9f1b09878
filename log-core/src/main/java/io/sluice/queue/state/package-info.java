/** Durable state of queues: the journal of settlements, checkpoints of indexes, and what recovery makes of them. */
@NullMarked
package io.sluice.queue.state;

import org.jspecify.annotations.NullMarked;
