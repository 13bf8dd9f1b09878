/** Fetch: sessions, long poll and file regions; offset look-ups. */
@NullMarked
package io.sluice.kafka.fetch;

import org.jspecify.annotations.NullMarked;
