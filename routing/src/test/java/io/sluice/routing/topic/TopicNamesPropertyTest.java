package io.sluice.routing.topic;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TopicNamesPropertyTest {
    private static final String[] PIECES = {
        "/", ".", "%", "2", "5", "E", "F", "B", "3", "0", "a", "*", "25", "%2E", "%25", "é"
    };
    private static final String[] KEY_ONLY = {"+", "#", "\0"};

    @ParameterizedTest
    @CsvSource({
        "sensors/7/temp, sensors.7.temp",
        "a.b/c, a%2Eb.c",
        "a%2Fb, a/b",
        "a%2Bb, a+b",
        "a%23b, a#b",
        "a%2Eb, a%252Eb",
        "a%252Fb, a%2Fb",
        "/a//b/, .a..b.",
        "100%, 100%",
        "a%41, a%41",
        "a/*/b, a.*.b",
        "%25%2E, %25%252E"
    })
    void mapsBothWays(String topic, String key) {
        assertThat(TopicNames.keyOfTopic(topic)).isEqualTo(key);
        assertThat(TopicNames.topicOfKey(key)).isEqualTo(topic);
    }

    @Test
    void nulOfAKeyIsEscaped() {
        assertThat(TopicNames.topicOfKey("a\0b")).isEqualTo("a%00b");
        assertThat(TopicNames.keyOfTopic("a%00b")).isEqualTo("a\0b");
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void isABijection(long seed) {
        Random random = new Random(seed);
        Map<String, String> topicOf = new HashMap<>();
        for (int i = 0; i < 50_000; i++) {
            String topic = name(random, false);
            assertThat(TopicNames.topicOfKey(TopicNames.keyOfTopic(topic)))
                    .as("seed %d topic %s", seed, topic)
                    .isEqualTo(topic);
            String key = name(random, true);
            String mapped = TopicNames.topicOfKey(key);
            assertThat(TopicNames.keyOfTopic(mapped))
                    .as("seed %d key %s", seed, key)
                    .isEqualTo(key);
            assertThat(mapped).doesNotContain("+", "#", "\0");
            String other = topicOf.putIfAbsent(mapped, key);
            assertThat(other == null || other.equals(key))
                    .as("two keys for %s", mapped)
                    .isTrue();
        }
    }

    @Test
    void filterBecomesPattern() {
        assertThat(TopicNames.bindingPatternOfFilter("sensors/+/temp")).isEqualTo("sensors.*.temp");
        assertThat(TopicNames.bindingPatternOfFilter("#")).isEqualTo("#");
        assertThat(TopicNames.bindingPatternOfFilter("a.b/#")).isEqualTo("a%2Eb.#");
        assertThat(TopicNames.bindingPatternOfFilter("/+")).isEqualTo(".*");
    }

    private static String name(Random random, boolean key) {
        StringBuilder name = new StringBuilder();
        int pieces = random.nextInt(8);
        for (int i = 0; i < pieces; i++) {
            int pick = random.nextInt(PIECES.length + (key ? KEY_ONLY.length : 0));
            name.append(pick < PIECES.length ? PIECES[pick] : KEY_ONLY[pick - PIECES.length]);
        }
        return name.toString();
    }
}
