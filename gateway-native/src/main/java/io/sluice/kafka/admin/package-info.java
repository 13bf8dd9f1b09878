/** Metadata, topics and their configs. */
@NullMarked
package io.sluice.kafka.admin;

import org.jspecify.annotations.NullMarked;
