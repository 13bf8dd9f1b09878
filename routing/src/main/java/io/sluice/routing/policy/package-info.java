/** Policies: what administrators set for all queues and exchanges of a name, beside what their declarations say. */
@NullMarked
package io.sluice.routing.policy;

import org.jspecify.annotations.NullMarked;
