/** Whole-broker tests with foreign clients: messages across protocols, and SIGKILL under mixed load with a checker. */
@NullMarked
package io.sluice.server.it;

import org.jspecify.annotations.NullMarked;
