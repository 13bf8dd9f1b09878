package io.sluice.server.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.awaitility.core.ConditionTimeoutException;

/**
 * Rounds of load of three protocols that a crash ends at a random moment. Checked at the end: every confirmed message was
 * delivered, nothing was delivered that was not sent, first deliveries kept their order, and an idempotent producer's messages
 * stand in the log once.
 */
final class CrashCampaign {
    private static final Duration LIMIT = Duration.ofSeconds(120);
    private static final Duration DRAIN_LIMIT = Duration.ofSeconds(60);

    private final BrokerProcess broker;
    private final Crash crash;
    private final Random random;
    private final Ledger amqp;
    private final Ledger mqtt;
    private final Ledger stream;
    private final Ledger.Reader queue;
    private final Ledger.Reader session;
    private final Ledger.Reader group;
    private final Ledger.Reader log;

    /** Brings the broker down without a stop; it is not running afterwards. */
    interface Crash {
        void strike(BrokerProcess broker) throws Exception;
    }

    /**
     * @param events directory for the ledgers' files
     */
    CrashCampaign(BrokerProcess broker, Crash crash, long seed, Path events) throws IOException {
        this.broker = broker;
        this.crash = crash;
        this.random = new Random(seed);
        amqp = new Ledger(events, "amqp");
        mqtt = new Ledger(events, "mqtt");
        stream = new Ledger(events, "native");
        queue = amqp.reader("queue");
        session = mqtt.reader("session");
        group = stream.reader("group");
        log = stream.reader("log");
    }

    void run(int rounds) throws Exception {
        for (int round = 0; round < rounds; round++) {
            round(round);
        }
        drain();
        AmqpLoad.readKept(broker, amqp.reader("kept"));
        KafkaLoad.readAll(broker, log);
    }

    private void round(int round) throws Exception {
        List<Ledger> ledgers = List.of(amqp, mqtt, stream);
        int[] before = ledgers.stream().mapToInt(Ledger::confirmedCount).toArray();
        // the native load goes on over the crash: its producer tries again what was not confirmed
        try (Load surviving = new KafkaLoad(broker, stream, group, true)) {
            try (Load first = new AmqpLoad(broker, amqp, queue, true);
                    Load second = new MqttLoad(broker, mqtt, session, true)) {
                await("confirms over each protocol in round " + round)
                        .atMost(LIMIT)
                        .pollInterval(Duration.ofMillis(5))
                        .until(() -> amqp.confirmedCount() > before[0]
                                && mqtt.confirmedCount() > before[1]
                                && stream.confirmedCount() > before[2]);
                LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(random.nextInt(1_500_000)));
                crash.strike(broker);
                ledgers.forEach(l -> l.mark("crash " + round));
            }
            if (random.nextInt(4) == 0) {
                broker.startAndKill(random.nextInt(3_000));
            }
            broker.start();
        }
        System.out.println("round " + round + " | " + amqp + " | " + mqtt + " | " + stream);
    }

    private void drain() throws Exception {
        try (Load first = new AmqpLoad(broker, amqp, queue, false);
                Load second = new MqttLoad(broker, mqtt, session, false);
                Load third = new KafkaLoad(broker, stream, group, false)) {
            await("drained")
                    .atMost(DRAIN_LIMIT)
                    .until(() -> queue.isComplete() && session.isComplete() && group.isComplete());
        } catch (ConditionTimeoutException e) {
            // the check says what is missing
        }
        System.out.println(amqp + "\n" + mqtt + "\n" + stream);
    }

    void check() throws IOException {
        for (Ledger ledger : List.of(amqp, mqtt, stream)) {
            ledger.check();
            ledger.close();
        }
        assertThat(log.repeatedCount()).as("idempotent producer: no copy twice").isZero();
    }

    /** Most deliveries of the queue that may come again: what its consumer held at each crash, and what it gave back. */
    void checkRedeliveries(int crashes) {
        assertThat(queue.repeatedCount())
                .as("redeliveries of the AMQP queue")
                .isLessThanOrEqualTo((crashes + 1) * AmqpLoad.PREFETCH + queue.deliveredCount() / 20 + crashes);
    }
}
