package io.sluice.mqtt.session;

import io.sluice.mqtt.codec.Topics;
import io.sluice.routing.Sessions.StoredSubscription;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Subscriptions of a session by topic filter. Immutable; a change is a new set. */
final class SubscriptionSet {
    static final SubscriptionSet EMPTY = new SubscriptionSet(Map.of());

    private final Map<String, StoredSubscription> byFilter;
    private final boolean needsMatching;

    private SubscriptionSet(Map<String, StoredSubscription> byFilter) {
        this.byFilter = byFilter;
        boolean needed = false;
        for (StoredSubscription s : byFilter.values()) {
            needed |= s.identifier() != 0 || s.retainAsPublished();
        }
        this.needsMatching = needed;
    }

    SubscriptionSet with(StoredSubscription subscription) {
        if (byFilter.isEmpty()) {
            return new SubscriptionSet(Map.of(subscription.topicFilter(), subscription));
        }
        Map<String, StoredSubscription> next = new LinkedHashMap<>(byFilter);
        next.put(subscription.topicFilter(), subscription);
        return new SubscriptionSet(next);
    }

    SubscriptionSet without(String filter) {
        Map<String, StoredSubscription> next = new LinkedHashMap<>(byFilter);
        next.remove(filter);
        return next.isEmpty() ? EMPTY : new SubscriptionSet(next);
    }

    @Nullable
    StoredSubscription get(String filter) {
        return byFilter.get(filter);
    }

    int size() {
        return byFilter.size();
    }

    Collection<StoredSubscription> all() {
        return byFilter.values();
    }

    /** True if a stored message must be matched again, for its subscription identifiers or its RETAIN flag. */
    boolean needsMatching() {
        return needsMatching;
    }

    /** True if subscriptions take the topic and all of those are noLocal (section 3.8.3.1). */
    boolean excludesOwn(String topic) {
        boolean matched = false;
        for (StoredSubscription s : byFilter.values()) {
            if (Topics.matches(s.topicFilter(), topic)) {
                if (!s.noLocal()) {
                    return false;
                }
                matched = true;
            }
        }
        return matched;
    }

    /** Identifiers of the subscriptions that take the topic (section 3.3.2.3.8). */
    int[] identifiers(String topic) {
        int[] found = Outbound.noIdentifiers();
        for (StoredSubscription s : byFilter.values()) {
            if (s.identifier() != 0 && Topics.matches(s.topicFilter(), topic)) {
                found = Arrays.copyOf(found, found.length + 1);
                found[found.length - 1] = s.identifier();
            }
        }
        return found;
    }

    /** True if a subscription that takes the topic wants RETAIN as it was published. */
    boolean retainAsPublished(String topic) {
        for (StoredSubscription s : byFilter.values()) {
            if (s.retainAsPublished() && Topics.matches(s.topicFilter(), topic)) {
                return true;
            }
        }
        return false;
    }
}
