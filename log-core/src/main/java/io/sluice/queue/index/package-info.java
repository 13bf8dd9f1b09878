/** Queue indexes: ordered references of which only the two ends are held in the heap. */
@NullMarked
package io.sluice.queue.index;

import org.jspecify.annotations.NullMarked;
