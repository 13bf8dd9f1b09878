/**
 * The catalog: which virtual hosts, exchanges, queues, streams, bindings and sessions there are. Its durable part is the
 * compacted stream {@code __catalog}; changes are appended there first and applied by the code that also replays them.
 */
@NullMarked
package io.sluice.routing.catalog;

import org.jspecify.annotations.NullMarked;
