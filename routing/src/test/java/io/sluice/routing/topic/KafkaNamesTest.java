package io.sluice.routing.topic;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KafkaNamesTest {
    @ParameterizedTest
    @CsvSource({
        "orders, orders",
        "a b, a_20b",
        "a/b_20, a_2Fb_5F20",
        "a:_2, a_3A_2",
        "é, _C3_A9",
        "., _2E",
        ".., _2E_2E",
        "a_/, a__2F",
    })
    void topicNamesAreAsWritten(String stream, String topic) {
        assertThat(KafkaNames.topicOf(stream)).isEqualTo(topic);
        assertThat(KafkaNames.escapedStream(topic)).isEqualTo(stream.equals(topic) ? null : stream);
    }

    @Test
    void aLegalNameThatReadsLikeAnEscapeIsItsOwn() {
        assertThat(KafkaNames.topicOf("orders_2024")).isEqualTo("orders_2024");
        // which is why the catalog lets only one of the two exist
        assertThat(KafkaNames.escapedStream("orders_2024")).isEqualTo("orders 24");
    }

    @ParameterizedTest
    @CsvSource({"a_5Fb", "a_61", "_C3", "_2Ex", "plain", "a_2f"})
    void otherTopicNamesStandForNothingElse(String topic) {
        String stream = KafkaNames.escapedStream(topic);
        assertThat(stream).isNull();
    }

    @Test
    void namesThatWouldBeTooLongHaveNone() {
        assertThat(KafkaNames.topicOf("x".repeat(249))).hasSize(249);
        assertThat(KafkaNames.topicOf("x".repeat(250))).isNull();
        assertThat(KafkaNames.topicOf(" ".repeat(84))).isNull();
    }

    @Test
    void illegalNamesNeverMeetAndComeBack() {
        Random random = new Random(7);
        Map<String, String> byTopic = new HashMap<>();
        String alphabet = "_2F0/ é.Aa";
        for (int i = 0; i < 20_000; i++) {
            StringBuilder name = new StringBuilder();
            for (int j = random.nextInt(7); j >= 0; j--) {
                name.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            String stream = name.toString();
            if (KafkaNames.isLegal(stream)) {
                continue;
            }
            String topic = KafkaNames.topicOf(stream);
            assertThat(KafkaNames.isLegal(topic)).as(topic).isTrue();
            assertThat(KafkaNames.escapedStream(topic)).isEqualTo(stream);
            String other = byTopic.put(topic, stream);
            assertThat(other == null || other.equals(stream)).isTrue();
        }
    }
}
