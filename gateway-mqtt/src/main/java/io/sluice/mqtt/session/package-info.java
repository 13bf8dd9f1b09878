/** Session state: subscriptions, in-flight window, pending messages; it may outlive its connection. */
@NullMarked
package io.sluice.mqtt.session;

import org.jspecify.annotations.NullMarked;
