/** Segment files of a partition with their sparse indexes. */
@NullMarked
package io.sluice.log.segment;

import org.jspecify.annotations.NullMarked;
