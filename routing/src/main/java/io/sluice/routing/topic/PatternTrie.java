package io.sluice.routing.topic;

import java.util.HashSet;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Patterns over words, and the values that stand at each: MQTT topic filters (MQTT 5.0, section 4.7) or AMQP topic patterns
 * (AMQP 0-9-1, section 3.1.3.3). Changes copy one path; the rest is shared. Thread-safe as it never changes.
 *
 * <p>Matching walks literal, one-word and many-word branches side by side. Each (node, position) behind an inner {@code #} is
 * entered once per match, which bounds the time to nodes times words whatever the patterns are. A value may be reported more
 * than once if several patterns of one key match; callers collect into sets.
 */
public final class PatternTrie<V> {
    /** How patterns are written. */
    public enum Syntax {
        /** Levels separated by {@code /}; {@code +} one level, {@code #} the rest; wildcards leave out {@code $} names. */
        MQTT('/', "+"),
        /** Words separated by {@code .}; {@code *} one word, {@code #} any number of words anywhere. */
        AMQP('.', "*");

        private final char separator;
        private final String one;

        Syntax(char separator, String one) {
            this.separator = separator;
            this.one = one;
        }

        /** Takes a name or pattern apart. */
        public String[] split(String name) {
            return Words.split(name, separator);
        }
    }

    private static final String MANY = "#";

    private final Syntax syntax;
    private final Node<V> root;
    private final int size;

    private PatternTrie(Syntax syntax, Node<V> root, int size) {
        this.syntax = syntax;
        this.root = root;
        this.size = size;
    }

    /** A trie without patterns. */
    public static <V> PatternTrie<V> empty(Syntax syntax) {
        return new PatternTrie<>(syntax, Node.empty(), 0);
    }

    /** Number of (pattern, id) pairs. */
    public int size() {
        return size;
    }

    public boolean isEmpty() {
        return size == 0;
    }

    /** This trie with {@code value} at {@code pattern} under {@code id}; replaces the value of an equal id there. */
    public PatternTrie<V> with(String pattern, Object id, V value) {
        boolean grows = get(pattern, id) == null;
        return new PatternTrie<>(
                syntax, root.with(syntax, syntax.split(pattern), 0, id, value), grows ? size + 1 : size);
    }

    /** This trie without the value of {@code id} at {@code pattern}; itself if there is none. */
    public PatternTrie<V> without(String pattern, Object id) {
        if (get(pattern, id) == null) {
            return this;
        }
        return new PatternTrie<>(syntax, root.without(syntax, syntax.split(pattern), 0, id), size - 1);
    }

    /** The value of {@code id} at {@code pattern}, null if there is none. */
    public @Nullable V get(String pattern, Object id) {
        Node<V> node = root;
        for (String word : syntax.split(pattern)) {
            node = node.child(syntax, word);
            if (node == null) {
                return null;
            }
        }
        return node.values.get(id);
    }

    /** Reports the values of all patterns that match the words of a name (see {@link Syntax#split}). */
    public void match(String[] words, Consumer<? super V> found) {
        if (size == 0) {
            return;
        }
        boolean literalOnly = syntax == Syntax.MQTT && words.length > 0 && words[0].startsWith("$");
        if (literalOnly) {
            Node<V> first = root.words.get(words[0]);
            if (first != null) {
                new Match<V>(words, found).enter(first, 1);
            }
            return;
        }
        new Match<V>(words, found).enter(root, 0);
    }

    private static final class Match<V> {
        private final String[] words;
        private final Consumer<? super V> found;
        private @Nullable Set<Visit> visited;

        Match(String[] words, Consumer<? super V> found) {
            this.words = words;
            this.found = found;
        }

        void enter(Node<V> node, int at) {
            Node<V> many = node.many;
            if (many != null) {
                if (many.isLeaf()) {
                    report(many);
                } else {
                    skipAnyNumber(many, at);
                }
            }
            if (at == words.length) {
                report(node);
                return;
            }
            Node<V> literal = node.words.get(words[at]);
            if (literal != null) {
                enter(literal, at + 1);
            }
            if (node.one != null) {
                enter(node.one, at + 1);
            }
        }

        private void skipAnyNumber(Node<V> many, int from) {
            if (visited == null) {
                visited = new HashSet<>();
            }
            for (int at = from; at <= words.length; at++) {
                if (!visited.add(new Visit(many, at))) {
                    return; // this position and all after it were entered before
                }
                enter(many, at);
            }
        }

        private void report(Node<V> node) {
            node.values.forEach((id, value) -> found.accept(value));
        }
    }

    private record Visit(Node<?> node, int at) {
        @Override
        public boolean equals(Object o) {
            return o instanceof Visit other && other.node == node && other.at == at;
        }

        @Override
        public int hashCode() {
            return System.identityHashCode(node) * 31 + at;
        }
    }

    private static final class Node<V> {
        private static final Node<?> EMPTY =
                new Node<>(PersistentMap.empty(), null, null, PersistentMap.<Object, Object>empty());

        final PersistentMap<String, Node<V>> words;
        final @Nullable Node<V> one;
        final @Nullable Node<V> many;
        final PersistentMap<Object, V> values;

        Node(
                PersistentMap<String, Node<V>> words,
                @Nullable Node<V> one,
                @Nullable Node<V> many,
                PersistentMap<Object, V> values) {
            this.words = words;
            this.one = one;
            this.many = many;
            this.values = values;
        }

        @SuppressWarnings("unchecked") // holds nothing
        static <V> Node<V> empty() {
            return (Node<V>) EMPTY;
        }

        boolean isLeaf() {
            return words.isEmpty() && one == null && many == null;
        }

        boolean isEmpty() {
            return isLeaf() && values.isEmpty();
        }

        @Nullable
        Node<V> child(Syntax syntax, String word) {
            return word.equals(MANY) ? many : word.equals(syntax.one) ? one : words.get(word);
        }

        Node<V> withChild(Syntax syntax, String word, Node<V> child) {
            @Nullable Node<V> kept = child.isEmpty() ? null : child;
            if (word.equals(MANY)) {
                return new Node<>(words, one, kept, values);
            }
            if (word.equals(syntax.one)) {
                return new Node<>(words, kept, many, values);
            }
            return new Node<>(kept == null ? words.remove(word) : words.put(word, kept), one, many, values);
        }

        Node<V> with(Syntax syntax, String[] path, int at, Object id, V value) {
            if (at == path.length) {
                return new Node<>(words, one, many, values.put(id, value));
            }
            Node<V> child = child(syntax, path[at]);
            Node<V> base = child == null ? Node.<V>empty() : child;
            return withChild(syntax, path[at], base.with(syntax, path, at + 1, id, value));
        }

        Node<V> without(Syntax syntax, String[] path, int at, Object id) {
            if (at == path.length) {
                return new Node<>(words, one, many, values.remove(id));
            }
            Node<V> child = child(syntax, path[at]);
            return child == null ? this : withChild(syntax, path[at], child.without(syntax, path, at + 1, id));
        }
    }
}
