/** Connections: framing, order of responses, back-pressure, and the bridge from Kafka's codec to Netty. */
@NullMarked
package io.sluice.kafka.connection;

import org.jspecify.annotations.NullMarked;
