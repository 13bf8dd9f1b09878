/** Wiring of engine, routing and doors into one broker. */
@NullMarked
package io.sluice.server;

import org.jspecify.annotations.NullMarked;
