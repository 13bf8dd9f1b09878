package io.sluice.routing.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * Makes policies of what administrators send, or says in RabbitMQ's words what is wrong with it (rabbit_policy,
 * rabbit_parameter_validation).
 *
 * @param policy the policy; null if it is refused
 * @param refusal why; null if it is taken
 */
public record PolicyCheck(@Nullable Policy policy, @Nullable String refusal) {
    /** Longest name, characters. */
    private static final int MAX_NAME = 255;

    private static final String TARGETS =
            "should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'";

    /**
     * Checks a policy.
     *
     * @param operator true for one of operators, which may only set limits
     * @param target null for all
     * @param priority a number, null for 0
     * @param definition as JSON has it
     */
    public static PolicyCheck of(
            boolean operator,
            String name,
            String pattern,
            @Nullable Object target,
            @Nullable Object priority,
            @Nullable Object definition) {
        List<String> wrong = new ArrayList<>();
        if (name.isEmpty() || name.length() > MAX_NAME) {
            wrong.add("name should have 1 to " + MAX_NAME + " characters");
        }
        Long number = priority == null ? Long.valueOf(0) : integer(priority);
        if (number == null) {
            wrong.add("priority should be a number, actually was " + ErlangTerms.text(priority));
        }
        try {
            Pattern.compile(pattern);
        } catch (PatternSyntaxException e) {
            wrong.add("pattern should be regular expression but is invalid: {\"" + e.getDescription() + "\","
                    + Math.max(0, e.getIndex()) + '}');
        }
        PolicyTarget applies = target == null ? PolicyTarget.ALL : PolicyTarget.of(String.valueOf(target));
        if (applies == null) {
            wrong.add("apply-to '" + target + "' unrecognised; " + TARGETS);
        }
        Map<String, Object> settings = new TreeMap<>();
        String refusal = settings(operator, definition, settings);
        if (refusal != null) {
            wrong.add(refusal);
        }
        if (!wrong.isEmpty() || applies == null || number == null) {
            return new PolicyCheck(null, "Validation failed\n\n" + String.join("\n", wrong) + "\n");
        }
        return new PolicyCheck(new Policy(name, pattern, applies, number, settings), null);
    }

    private static @Nullable String settings(boolean operator, @Nullable Object given, Map<String, Object> settings) {
        if (!(given instanceof Map<?, ?> definition)) {
            return "definition must be a dictionary: " + ErlangTerms.text(given);
        }
        if (definition.isEmpty()) {
            return "no policy provided";
        }
        List<String> unknown = new ArrayList<>();
        String refusal = null;
        for (Map.Entry<?, ?> entry : definition.entrySet()) {
            String name = String.valueOf(entry.getKey());
            PolicyKey key = PolicyKey.of(name);
            Object value = entry.getValue();
            Long whole = integer(value);
            Object setting = whole == null ? value : whole;
            if (key == null || operator && !key.ofOperators()) {
                unknown.add("{<<\"" + name + "\">>," + ErlangTerms.text(value) + '}');
            } else if (setting == null || !key.accepts(setting)) {
                refusal = refusal == null ? key.refusal(value) : refusal;
            } else {
                settings.put(name, setting);
            }
        }
        if (refusal == null && !unknown.isEmpty()) {
            return '[' + String.join(",", unknown) + "] are not recognised policy settings";
        }
        return refusal != null ? refusal : retries(settings);
    }

    /** The settings of retries mean nothing alone, as the arguments of queues. */
    private static @Nullable String retries(Map<String, Object> settings) {
        boolean waits = settings.containsKey(PolicyKey.RETRY_MIN.text());
        for (PolicyKey key : List.of(PolicyKey.RETRY_MAX, PolicyKey.RETRY_MULTIPLIER, PolicyKey.RETRY_JITTER)) {
            if (!waits && settings.containsKey(key.text())) {
                return key.text() + " needs " + PolicyKey.RETRY_MIN.text();
            }
        }
        return settings.get(PolicyKey.RETRY_MIN.text()) instanceof Long min
                        && settings.get(PolicyKey.RETRY_MAX.text()) instanceof Long max
                        && max < min
                ? PolicyKey.RETRY_MAX.text() + " is less than " + PolicyKey.RETRY_MIN.text()
                : null;
    }

    private static @Nullable Long integer(@Nullable Object value) {
        return value instanceof Integer || value instanceof Long ? ((Number) value).longValue() : null;
    }
}
