/** {@code exchange.*} and {@code queue.*}: declarations with their arguments, bindings, purge and delete. */
@NullMarked
package io.sluice.amqp091.entity;

import org.jspecify.annotations.NullMarked;
