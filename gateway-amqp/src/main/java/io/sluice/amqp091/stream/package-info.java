/** Streams as AMQP 0-9-1 clients see them (RabbitMQ, "Streams"): declaring one and reading it from a position on. */
@NullMarked
package io.sluice.amqp091.stream;

import org.jspecify.annotations.NullMarked;
