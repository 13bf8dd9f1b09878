package io.sluice.server.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * SIGKILL under mixed load: nothing confirmed is lost, nothing is invented, first deliveries keep their order. {@code
 * -Dcrash.rounds=100} for the long run, {@code -Dcrash.seed=N} to repeat one.
 */
class KillCampaignIT {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @Test
    void confirmedMessagesSurvive(@TempDir Path directory) throws Exception {
        int rounds = Integer.getInteger("crash.rounds", 5);
        long seed = Long.getLong("crash.seed", System.nanoTime());
        System.out.println("kill campaign: " + rounds + " rounds, seed " + seed);
        Random random = new Random(seed);
        Ledger amqp = new Ledger("AMQP queue");
        Ledger mqtt = new Ledger("MQTT persistent session");
        Ledger stream = new Ledger("Kafka topic");
        try (BrokerProcess broker = new BrokerProcess(directory)) {
            for (int round = 0; round < rounds; round++) {
                List<Load> loads = new ArrayList<>();
                try {
                    loads.add(new AmqpLoad(broker, amqp, true));
                    loads.add(new MqttLoad(broker, mqtt, true));
                    loads.add(new KafkaLoad(broker, stream));
                    int more = 50 + random.nextInt(1_000);
                    int[] goals = {
                        amqp.confirmedCount() + more, mqtt.confirmedCount() + more, stream.confirmedCount() + more
                    };
                    await("confirms in round " + round)
                            .atMost(LIMIT)
                            .pollInterval(Duration.ofMillis(5))
                            .until(() -> amqp.confirmedCount() >= goals[0]
                                    && mqtt.confirmedCount() >= goals[1]
                                    && stream.confirmedCount() >= goals[2]);
                    broker.killAndRestart();
                } finally {
                    for (Load load : loads) {
                        load.close();
                    }
                }
            }
            try (Load lastAmqp = new AmqpLoad(broker, amqp, false);
                    Load lastMqtt = new MqttLoad(broker, mqtt, false)) {
                lastAmqp.stopPublishing();
                lastMqtt.stopPublishing();
                await("drained").atMost(LIMIT).until(() -> amqp.complete() && mqtt.complete());
            }
            KafkaLoad.readAll(broker, stream);
        }
        System.out.println(amqp + "\n" + mqtt + "\n" + stream);
        amqp.check();
        mqtt.check();
        stream.check();
        assertThat(stream.repeatedCount())
                .as("idempotent producer: no copy twice")
                .isZero();
    }
}
