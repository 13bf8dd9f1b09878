/** What the AMQP protocols share: header sniffing and SASL. */
@NullMarked
package io.sluice.amqp;

import org.jspecify.annotations.NullMarked;
