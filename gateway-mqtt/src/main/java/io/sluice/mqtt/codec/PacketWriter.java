package io.sluice.mqtt.codec;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** Encodes the packets that a server sends (MQTT 5.0 chapter 3; where it differs, MQTT 3.1.1). Stateless. */
public final class PacketWriter {
    /** Largest remaining length (section 1.5.5). */
    public static final int MAX_REMAINING = 268_435_455;

    private PacketWriter() {}

    /** Bytes of a variable byte integer, 1 to 4. */
    public static int sizeOfVarint(int value) {
        return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
    }

    /** Writes a variable byte integer (section 1.5.5). */
    public static void writeVarint(ByteBuf out, int value) {
        int v = value;
        while ((v & ~0x7F) != 0) {
            out.writeByte((v & 0x7F) | 0x80);
            v >>>= 7;
        }
        out.writeByte(v);
    }

    /** PUBACK (section 3.4); {@code reason} is sent to MQTT 5.0 clients only. */
    public static void puback(ByteBuf out, int packetId, int reason, boolean mqtt5) {
        boolean withReason = mqtt5 && reason != 0;
        out.writeShort(withReason ? 0x4003 : 0x4002);
        out.writeShort(packetId);
        if (withReason) {
            out.writeByte(reason);
        }
    }

    public static void pingResponse(ByteBuf out) {
        out.writeShort(0xD000);
    }

    /** CONNACK of MQTT 3.1.1 (section 3.2). */
    public static void connack3(ByteBuf out, boolean sessionPresent, int returnCode) {
        out.writeShort(0x2002);
        out.writeByte(sessionPresent ? 1 : 0);
        out.writeByte(returnCode);
    }

    /** CONNACK of MQTT 5.0 that refuses. */
    public static void connackRefused(ByteBuf out, int reason) {
        out.writeShort(0x2003);
        out.writeByte(0);
        out.writeByte(reason);
        out.writeByte(0);
    }

    /**
     * CONNACK of MQTT 5.0 that accepts, with what this server can do (section 3.2.2.3).
     *
     * @param assignedClientId null if the client gave one
     * @param serverKeepAlive seconds, -1 = the client's value holds
     */
    public static void connackAccepted(
            ByteBuf out,
            boolean sessionPresent,
            int receiveMaximum,
            int maximumPacketBytes,
            int topicAliasMaximum,
            @Nullable String assignedClientId,
            int serverKeepAlive) {
        byte[] assigned = assignedClientId == null ? null : assignedClientId.getBytes(UTF_8);
        int properties = 3 + 5 + 3 + 5 * 2;
        properties += assigned == null ? 0 : 3 + assigned.length;
        properties += serverKeepAlive < 0 ? 0 : 3;
        out.writeByte(0x20);
        writeVarint(out, 2 + sizeOfVarint(properties) + properties);
        out.writeByte(sessionPresent ? 1 : 0);
        out.writeByte(ReasonCode.SUCCESS);
        writeVarint(out, properties);
        out.writeByte(0x21).writeShort(receiveMaximum);
        out.writeByte(0x24).writeByte(1); // maximum QoS
        out.writeByte(0x25).writeByte(1); // retain available
        out.writeByte(0x27).writeInt(maximumPacketBytes);
        if (assigned != null) {
            out.writeByte(0x12).writeShort(assigned.length).writeBytes(assigned);
        }
        out.writeByte(0x22).writeShort(topicAliasMaximum);
        out.writeByte(0x28).writeByte(1); // wildcard subscriptions
        out.writeByte(0x29).writeByte(1); // subscription identifiers
        out.writeByte(0x2A).writeByte(0); // no shared subscriptions
        if (serverKeepAlive >= 0) {
            out.writeByte(0x13).writeShort(serverKeepAlive);
        }
    }

    /** SUBACK (section 3.9), or with {@code type} 0xB0 UNSUBACK (section 3.11), which has no codes in MQTT 3.1.1. */
    public static void acknowledge(ByteBuf out, int type, int packetId, int[] codes, boolean mqtt5) {
        boolean withCodes = mqtt5 || type == 0x90;
        out.writeByte(type);
        writeVarint(out, 2 + (mqtt5 ? 1 : 0) + (withCodes ? codes.length : 0));
        out.writeShort(packetId);
        if (mqtt5) {
            out.writeByte(0);
        }
        if (withCodes) {
            for (int code : codes) {
                out.writeByte(code);
            }
        }
    }

    /** DISCONNECT of MQTT 5.0 (section 3.14). */
    public static void disconnect(ByteBuf out, int reason) {
        out.writeShort(0xE001);
        out.writeByte(reason);
    }
}
