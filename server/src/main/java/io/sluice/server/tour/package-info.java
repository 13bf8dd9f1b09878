/** The tour: real clients of all three protocols against a real broker process, killed and restarted. */
@NullMarked
package io.sluice.server.tour;

import org.jspecify.annotations.NullMarked;
