/** Queues: named delivery state over references into the log, driven by a pure delivery machine. */
@NullMarked
package io.sluice.queue;

import org.jspecify.annotations.NullMarked;
