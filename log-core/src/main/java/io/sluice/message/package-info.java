/** The neutral message: canonical header names and flyweights over encoded records. */
@NullMarked
package io.sluice.message;

import org.jspecify.annotations.NullMarked;
