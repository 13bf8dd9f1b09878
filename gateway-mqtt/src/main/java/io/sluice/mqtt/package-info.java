/** The MQTT door. */
@NullMarked
package io.sluice.mqtt;

import org.jspecify.annotations.NullMarked;
