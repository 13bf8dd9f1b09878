/** What the broker counts, in Prometheus form. */
@NullMarked
package io.sluice.server.metrics;

import org.jspecify.annotations.NullMarked;
