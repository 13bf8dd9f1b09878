package io.sluice.server.tour;

import static java.nio.charset.StandardCharsets.UTF_8;

import org.eclipse.paho.mqttv5.client.IMqttToken;
import org.eclipse.paho.mqttv5.client.MqttCallback;
import org.eclipse.paho.mqttv5.client.MqttClient;
import org.eclipse.paho.mqttv5.client.MqttConnectionOptions;
import org.eclipse.paho.mqttv5.client.MqttDisconnectResponse;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.eclipse.paho.mqttv5.common.MqttException;
import org.eclipse.paho.mqttv5.common.MqttMessage;
import org.eclipse.paho.mqttv5.common.packet.MqttProperties;

/** An MQTT 5 client with a session that outlives its connection. */
final class MqttPeer implements AutoCloseable {
    private static final long SESSION_SECONDS = 3600;
    private static final long TIMEOUT_MILLIS = 10_000;

    final Mailbox mailbox = new Mailbox("MQTT");
    private final MqttClient client;

    MqttPeer(int port, String clientId) throws TourFailedException {
        try {
            client = new MqttClient("tcp://127.0.0.1:" + port, clientId, new MemoryPersistence());
            client.setTimeToWait(TIMEOUT_MILLIS);
            client.setCallback(new Receiver());
            MqttConnectionOptions options = new MqttConnectionOptions();
            options.setCleanStart(false);
            options.setSessionExpiryInterval(SESSION_SECONDS);
            options.setAutomaticReconnect(false);
            client.connect(options);
        } catch (MqttException e) {
            throw new TourFailedException("The MQTT client cannot connect: " + e.getMessage() + ".", e);
        }
    }

    void subscribe(String filter) throws TourFailedException {
        try {
            client.subscribe(filter, 1);
        } catch (MqttException e) {
            throw new TourFailedException("The MQTT client cannot subscribe: " + e.getMessage() + ".", e);
        }
    }

    /** Publishes with QoS 1 and returns once the broker has acknowledged. */
    void publish(Reading reading) throws TourFailedException {
        try {
            client.publish(reading.topic(), reading.value().getBytes(UTF_8), 1, false);
        } catch (MqttException e) {
            throw new TourFailedException("The MQTT publish of " + reading + " was not acknowledged.", e);
        }
    }

    @Override
    public void close() throws TourFailedException {
        try {
            client.disconnectForcibly(0, TIMEOUT_MILLIS, client.isConnected());
            client.close(true);
        } catch (MqttException e) {
            throw new TourFailedException("The MQTT client cannot close: " + e.getMessage() + ".", e);
        }
    }

    private final class Receiver implements MqttCallback {
        @Override
        public void messageArrived(String topic, MqttMessage message) {
            mailbox.put(new Reading(topic, new String(message.getPayload(), UTF_8)));
        }

        @Override
        public void disconnected(MqttDisconnectResponse response) {}

        @Override
        public void mqttErrorOccurred(MqttException exception) {}

        @Override
        public void deliveryComplete(IMqttToken token) {}

        @Override
        public void connectComplete(boolean reconnect, String uri) {}

        @Override
        public void authPacketArrived(int reason, MqttProperties properties) {}
    }
}
