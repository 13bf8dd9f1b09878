/** The world outside: files, clock, scheduling and randomness as interfaces, so that all above can run on a simulated machine. */
@NullMarked
package io.sluice.io;

import org.jspecify.annotations.NullMarked;
