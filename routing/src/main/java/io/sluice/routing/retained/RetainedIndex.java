package io.sluice.routing.retained;

import io.sluice.routing.topic.PatternTrie.Syntax;
import io.sluice.routing.topic.PersistentMap;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** Topics that have a retained message, and its offset. Immutable; changes copy one path. */
final class RetainedIndex {
    private static final long NONE = -1;
    private static final RetainedIndex EMPTY = new RetainedIndex(new Node(NONE, PersistentMap.empty()), 0);

    private final Node root;
    private final int size;

    private RetainedIndex(Node root, int size) {
        this.root = root;
        this.size = size;
    }

    private record Node(long offset, PersistentMap<String, Node> levels) {
        boolean isEmpty() {
            return offset == NONE && levels.isEmpty();
        }
    }

    static RetainedIndex empty() {
        return EMPTY;
    }

    int size() {
        return size;
    }

    RetainedIndex with(String topic, long offset) {
        String[] levels = Syntax.MQTT.split(topic);
        boolean grows = find(levels) == NONE;
        return new RetainedIndex(set(root, levels, 0, offset), grows ? size + 1 : size);
    }

    RetainedIndex without(String topic) {
        String[] levels = Syntax.MQTT.split(topic);
        return find(levels) == NONE ? this : new RetainedIndex(set(root, levels, 0, NONE), size - 1);
    }

    /** Reports (topic, offset) of every topic that the filter takes (MQTT 5.0, section 4.7). */
    void match(String filter, BiConsumer<String, Long> found) {
        match(root, Syntax.MQTT.split(filter), 0, "", found);
    }

    private static void match(Node node, String[] filter, int at, String topic, BiConsumer<String, Long> found) {
        if (at == filter.length) {
            report(node, topic, found);
            return;
        }
        String level = filter[at];
        if (level.equals("#")) {
            all(node, at, topic, found);
        } else if (level.equals("+")) {
            node.levels.forEach((name, child) -> {
                if (at > 0 || !name.startsWith("$")) {
                    match(child, filter, at + 1, join(topic, name, at), found);
                }
            });
        } else {
            Node child = node.levels.get(level);
            if (child != null) {
                match(child, filter, at + 1, join(topic, level, at), found);
            }
        }
    }

    private static void all(Node node, int at, String topic, BiConsumer<String, Long> found) {
        report(node, topic, found);
        node.levels.forEach((name, child) -> {
            if (at > 0 || !name.startsWith("$")) {
                all(child, at + 1, join(topic, name, at), found);
            }
        });
    }

    private static void report(Node node, String topic, BiConsumer<String, Long> found) {
        if (node.offset != NONE) {
            found.accept(topic, node.offset);
        }
    }

    private static String join(String topic, String level, int at) {
        return at == 0 ? level : topic + '/' + level;
    }

    private long find(String[] levels) {
        @Nullable Node node = root;
        for (String level : levels) {
            node = node.levels.get(level);
            if (node == null) {
                return NONE;
            }
        }
        return node.offset;
    }

    private static Node set(Node node, String[] levels, int at, long offset) {
        if (at == levels.length) {
            return new Node(offset, node.levels);
        }
        Node present = node.levels.get(levels[at]);
        Node child = set(present == null ? new Node(NONE, PersistentMap.empty()) : present, levels, at + 1, offset);
        return new Node(
                node.offset, child.isEmpty() ? node.levels.remove(levels[at]) : node.levels.put(levels[at], child));
    }
}
