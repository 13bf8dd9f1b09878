/** Consumer groups: Kafka's group coordinator over the log. */
@NullMarked
package io.sluice.kafka.group;

import org.jspecify.annotations.NullMarked;
