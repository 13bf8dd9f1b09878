/** What the parts of a connection share: the view of it, its output, names, budgets and refusals. */
@NullMarked
package io.sluice.amqp091.session;

import org.jspecify.annotations.NullMarked;
