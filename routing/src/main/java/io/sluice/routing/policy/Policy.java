package io.sluice.routing.policy;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * What administrators set for queues and exchanges whose name matches a pattern (RabbitMQ, "Policies").
 *
 * @param pattern regular expression that is looked for anywhere in a name
 * @param target what it is for
 * @param priority of several that match, the one with the highest applies, alone
 * @param definition settings by key, in the order of keys; values are {@code String} or {@code Long}
 */
public record Policy(String name, String pattern, PolicyTarget target, long priority, Map<String, Object> definition) {
    public Policy {
        definition = Collections.unmodifiableMap(new TreeMap<>(definition));
    }
}
