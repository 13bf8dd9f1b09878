package io.sluice.shard;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** A partition of a stream. */
final class ModelStream {
    final String name;
    final Map<Integer, ModelMessage> sent = new HashMap<>();
    /** Found at the last start: as safe as can be. */
    final Set<Integer> seen = new HashSet<>();

    ModelStream(String name) {
        this.name = name;
    }
}
