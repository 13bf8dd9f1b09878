package io.sluice.queue;

import io.sluice.message.RecordView;

/**
 * What a consumer wants of a queue. Called on the shard thread, for each message once as long as selectors come and go rarely: it must
 * not block or keep the record. Selectors that are equal are
 * asked once for all consumers that have them, so implementations define {@link Object#equals}.
 */
@FunctionalInterface
public interface MessageSelector {
    /** True if the message, in canonical form, is for the consumer; what is thrown counts as false. */
    boolean matches(RecordView message);
}
