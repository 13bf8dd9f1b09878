package io.sluice.server.tour;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Shows a newcomer what the broker does, with real clients: one reading from each protocol reaches consumers of all three, one
 * is rejected into a dead-letter queue, the broker is killed with messages waiting, and after its restart nothing confirmed is
 * missing. Every step is checked.
 */
public final class Tour {
    private static final long ARRIVAL_SECONDS = 15;
    private static final String EXCHANGE = "amq.topic";
    private static final String QUEUE = "readings";
    private static final String DEAD = "readings-rejected";
    private static final String TELEMETRY = "telemetry";
    private static final String COMMANDS = "commands";
    private static final String SPOILED = "not a number";
    private static final int BACKLOG_PER_PROTOCOL = 20;

    private final PrintWriter out;
    private int step;

    public Tour(PrintWriter out) {
        this.out = out;
    }

    /**
     * Runs the tour in a new temporary directory, which is removed if all went well.
     *
     * @throws TourFailedException with the first thing that did not happen
     */
    public void run() throws TourFailedException {
        Path directory = directory();
        try (TourBroker broker = new TourBroker(directory)) {
            run(broker, directory);
        }
        try {
            TourBroker.delete(directory);
        } catch (IOException e) {
            throw new TourFailedException("The temporary directory " + directory + " cannot be removed.", e);
        }
        say("");
        say("All of it happened. Start your own broker with: sluice");
    }

    private static Path directory() throws TourFailedException {
        try {
            return Files.createTempDirectory("sluice-tour");
        } catch (IOException e) {
            throw new TourFailedException("There is no room for a temporary directory: " + e.getMessage() + ".", e);
        }
    }

    private void run(TourBroker broker, Path directory) throws TourFailedException {
        step("A broker starts in " + directory);
        long millis = broker.start();
        say("   ready after " + millis + " ms: MQTT on port " + broker.mqttPort() + ", AMQP on " + broker.amqpPort()
                + ", Kafka on " + broker.kafkaPort());

        List<Reading> backlog;
        try (MqttPeer mqtt = new MqttPeer(broker.mqttPort(), "tour-dashboard");
                AmqpPeer amqp = new AmqpPeer(broker.amqpPort())) {
            consumers(broker, mqtt, amqp);
            try (KafkaPeer kafka = new KafkaPeer(broker.kafkaPort(), TELEMETRY, "tour-analytics")) {
                String consumer = amqp.consume(
                        QUEUE,
                        reading -> reading.value().equals(SPOILED) ? AmqpPeer.Verdict.REJECT : AmqpPeer.Verdict.ACK);
                eachToAll(mqtt, amqp, kafka);
                reject(mqtt, amqp);
                amqp.cancel(consumer);
                backlog = publishBacklog(mqtt, amqp, kafka);
                step("The broker is killed (kill -9 " + broker.pid() + ") with those messages waiting");
                broker.kill();
            }
        }
        long again = broker.start();
        say("   started again, ready after " + again + " ms");
        afterRestart(broker, backlog);
        step("The broker is asked to stop (SIGTERM)");
        broker.stop();
        say("   stopped cleanly");
    }

    private void consumers(TourBroker broker, MqttPeer mqtt, AmqpPeer amqp) throws TourFailedException {
        step("Consumers of three protocols ask for sensors/+/temp");
        mqtt.subscribe("sensors/+/temp");
        say("   MQTT    a session subscribes to sensors/+/temp");
        amqp.declareQueue(DEAD, null);
        amqp.declareQueue(QUEUE, DEAD);
        amqp.bind(QUEUE, EXCHANGE, "sensors.*.temp");
        say("   AMQP    queue '" + QUEUE + "' is bound to " + EXCHANGE + " with sensors.*.temp");
        broker.addRoute("mqtt:sensors/+/temp", "stream:" + TELEMETRY);
        say("   Kafka   route mqtt:sensors/+/temp -> stream:" + TELEMETRY + "; a consumer group reads topic '"
                + TELEMETRY + "'");
        broker.addRoute("stream:" + COMMANDS, "exchange:" + EXCHANGE);
        say("           route stream:" + COMMANDS + " -> exchange:" + EXCHANGE
                + ", so that Kafka producers reach everyone too");
    }

    private void eachToAll(MqttPeer mqtt, AmqpPeer amqp, KafkaPeer kafka) throws TourFailedException {
        step("One reading from each protocol reaches consumers of all three");
        Reading fromMqtt = new Reading("sensors/7/temp", "21.5");
        mqtt.publish(fromMqtt);
        arrived("MQTT  publishes " + fromMqtt + " (QoS 1)", List.of(fromMqtt), mqtt, amqp, kafka);
        Reading fromAmqp = new Reading("sensors/8/temp", "22.5");
        amqp.publish(EXCHANGE, fromAmqp);
        arrived("AMQP  publishes " + fromAmqp + " (persistent, confirmed)", List.of(fromAmqp), mqtt, amqp, kafka);
        Reading fromKafka = new Reading("sensors/9/temp", "23.5");
        long offset = kafka.publish(COMMANDS, fromKafka);
        arrived(
                "Kafka produces  " + fromKafka + " (acks=all, offset " + offset + " of '" + COMMANDS + "')",
                List.of(fromKafka),
                mqtt,
                amqp,
                kafka);
    }

    private void arrived(String what, List<Reading> readings, MqttPeer mqtt, AmqpPeer amqp, KafkaPeer kafka)
            throws TourFailedException {
        say("   " + what);
        mqtt.mailbox.await(readings, ARRIVAL_SECONDS);
        amqp.mailbox.await(readings, ARRIVAL_SECONDS);
        kafka.mailbox.await(readings, ARRIVAL_SECONDS);
        say("         -> MQTT subscriber, AMQP consumer and Kafka consumer have it");
    }

    private void reject(MqttPeer mqtt, AmqpPeer amqp) throws TourFailedException {
        step("The AMQP consumer rejects a spoiled reading");
        Reading spoiled = new Reading("sensors/7/temp", SPOILED);
        mqtt.publish(spoiled);
        amqp.mailbox.await(List.of(spoiled), ARRIVAL_SECONDS);
        expectDead(amqp);
        say("   MQTT publishes " + spoiled + "; AMQP rejects it; it is now in queue '" + DEAD + "', reason: rejected");
    }

    private static void expectDead(AmqpPeer amqp) throws TourFailedException {
        long deadline = System.nanoTime() + ARRIVAL_SECONDS * 1_000_000_000L;
        AmqpPeer.@Nullable Peeked dead = amqp.peek(DEAD);
        while (dead == null && System.nanoTime() < deadline) {
            dead = amqp.peek(DEAD);
        }
        if (dead == null || !dead.value().equals(SPOILED)) {
            throw new TourFailedException("Queue '" + DEAD + "' does not hold the rejected reading.");
        }
        if (!dead.reason().equals("rejected")) {
            throw new TourFailedException(
                    "The dead letter gives '" + dead.reason() + "' as its reason, not 'rejected'.");
        }
    }

    private List<Reading> publishBacklog(MqttPeer mqtt, AmqpPeer amqp, KafkaPeer kafka) throws TourFailedException {
        step("Nobody consumes queue '" + QUEUE + "' for a while, and publishers go on");
        List<Reading> backlog = new ArrayList<>();
        for (int i = 0; i < BACKLOG_PER_PROTOCOL; i++) {
            Reading fromMqtt = new Reading("sensors/" + (100 + i) + "/temp", "mqtt-" + i);
            mqtt.publish(fromMqtt);
            Reading fromAmqp = new Reading("sensors/" + (200 + i) + "/temp", "amqp-" + i);
            amqp.publish(EXCHANGE, fromAmqp);
            Reading fromKafka = new Reading("sensors/" + (300 + i) + "/temp", "kafka-" + i);
            kafka.publish(COMMANDS, fromKafka);
            backlog.addAll(List.of(fromMqtt, fromAmqp, fromKafka));
        }
        say("   " + BACKLOG_PER_PROTOCOL + " readings from each protocol, every one confirmed to its publisher");
        return backlog;
    }

    private void afterRestart(TourBroker broker, List<Reading> backlog) throws TourFailedException {
        step("After the restart every confirmed message is there");
        try (AmqpPeer amqp = new AmqpPeer(broker.amqpPort())) {
            amqp.consume(QUEUE, reading -> AmqpPeer.Verdict.ACK);
            amqp.mailbox.await(backlog, ARRIVAL_SECONDS);
            say("   AMQP    queue '" + QUEUE + "' delivers all " + backlog.size());
            expectDead(amqp);
            say("   AMQP    queue '" + DEAD + "' still holds the rejected reading");
        }
        try (KafkaPeer kafka = new KafkaPeer(broker.kafkaPort(), TELEMETRY, "tour-audit")) {
            kafka.mailbox.await(backlog, ARRIVAL_SECONDS);
            say("   Kafka   a new group reads topic '" + TELEMETRY + "' from its beginning and finds all "
                    + backlog.size());
        }
        try (MqttPeer mqtt = new MqttPeer(broker.mqttPort(), "tour-dashboard")) {
            Reading later = new Reading("sensors/7/temp", "24.5");
            mqtt.publish(later);
            mqtt.mailbox.await(List.of(later), ARRIVAL_SECONDS);
            say("   MQTT    the session of before comes back with its subscription: " + later + " arrives");
        }
    }

    private void step(String title) {
        step++;
        say("");
        say(step + ". " + title);
    }

    private void say(String line) {
        out.println(line);
        out.flush();
    }
}
