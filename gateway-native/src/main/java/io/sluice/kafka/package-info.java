/** The native door: the Apache Kafka wire protocol. */
@NullMarked
package io.sluice.kafka;

import org.jspecify.annotations.NullMarked;
