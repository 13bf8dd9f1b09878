/** Idempotent producers: ids, epochs, sequences. */
@NullMarked
package io.sluice.log.producer;

import org.jspecify.annotations.NullMarked;
