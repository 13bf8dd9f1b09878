/** Exchanges: the rules by which a routing key leads to destinations. Immutable and free of I/O. */
@NullMarked
package io.sluice.routing.exchange;

import org.jspecify.annotations.NullMarked;
