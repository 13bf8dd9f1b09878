/** MQTT messages to and from the canonical record form. */
@NullMarked
package io.sluice.mqtt.convert;

import org.jspecify.annotations.NullMarked;
