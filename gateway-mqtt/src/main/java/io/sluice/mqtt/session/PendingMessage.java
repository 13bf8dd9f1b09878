package io.sluice.mqtt.session;

import io.sluice.routing.DirectMessage;

/**
 * A direct message that waits for its turn; owns one reference of it.
 *
 * @param qos effective QoS, 0 or 1
 * @param retainFlag RETAIN as it will be sent
 * @param identifiers subscription identifiers; not to be changed
 * @param bytes what it counts for in the limits
 */
@SuppressWarnings("ArrayRecordComponent") // shared route data, never compared
record PendingMessage(DirectMessage message, int qos, boolean retainFlag, int[] identifiers, int bytes) {}
