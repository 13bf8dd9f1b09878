/** Basic properties of AMQP 0-9-1 to and from the canonical record form (docs: mapping of one message in four protocols). */
@NullMarked
package io.sluice.amqp091.convert;

import org.jspecify.annotations.NullMarked;
