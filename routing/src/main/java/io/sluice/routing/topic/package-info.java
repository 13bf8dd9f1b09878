/** Topic names, filters and patterns of MQTT and AMQP, as immutable structures that are changed by copying a path. */
@NullMarked
package io.sluice.routing.topic;

import org.jspecify.annotations.NullMarked;
