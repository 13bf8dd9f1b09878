/** Produce: batches on their way from a frame to a partition, and producer ids. */
@NullMarked
package io.sluice.kafka.produce;

import org.jspecify.annotations.NullMarked;
