package io.sluice.server.cli;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.sluice.server.SluiceServer;
import io.sluice.server.config.SluiceConfig;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;

/**
 * Starts a broker, lets every door answer one greeting and stops: the trial run whose loaded classes the launcher keeps in an
 * archive.
 */
final class WarmUp {
    private static final int TIMEOUT_MILLIS = 2000;
    private static final byte[] AMQP_HEADER = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
    /** MQTT 3.1.1 CONNECT, clean session, client id "warm", keep-alive 60 s. */
    private static final byte[] MQTT_CONNECT = {
        0x10, 16, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 4, 'w', 'a', 'r', 'm'
    };
    /** Kafka ApiVersions version 0, correlation id 1, no client id. */
    private static final byte[] API_VERSIONS = {0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, (byte) 0xff, (byte) 0xff};

    private WarmUp() {}

    static void run(SluiceConfig config) {
        try (SluiceServer server = SluiceServer.start(config)) {
            greet(server, "MQTT", MQTT_CONNECT);
            greet(server, "AMQP", AMQP_HEADER);
            greet(server, "Kafka", API_VERSIONS);
            greet(server, "management", "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(US_ASCII));
            greet(server, "management", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(US_ASCII));
        }
    }

    /** Sends a greeting and reads the beginning of the answer. A door that says nothing only makes the archive smaller. */
    private static void greet(SluiceServer server, String door, byte[] greeting) {
        Integer port = server.ports().get(door);
        if (port == null) {
            return;
        }
        try (Socket socket = new Socket()) {
            socket.setSoTimeout(TIMEOUT_MILLIS);
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), TIMEOUT_MILLIS);
            OutputStream out = socket.getOutputStream();
            out.write(greeting);
            out.flush();
            InputStream in = socket.getInputStream();
            in.read(new byte[1024]);
        } catch (IOException e) {
            throw new CommandFailedException(door + " did not answer the trial run.", e);
        }
    }
}
