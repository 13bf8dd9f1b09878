package io.sluice.server.it;

import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt3.Mqtt3AsyncClient;
import com.hivemq.client.mqtt.mqtt3.Mqtt3Client;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/** One QoS 1 publisher and one persistent session that subscribes to it, until the connections die. */
final class MqttLoad implements Load {
    private static final String TOPIC = "crash/mqtt";
    private static final int WINDOW = 32;

    private final Ledger ledger;
    private final Mqtt3AsyncClient subscriber;
    private final Mqtt3AsyncClient sender;
    private final Thread publisher;
    private final Semaphore window = new Semaphore(WINDOW);
    private volatile boolean publishing;

    MqttLoad(BrokerProcess broker, Ledger ledger, Ledger.Reader reader, boolean publish) {
        this.ledger = ledger;
        this.publishing = publish;
        subscriber = client(broker, "crash-subscriber");
        subscriber.publishes(MqttGlobalPublishFilter.ALL, message -> reader.deliver(message.getPayloadAsBytes()));
        subscriber.connectWith().cleanSession(false).send().join();
        subscriber
                .subscribeWith()
                .topicFilter("crash/#")
                .qos(MqttQos.AT_LEAST_ONCE)
                .send()
                .join();
        sender = client(broker, "crash-publisher");
        sender.connect().join();
        publisher = new Thread(this::publish, "mqtt-publisher");
        publisher.setDaemon(true);
        publisher.start();
    }

    @Override
    public void stopPublishing() throws InterruptedException {
        publishing = false;
        publisher.join();
    }

    @Override
    public void close() throws Exception {
        stopPublishing();
        disconnect(sender);
        disconnect(subscriber);
    }

    private static Mqtt3AsyncClient client(BrokerProcess broker, String id) {
        return Mqtt3Client.builder()
                .identifier(id)
                .serverHost("127.0.0.1")
                .serverPort(broker.mqttPort())
                .buildAsync();
    }

    private static void disconnect(Mqtt3AsyncClient client) {
        try {
            client.disconnect().join();
        } catch (CompletionException e) {
            // already gone with the broker
        }
    }

    private void publish() {
        try {
            while (publishing && sender.getState().isConnected()) {
                if (!window.tryAcquire(100, TimeUnit.MILLISECONDS)) {
                    continue;
                }
                int id = ledger.send();
                sender.publishWith()
                        .topic(TOPIC)
                        .qos(MqttQos.AT_LEAST_ONCE)
                        .payload(ledger.payload(id))
                        .send()
                        .whenComplete((sent, error) -> {
                            if (error == null) {
                                ledger.confirm(id);
                            }
                            window.release();
                        });
            }
            if (sender.getState().isConnected() && !window.tryAcquire(WINDOW, 30, TimeUnit.SECONDS)) {
                ledger.mark("publisher ended with " + window.availablePermits() + " of " + WINDOW + " confirmed");
            }
        } catch (InterruptedException e) {
            ledger.mark("publisher ended: " + e);
        }
    }
}
