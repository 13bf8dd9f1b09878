/** The command line: start, tour and route. */
@NullMarked
package io.sluice.server.cli;

import org.jspecify.annotations.NullMarked;
