/** Transactions of a channel. */
@NullMarked
package io.sluice.amqp091.transaction;

import org.jspecify.annotations.NullMarked;
