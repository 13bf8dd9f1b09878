package io.sluice.routing.topic;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.routing.topic.PatternTrie.Syntax;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PatternTrieTest {
    /** Rows of MQTT 5.0, section 4.7.1 and 4.7.2, and their neighbours. */
    @ParameterizedTest
    @CsvSource({
        "sport/tennis/player1/#, sport/tennis/player1, true",
        "sport/tennis/player1/#, sport/tennis/player1/ranking, true",
        "sport/tennis/player1/#, sport/tennis/player1/score/wimbledon, true",
        "sport/#, sport, true",
        "sport/#, sports, false",
        "#, a, true",
        "#, /, true",
        "#, a/b/c, true",
        "sport/tennis/+, sport/tennis/player1, true",
        "sport/tennis/+, sport/tennis/player1/ranking, false",
        "sport/+, sport, false",
        "sport/+, sport/, true",
        "+/+, /finance, true",
        "/+, /finance, true",
        "+, /finance, false",
        "+/tennis/#, sport/tennis, true",
        "+/tennis/#, sport/golf, false",
        "#, $SYS/uptime, false",
        "+/monitor/Clients, $SYS/monitor/Clients, false",
        "$SYS/#, $SYS/monitor/Clients, true",
        "$SYS/monitor/+, $SYS/monitor/Clients, true",
        "a/$b, a/$b, true",
        "a/+, a/$b, true",
        "a/b, a/b, true",
        "a/b, a/B, false",
        "a/b, a/b/, false",
        "a//b, a//b, true",
        "a/+/b, a//b, true",
        "a/*, a/b, false",
        "a/*, a/*, true"
    })
    void mqtt(String filter, String topic, boolean expected) {
        assertThat(matches(Syntax.MQTT, filter, topic)).isEqualTo(expected);
        assertThat(TopicFilters.matches(filter, topic)).isEqualTo(expected);
    }

    /** AMQP 0-9-1, section 3.1.3.3. */
    @ParameterizedTest
    @CsvSource({
        "*.stock.#, usd.stock, true",
        "*.stock.#, eur.stock.db, true",
        "*.stock.#, stock.nasdaq, false",
        "#, '', true",
        "#, a.b.c, true",
        "'', '', true",
        "'', a, false",
        "*, '', false",
        "*, a, true",
        "*, a.b, false",
        "*.*, a.b, true",
        "#.b, b, true",
        "#.b, a.a.b, true",
        "#.b, a.b.c, false",
        "a.#.b, a.b, true",
        "a.#.b, a.x.y.b, true",
        "a.#.b, a.x.y, false",
        "#.#, a, true",
        "#.a.#, x.a.y, true",
        "*.#, '', false",
        "*.#, a, true",
        "a..b, a..b, true",
        "a.*.b, a..b, true",
        "a.+, a.b, false",
        "#, $x, true"
    })
    void amqp(String pattern, String key, boolean expected) {
        assertThat(matches(Syntax.AMQP, pattern, key)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(longs = {11, 12, 13})
    void agreesWithANaiveModelThroughChanges(long seed) {
        Random random = new Random(seed);
        for (Syntax syntax : Syntax.values()) {
            PatternTrie<String> trie = PatternTrie.empty(syntax);
            Map<String, String> model = new HashMap<>();
            for (int step = 0; step < 3_000; step++) {
                String pattern = pattern(random, syntax);
                String id = "s" + random.nextInt(3);
                String value = pattern + "@" + id;
                if (random.nextInt(3) > 0) {
                    trie = trie.with(pattern, id, value);
                    model.put(value, pattern);
                } else {
                    trie = trie.without(pattern, id);
                    model.remove(value);
                }
                assertThat(trie.size()).isEqualTo(model.size());
                String name = name(random, syntax);
                TreeSet<String> expected = new TreeSet<>();
                model.forEach((v, p) -> {
                    if (naive(syntax, syntax.split(p), 0, syntax.split(name), 0)) {
                        expected.add(v);
                    }
                });
                TreeSet<String> found = new TreeSet<>();
                trie.match(syntax.split(name), found::add);
                assertThat(found).as("seed %d %s name %s", seed, syntax, name).isEqualTo(expected);
            }
            for (Map.Entry<String, String> entry : model.entrySet()) {
                trie = trie.without(
                        entry.getValue(),
                        entry.getKey().substring(entry.getKey().indexOf('@') + 1));
            }
            assertThat(trie.isEmpty()).isTrue();
        }
    }

    @Test
    void manyInnerHashesStayCheap() {
        String pattern = "#.a".repeat(40).substring(0, 119);
        PatternTrie<String> trie = PatternTrie.<String>empty(Syntax.AMQP).with(pattern + ".z", "q", "q");
        String[] words = Syntax.AMQP.split("a.".repeat(120) + "b");
        List<String> found = new ArrayList<>();
        Assertions.assertTimeoutPreemptively(Duration.ofSeconds(5), () -> trie.match(words, found::add));
        assertThat(found).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "a/b, true, true", "+, false, true", "a/#, false, true", "a#, false, false", "a/#/b, false, false",
        "a+/b, false, false", "a/+b, false, false", "+/+/#, false, true", "'', false, false", "/, true, true"
    })
    void validity(String name, boolean validName, boolean validFilter) {
        assertThat(TopicFilters.isValidName(name)).isEqualTo(validName);
        assertThat(TopicFilters.isValidFilter(name)).isEqualTo(validFilter);
    }

    @Test
    void lengthIsCountedInBytes() {
        assertThat(TopicFilters.isValidName("a".repeat(65_535))).isTrue();
        assertThat(TopicFilters.isValidName("a".repeat(65_536))).isFalse();
        assertThat(TopicFilters.isValidName("é".repeat(32_767))).isTrue();
        assertThat(TopicFilters.isValidName("é".repeat(32_768))).isFalse();
    }

    private static boolean matches(Syntax syntax, String pattern, String name) {
        List<String> found = new ArrayList<>();
        PatternTrie.<String>empty(syntax).with(pattern, "id", "v").match(syntax.split(name), found::add);
        return !found.isEmpty();
    }

    private static boolean naive(Syntax syntax, String[] p, int i, String[] n, int j) {
        String one = syntax == Syntax.MQTT ? "+" : "*";
        if (syntax == Syntax.MQTT
                && i == 0
                && n.length > 0
                && n[0].startsWith("$")
                && (p[0].equals("#") || p[0].equals(one))) {
            return false;
        }
        if (i == p.length) {
            return j == n.length;
        }
        if (p[i].equals("#")) {
            return naive(syntax, p, i + 1, n, j) || j < n.length && naive(syntax, p, i, n, j + 1);
        }
        return j < n.length && (p[i].equals(one) || p[i].equals(n[j])) && naive(syntax, p, i + 1, n, j + 1);
    }

    private static String pattern(Random random, Syntax syntax) {
        int words = 1 + random.nextInt(4);
        String[] out = new String[words];
        for (int i = 0; i < words; i++) {
            int pick = random.nextInt(6);
            boolean hashAllowed = syntax == Syntax.AMQP || i == words - 1;
            out[i] = pick == 0 && hashAllowed ? "#" : pick == 1 ? (syntax == Syntax.MQTT ? "+" : "*") : word(random);
        }
        return String.join(syntax == Syntax.MQTT ? "/" : ".", out);
    }

    private static String name(Random random, Syntax syntax) {
        String[] out = new String[1 + random.nextInt(5)];
        for (int i = 0; i < out.length; i++) {
            out[i] = word(random);
        }
        return String.join(syntax == Syntax.MQTT ? "/" : ".", out);
    }

    private static String word(Random random) {
        return new String[] {"a", "b", "$c", "d"}[random.nextInt(4)];
    }
}
