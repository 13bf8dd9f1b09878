/** Connections and channels of AMQP 0-9-1: negotiation, entities, publishing with confirms, consuming. */
@NullMarked
package io.sluice.amqp091.connection;

import org.jspecify.annotations.NullMarked;
