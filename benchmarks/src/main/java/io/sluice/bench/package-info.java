/** JMH benchmarks of the hot paths. */
@NullMarked
package io.sluice.bench;

import org.jspecify.annotations.NullMarked;
