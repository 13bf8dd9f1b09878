package io.sluice.routing;

/**
 * That a subscriber gets a message, and how. Overlapping subscriptions of one session are one match.
 *
 * @param maximumQos highest granted QoS of the matching subscriptions
 * @param identifiers subscription identifiers, possibly empty; not to be changed
 */
@SuppressWarnings("ArrayRecordComponent") // shared immutable route data; compared by identity only
public record SubscriberMatch(
        Subscriber subscriber, int maximumQos, boolean noLocal, boolean retainAsPublished, int[] identifiers) {}
