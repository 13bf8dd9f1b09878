package io.sluice.mqtt;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketException;
import java.util.HexFormat;
import java.util.Locale;

/** A socket that speaks MQTT in hexadecimal: what a well-behaved client library would never send, or hide. */
final class RawClient implements AutoCloseable {
    private final Socket socket;

    RawClient(int port) throws IOException {
        socket = new Socket("127.0.0.1", port);
        socket.setSoTimeout(5000);
        socket.setTcpNoDelay(true);
    }

    /** CONNECT of MQTT 5.0 and its CONNACK; answers the CONNACK. */
    static RawClient connect5(int port, String clientId, boolean cleanStart, String properties) throws IOException {
        RawClient client = new RawClient(port);
        client.send(packet(
                0x10,
                "00044d515454" + "05" + (cleanStart ? "02" : "00") + "0000" + hex(properties.length() / 2) + properties
                        + string(clientId)));
        client.packet();
        return client;
    }

    static RawClient connect3(int port, String clientId, boolean cleanSession) throws IOException {
        RawClient client = new RawClient(port);
        client.send(packet(0x10, "00044d515454" + "04" + (cleanSession ? "02" : "00") + "0000" + string(clientId)));
        client.packet();
        return client;
    }

    /** SUBSCRIBE to one filter; answers the SUBACK's last byte. */
    int subscribe(boolean mqtt5, String filter, int options) throws IOException {
        send(packet(0x82, "0001" + (mqtt5 ? "00" : "") + string(filter) + hex(options)));
        String ack = packet();
        return Integer.parseInt(ack.substring(ack.length() - 2), 16);
    }

    void publish5(String topic, int qos, int packetId, String properties, String payload) throws IOException {
        send(packet(
                0x30 | qos << 1,
                string(topic)
                        + (qos > 0 ? hex2(packetId) : "")
                        + hex(properties.length() / 2)
                        + properties
                        + text(payload)));
    }

    void publish3(String topic, int qos, int packetId, String payload) throws IOException {
        send(packet(0x30 | qos << 1, string(topic) + (qos > 0 ? hex2(packetId) : "") + text(payload)));
    }

    void send(String hex) throws IOException {
        socket.getOutputStream().write(HexFormat.of().parseHex(hex));
        socket.getOutputStream().flush();
    }

    /** The next bytes. */
    String read(int bytes) throws IOException {
        return HexFormat.of().formatHex(socket.getInputStream().readNBytes(bytes));
    }

    /** The next packet, whole; empty if the connection is closed. */
    String packet() throws IOException {
        InputStream in = socket.getInputStream();
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        int first = in.read();
        if (first < 0) {
            return "";
        }
        all.write(first);
        int length = 0;
        int shift = 0;
        int b;
        do {
            b = in.read();
            all.write(b);
            length |= (b & 0x7F) << shift;
            shift += 7;
        } while ((b & 0x80) != 0);
        all.write(in.readNBytes(length));
        return HexFormat.of().formatHex(all.toByteArray());
    }

    /** PINGREQ and its answer: what was sent before is worked on. */
    void ping() throws IOException {
        send("c000");
        String answer = packet();
        if (!answer.equals("d000")) {
            throw new IOException("not a PINGRESP: " + answer);
        }
    }

    /** All bytes until the broker closes. */
    String rest() throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        InputStream in = socket.getInputStream();
        try {
            for (int b = in.read(); b >= 0; b = in.read()) {
                all.write(b);
            }
        } catch (SocketException e) {
            // reset because unread input was left: closed as well
        }
        return HexFormat.of().formatHex(all.toByteArray());
    }

    Socket socket() {
        return socket;
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }

    static String packet(int first, String body) {
        int length = body.length() / 2;
        StringBuilder out = new StringBuilder(hex(first));
        do {
            int b = length & 0x7F;
            length >>>= 7;
            out.append(hex(length > 0 ? b | 0x80 : b));
        } while (length > 0);
        return out.append(body).toString();
    }

    static String string(String s) {
        byte[] bytes = s.getBytes(UTF_8);
        return hex2(bytes.length) + HexFormat.of().formatHex(bytes);
    }

    static String text(String s) {
        return HexFormat.of().formatHex(s.getBytes(UTF_8));
    }

    static String hex(int value) {
        return String.format(Locale.ROOT, "%02x", value);
    }

    static String hex2(int value) {
        return String.format(Locale.ROOT, "%04x", value);
    }
}
