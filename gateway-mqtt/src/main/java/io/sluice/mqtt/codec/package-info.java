/** MQTT packets as bytes: framing with limits, the hot packets by hand, the others by netty-codec-mqtt. */
@NullMarked
package io.sluice.mqtt.codec;

import org.jspecify.annotations.NullMarked;
