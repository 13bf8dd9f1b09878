package io.sluice.routing.topic;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PersistentMapTest {
    /** Few distinct hashes, so that collisions and deep splits are common. */
    private record Key(int id) {
        @Override
        public int hashCode() {
            return (id % 7) << (id % 3 * 13);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void agreesWithHashMapAndKeepsOldVersions(long seed) {
        Random random = new Random(seed);
        PersistentMap<Key, Integer> map = PersistentMap.empty();
        Map<Key, Integer> model = new HashMap<>();
        PersistentMap<Key, Integer> old = map;
        Map<Key, Integer> oldModel = Map.of();
        for (int i = 0; i < 20_000; i++) {
            Key key = new Key(random.nextInt(200));
            if (random.nextBoolean()) {
                map = map.put(key, i);
                model.put(key, i);
            } else {
                map = map.remove(key);
                model.remove(key);
            }
            assertThat(map.get(key)).isEqualTo(model.get(key));
            assertThat(map.size()).isEqualTo(model.size());
            if (i % 500 == 0) {
                assertThat(asMap(map)).isEqualTo(model);
                assertThat(asMap(old)).isEqualTo(oldModel);
                old = map;
                oldModel = new HashMap<>(model);
            }
        }
    }

    private static Map<Key, Integer> asMap(PersistentMap<Key, Integer> map) {
        Map<Key, Integer> copy = new HashMap<>();
        map.forEach(copy::put);
        return copy;
    }
}
