package io.sluice.mqtt.connection;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.mqtt.MqttConnectMessage;
import io.netty.handler.codec.mqtt.MqttConnectPayload;
import io.netty.handler.codec.mqtt.MqttConnectVariableHeader;
import io.netty.handler.codec.mqtt.MqttProperties;
import io.netty.handler.codec.mqtt.MqttProperties.MqttProperty;
import io.sluice.mqtt.codec.PropertyReader;
import io.sluice.mqtt.codec.ProtocolViolation;
import io.sluice.mqtt.codec.ReasonCode;
import io.sluice.mqtt.codec.Topics;
import io.sluice.mqtt.codec.Utf8;
import io.sluice.routing.Sessions.StoredWill;
import org.jspecify.annotations.Nullable;

/**
 * A checked CONNECT (MQTT 5.0 section 3.1, MQTT 3.1.1 section 3.1); its encoding, flags and property bounds were checked as its
 * bytes came in.
 *
 * @param clientId empty = the server assigns one
 * @param sessionExpirySeconds -1 = never; MQTT 3.1.1: 0 for a clean session, else -1
 * @param receiveMaximum QoS 1 messages the client takes unacknowledged
 * @param maxPacketBytes largest packet the client takes
 */
@SuppressWarnings("ArrayRecordComponent") // handed to the authenticator once
record ConnectRequest(
        boolean mqtt5,
        String clientId,
        boolean cleanStart,
        long sessionExpirySeconds,
        int keepAliveSeconds,
        int receiveMaximum,
        int maxPacketBytes,
        @Nullable String user,
        byte @Nullable [] password,
        @Nullable StoredWill will) {
    /** Longest client identifier, characters. */
    static final int MAX_CLIENT_ID = 1024;

    private static final int UNLIMITED = Integer.MAX_VALUE;
    private static final long NEVER = 0xFFFF_FFFFL;

    /**
     * Checks the packet.
     *
     * @throws ProtocolViolation with the reason for the CONNACK
     */
    static ConnectRequest of(MqttConnectMessage packet) {
        MqttConnectVariableHeader header = packet.variableHeader();
        MqttConnectPayload payload = packet.payload();
        boolean mqtt5 = header.version() == 5;
        MqttProperties properties = header.properties();
        String clientId = payload.clientIdentifier() == null ? "" : payload.clientIdentifier();
        if (clientId.length() > MAX_CLIENT_ID || !Utf8.isValid(clientId)) {
            throw new ProtocolViolation(ReasonCode.CLIENT_ID_NOT_VALID, "client identifier is too long or not UTF-8");
        }
        if (!mqtt5 && clientId.isEmpty() && !header.isCleanSession()) {
            throw new ProtocolViolation(
                    ReasonCode.CLIENT_ID_NOT_VALID, "empty client identifier without clean session");
        }
        if (properties.getProperty(MqttProperties.AUTHENTICATION_METHOD) != null) {
            throw new ProtocolViolation(ReasonCode.BAD_AUTHENTICATION_METHOD, "no authentication method is supported");
        }
        if (properties.getProperty(MqttProperties.AUTHENTICATION_DATA) != null) {
            throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "authentication data without a method");
        }
        long expiry = header.isCleanSession() ? 0 : -1;
        if (mqtt5) {
            expiry = number(properties, MqttProperties.SESSION_EXPIRY_INTERVAL, 0);
            expiry = expiry == NEVER ? -1 : expiry;
        }
        long receiveMaximum = number(properties, MqttProperties.RECEIVE_MAXIMUM, 65_535);
        long maxPacket = number(properties, MqttProperties.MAXIMUM_PACKET_SIZE, UNLIMITED);
        if (payload.userName() != null && !Utf8.isValid(payload.userName())) {
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "user name is not UTF-8");
        }
        return new ConnectRequest(
                mqtt5,
                clientId,
                header.isCleanSession(),
                expiry,
                header.keepAliveTimeSeconds(),
                (int) receiveMaximum,
                (int) Math.min(maxPacket, UNLIMITED),
                payload.userName(),
                payload.passwordInBytes(),
                header.isWillFlag() ? will(header, payload) : null);
    }

    /** The same for the life of the connection: a password is not kept longer than it is needed. */
    ConnectRequest withoutCredentials() {
        return new ConnectRequest(
                mqtt5,
                clientId,
                cleanStart,
                sessionExpirySeconds,
                keepAliveSeconds,
                receiveMaximum,
                maxPacketBytes,
                null,
                null,
                will);
    }

    private static StoredWill will(MqttConnectVariableHeader header, MqttConnectPayload payload) {
        String topic = payload.willTopic();
        if (topic == null || !Topics.isName(topic) || topic.startsWith("$")) {
            throw new ProtocolViolation(
                    ReasonCode.TOPIC_NAME_INVALID, "the will's topic is not one that may be published to");
        }
        if (header.willQos() > 1) {
            throw new ProtocolViolation(ReasonCode.QOS_NOT_SUPPORTED, "will with QoS 2, maximum is 1");
        }
        MqttProperties properties = payload.willProperties();
        byte[] message = payload.willMessageInBytes();
        return new StoredWill(
                topic,
                message == null ? new byte[0] : message,
                header.willQos(),
                header.isWillRetain(),
                properties == null ? new byte[0] : forwarded(properties),
                properties == null ? -1 : number(properties, MqttProperties.PUBLICATION_EXPIRY_INTERVAL, -1),
                properties == null ? 0 : number(properties, MqttProperties.WILL_DELAY_INTERVAL, 0));
    }

    /** Will properties that the PUBLISH will have (section 3.1.3.2), encoded in order. */
    private static byte[] forwarded(MqttProperties properties) {
        ByteBuf out = Unpooled.buffer();
        for (MqttProperty<?> p : properties.listAll()) {
            switch (p.propertyId()) {
                case MqttProperties.PAYLOAD_FORMAT_INDICATOR -> {
                    out.writeByte(PropertyReader.PAYLOAD_FORMAT);
                    out.writeByte(((MqttProperties.IntegerProperty) p).value());
                }
                case MqttProperties.CONTENT_TYPE, MqttProperties.RESPONSE_TOPIC -> {
                    out.writeByte(p.propertyId());
                    text(out, ((MqttProperties.StringProperty) p).value());
                }
                case MqttProperties.CORRELATION_DATA -> {
                    byte[] data = ((MqttProperties.BinaryProperty) p).value();
                    out.writeByte(PropertyReader.CORRELATION_DATA);
                    out.writeShort(data.length);
                    out.writeBytes(data);
                }
                case MqttProperties.USER_PROPERTY -> {
                    for (MqttProperties.StringPair pair : ((MqttProperties.UserProperties) p).value()) {
                        out.writeByte(PropertyReader.USER_PROPERTY);
                        text(out, pair.key);
                        text(out, pair.value);
                    }
                }
                default -> {} // delay and expiry are fields of their own
            }
        }
        byte[] bytes = new byte[out.readableBytes()];
        out.readBytes(bytes);
        PropertyReader check = PropertyReader.of(Unpooled.wrappedBuffer(bytes), 0, bytes.length);
        boolean more = true;
        while (more) {
            more = check.next();
        }
        return bytes;
    }

    private static void text(ByteBuf out, String value) {
        byte[] bytes = value.getBytes(UTF_8);
        out.writeShort(bytes.length);
        out.writeBytes(bytes);
    }

    private static long number(MqttProperties properties, int id, long fallback) {
        MqttProperty<?> p = properties.getProperty(id);
        return p == null ? fallback : Integer.toUnsignedLong(((MqttProperties.IntegerProperty) p).value());
    }
}
