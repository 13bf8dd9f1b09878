/** Kafka record batch v2 (magic 2): validating, building and reading batches. */
@NullMarked
package io.sluice.log.record;

import org.jspecify.annotations.NullMarked;
