package io.sluice.bench;

import java.util.Random;
import java.util.function.IntFunction;

/** Up to 1,024 of the names 0 to n, drawn at random once and handed out in turn, so that no two lookups take the same path. */
final class Keys {
    private static final int MOST = 1_024;

    private String[] names = {};
    private int next;

    void fill(int n, IntFunction<String> name) {
        Random random = new Random(11);
        names = new String[Math.min(n, MOST)];
        for (int i = 0; i < names.length; i++) {
            names[i] = name.apply(n <= MOST ? i : random.nextInt(n));
        }
        next = 0;
    }

    String next() {
        next = next + 1 < names.length ? next + 1 : 0;
        return names[next];
    }
}
