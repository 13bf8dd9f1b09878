/** Streams and partitions: the API of the append-only log. */
@NullMarked
package io.sluice.log;

import org.jspecify.annotations.NullMarked;
