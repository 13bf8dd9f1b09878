/** Consuming: from queues and streams, gets, settlements, direct replies. */
@NullMarked
package io.sluice.amqp091.consume;

import org.jspecify.annotations.NullMarked;
