package io.sluice.routing.topic;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * An immutable hash map whose changes share all but one path with the original: a hash array mapped trie (Bagwell, "Ideal Hash
 * Trees", 2001). {@link #put} and {@link #remove} take O(log32 n) time and memory, so that a table of 100,000 names can be
 * replaced for every change. Iteration order is by hash. Thread-safe as it never changes.
 */
public final class PersistentMap<K, V> {
    private static final int BITS = 5;
    private static final int MASK = (1 << BITS) - 1;
    private static final PersistentMap<?, ?> EMPTY = new PersistentMap<>(null, 0);

    private final @Nullable Node<K, V> root;
    private final int size;

    private PersistentMap(@Nullable Node<K, V> root, int size) {
        this.root = root;
        this.size = size;
    }

    /** The map without entries. */
    @SuppressWarnings("unchecked") // holds nothing
    public static <K, V> PersistentMap<K, V> empty() {
        return (PersistentMap<K, V>) EMPTY;
    }

    public int size() {
        return size;
    }

    public boolean isEmpty() {
        return size == 0;
    }

    /** The value of {@code key}, null if there is none. */
    public @Nullable V get(K key) {
        int hash = spread(key);
        Node<K, V> node = root;
        int shift = 0;
        while (node instanceof Branch<K, V> branch) {
            int bit = 1 << ((hash >>> shift) & MASK);
            if ((branch.bitmap & bit) == 0) {
                return null;
            }
            node = branch.child(branch.index(bit));
            shift += BITS;
        }
        for (Leaf<K, V> leaf = (Leaf<K, V>) node; leaf != null; leaf = leaf.next) {
            if (leaf.hash == hash && leaf.key.equals(key)) {
                return leaf.value;
            }
        }
        return null;
    }

    public boolean containsKey(K key) {
        return get(key) != null;
    }

    /** This map with {@code key} standing for {@code value}. */
    public PersistentMap<K, V> put(K key, V value) {
        int hash = spread(key);
        boolean grows = get(key) == null;
        Node<K, V> changed = root == null ? new Leaf<>(hash, key, value, null) : put(root, 0, hash, key, value);
        return new PersistentMap<>(changed, grows ? size + 1 : size);
    }

    /** This map without {@code key}; itself if it has none. */
    public PersistentMap<K, V> remove(K key) {
        if (root == null || get(key) == null) {
            return this;
        }
        return size == 1 ? empty() : new PersistentMap<>(remove(root, 0, spread(key), key), size - 1);
    }

    /** Hands over every entry. */
    public void forEach(BiConsumer<? super K, ? super V> action) {
        if (root != null) {
            forEach(root, action);
        }
    }

    /** The values, copied. */
    public List<V> values() {
        List<V> values = new ArrayList<>(size);
        forEach((key, value) -> values.add(value));
        return values;
    }

    /** The keys, copied. */
    public List<K> keys() {
        List<K> keys = new ArrayList<>(size);
        forEach((key, value) -> keys.add(key));
        return keys;
    }

    private static <K, V> Node<K, V> put(Node<K, V> node, int shift, int hash, K key, V value) {
        if (node instanceof Branch<K, V> branch) {
            int bit = 1 << ((hash >>> shift) & MASK);
            int index = branch.index(bit);
            if ((branch.bitmap & bit) == 0) {
                return branch.insert(bit, index, new Leaf<>(hash, key, value, null));
            }
            return branch.replace(index, put(branch.child(index), shift + BITS, hash, key, value));
        }
        Leaf<K, V> leaf = (Leaf<K, V>) node;
        if (leaf.hash == hash) {
            return new Leaf<>(hash, key, value, without(leaf, key));
        }
        int bit = 1 << ((leaf.hash >>> shift) & MASK);
        Branch<K, V> split = new Branch<>(bit, new Object[] {leaf});
        return put(split, shift, hash, key, value);
    }

    private static <K, V> @Nullable Node<K, V> remove(Node<K, V> node, int shift, int hash, K key) {
        if (node instanceof Branch<K, V> branch) {
            int bit = 1 << ((hash >>> shift) & MASK);
            int index = branch.index(bit);
            Node<K, V> left = remove(branch.child(index), shift + BITS, hash, key);
            if (left != null) {
                return left instanceof Leaf && branch.children.length == 1 ? left : branch.replace(index, left);
            }
            if (branch.children.length == 1) {
                return null;
            }
            if (branch.children.length == 2 && branch.child(1 - index) instanceof Leaf<K, V> other) {
                return other;
            }
            return branch.drop(bit, index);
        }
        return without((Leaf<K, V>) node, key);
    }

    /** The chain of colliding leaves without {@code key}. */
    private static <K, V> @Nullable Leaf<K, V> without(Leaf<K, V> chain, K key) {
        Leaf<K, V> kept = null;
        for (Leaf<K, V> leaf = chain; leaf != null; leaf = leaf.next) {
            if (!leaf.key.equals(key)) {
                kept = new Leaf<>(leaf.hash, leaf.key, leaf.value, kept);
            }
        }
        return kept;
    }

    private static <K, V> void forEach(Node<K, V> node, BiConsumer<? super K, ? super V> action) {
        if (node instanceof Branch<K, V> branch) {
            for (int i = 0; i < branch.children.length; i++) {
                forEach(branch.child(i), action);
            }
            return;
        }
        for (Leaf<K, V> leaf = (Leaf<K, V>) node; leaf != null; leaf = leaf.next) {
            action.accept(leaf.key, leaf.value);
        }
    }

    private static int spread(Object key) {
        int h = key.hashCode();
        return h ^ (h >>> 16);
    }

    private sealed interface Node<K, V> {}

    private static final class Leaf<K, V> implements Node<K, V> {
        final int hash;
        final K key;
        final V value;
        final @Nullable Leaf<K, V> next;

        Leaf(int hash, K key, V value, @Nullable Leaf<K, V> next) {
            this.hash = hash;
            this.key = key;
            this.value = value;
            this.next = next;
        }
    }

    private static final class Branch<K, V> implements Node<K, V> {
        final int bitmap;
        final Object[] children;

        Branch(int bitmap, Object[] children) {
            this.bitmap = bitmap;
            this.children = children;
        }

        int index(int bit) {
            return Integer.bitCount(bitmap & (bit - 1));
        }

        @SuppressWarnings("unchecked") // only nodes of this map are stored
        Node<K, V> child(int index) {
            return (Node<K, V>) children[index];
        }

        Branch<K, V> replace(int index, Node<K, V> child) {
            Object[] copy = children.clone();
            copy[index] = child;
            return new Branch<>(bitmap, copy);
        }

        Branch<K, V> insert(int bit, int index, Node<K, V> child) {
            Object[] copy = new Object[children.length + 1];
            System.arraycopy(children, 0, copy, 0, index);
            copy[index] = child;
            System.arraycopy(children, index, copy, index + 1, children.length - index);
            return new Branch<>(bitmap | bit, copy);
        }

        Branch<K, V> drop(int bit, int index) {
            Object[] copy = Arrays.copyOf(children, children.length - 1);
            System.arraycopy(children, index + 1, copy, index, children.length - index - 1);
            return new Branch<>(bitmap & ~bit, copy);
        }
    }
}
