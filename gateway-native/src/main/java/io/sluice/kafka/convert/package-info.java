/** Refusals of log and routing in Kafka's terms, and topic names. */
@NullMarked
package io.sluice.kafka.convert;

import org.jspecify.annotations.NullMarked;
