/** The place that stores partitioned logs, as an SPI: embedded segments now, a Kafka cluster later. */
@NullMarked
package io.sluice.engine;

import org.jspecify.annotations.NullMarked;
