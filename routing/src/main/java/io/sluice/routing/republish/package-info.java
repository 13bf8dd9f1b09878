/** Messages that are published again by the broker itself: dead letters, and what streams pass on to exchanges. */
@NullMarked
package io.sluice.routing.republish;

import org.jspecify.annotations.NullMarked;
