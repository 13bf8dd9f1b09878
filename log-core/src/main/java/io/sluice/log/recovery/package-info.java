/** What a start needs to know about the last stop: checkpoint, clean-stop marker, descriptors. */
@NullMarked
package io.sluice.log.recovery;

import org.jspecify.annotations.NullMarked;
