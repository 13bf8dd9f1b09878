/** Retained MQTT messages: a compacted stream and the index of its newest records. */
@NullMarked
package io.sluice.routing.retained;

import org.jspecify.annotations.NullMarked;
