package io.sluice.routing.policy;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The policies of a virtual host, those of operators beside them. Immutable: changes answer others.
 *
 * @see <a href="https://www.rabbitmq.com/docs/policies">RabbitMQ: Policies</a>
 */
public final class Policies {
    private static final Comparator<PolicyMatcher> BY_PRIORITY = Comparator.comparingLong(
                    (PolicyMatcher matcher) -> matcher.policy().priority())
            .reversed();

    /** No policy. */
    public static final Policies NONE = new Policies(new TreeMap<>(), new TreeMap<>());

    private final SortedMap<String, PolicyMatcher> policies;
    private final SortedMap<String, PolicyMatcher> operators;
    // by priority, then by name
    private final List<PolicyMatcher> ordered;
    private final List<PolicyMatcher> orderedOperators;

    private Policies(SortedMap<String, PolicyMatcher> policies, SortedMap<String, PolicyMatcher> operators) {
        this.policies = policies;
        this.operators = operators;
        this.ordered = policies.values().stream().sorted(BY_PRIORITY).toList();
        this.orderedOperators = operators.values().stream().sorted(BY_PRIORITY).toList();
    }

    /** These with one more, or in place of one of the same name. */
    public Policies with(boolean operator, Policy policy) {
        SortedMap<String, PolicyMatcher> changed = new TreeMap<>(operator ? operators : policies);
        changed.put(policy.name(), new PolicyMatcher(policy));
        return operator ? new Policies(policies, changed) : new Policies(changed, operators);
    }

    public Policies without(boolean operator, String name) {
        SortedMap<String, PolicyMatcher> changed = new TreeMap<>(operator ? operators : policies);
        changed.remove(name);
        return operator ? new Policies(policies, changed) : new Policies(changed, operators);
    }

    /** The policy of this name, null if there is none. */
    public @Nullable Policy find(boolean operator, String name) {
        PolicyMatcher found = (operator ? operators : policies).get(name);
        return found == null ? null : found.policy();
    }

    /** All of one kind, by name. */
    public Collection<Policy> all(boolean operator) {
        List<Policy> all = new ArrayList<>();
        (operator ? operators : policies).values().forEach(matcher -> all.add(matcher.policy()));
        return all;
    }

    public boolean isEmpty() {
        return policies.isEmpty() && operators.isEmpty();
    }

    /** What applies to a queue or stream. */
    public AppliedPolicy ofQueue(String name, QueueType type) {
        if (isEmpty()) {
            return AppliedPolicy.NONE;
        }
        return AppliedPolicy.of(
                first(ordered, matcher -> matcher.matchesQueue(name, type)),
                first(orderedOperators, matcher -> matcher.matchesQueue(name, type)));
    }

    /** What applies to an exchange. */
    public AppliedPolicy ofExchange(String name) {
        if (isEmpty()) {
            return AppliedPolicy.NONE;
        }
        return AppliedPolicy.of(
                first(ordered, matcher -> matcher.matchesExchange(name)),
                first(orderedOperators, matcher -> matcher.matchesExchange(name)));
    }

    private interface Match {
        boolean of(PolicyMatcher matcher);
    }

    private static @Nullable Policy first(List<PolicyMatcher> ordered, Match match) {
        for (PolicyMatcher matcher : ordered) {
            if (match.of(matcher)) {
                return matcher.policy();
            }
        }
        return null;
    }
}
