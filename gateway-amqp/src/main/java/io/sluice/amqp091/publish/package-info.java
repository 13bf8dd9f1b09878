/** Publishing: messages of all channels become one batch per read, and its answers confirms. */
@NullMarked
package io.sluice.amqp091.publish;

import org.jspecify.annotations.NullMarked;
