/** Streams, partitions, append and fetch: the API of the log. */
@NullMarked
package io.sluice.log;

import org.jspecify.annotations.NullMarked;
