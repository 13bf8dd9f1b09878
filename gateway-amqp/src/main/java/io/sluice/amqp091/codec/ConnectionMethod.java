package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Negotiation and end of a connection (class 10). */
@SuppressWarnings("ArrayRecordComponent") // raw strings of one handshake; never compared
public sealed interface ConnectionMethod extends Method {
    record Start(
            int versionMajor,
            int versionMinor,
            Map<String, @Nullable Object> serverProperties,
            byte[] mechanisms,
            byte[] locales)
            implements ConnectionMethod {
        static Start read(ByteBuf in) {
            int versionMajor = in.readUnsignedByte();
            int versionMinor = in.readUnsignedByte();
            Map<String, @Nullable Object> serverProperties = FieldTable.read(in);
            byte[] mechanisms = Wire.readLongString(in);
            byte[] locales = Wire.readLongString(in);
            return new Start(versionMajor, versionMinor, serverProperties, mechanisms, locales);
        }

        @Override
        public int id() {
            return Protocol.id(10, 10);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeByte(versionMajor);
            out.writeByte(versionMinor);
            FieldTable.write(out, serverProperties);
            Wire.writeLongString(out, mechanisms);
            Wire.writeLongString(out, locales);
        }
    }

    record StartOk(Map<String, @Nullable Object> clientProperties, String mechanism, byte[] response, String locale)
            implements ConnectionMethod {
        static StartOk read(ByteBuf in) {
            Map<String, @Nullable Object> clientProperties = FieldTable.read(in);
            String mechanism = Wire.readShortString(in);
            byte[] response = Wire.readLongString(in);
            String locale = Wire.readShortString(in);
            return new StartOk(clientProperties, mechanism, response, locale);
        }

        @Override
        public int id() {
            return Protocol.id(10, 11);
        }

        @Override
        public void encode(ByteBuf out) {
            FieldTable.write(out, clientProperties);
            Wire.writeShortString(out, mechanism);
            Wire.writeLongString(out, response);
            Wire.writeShortString(out, locale);
        }
    }

    record Secure(byte[] challenge) implements ConnectionMethod {
        static Secure read(ByteBuf in) {
            byte[] challenge = Wire.readLongString(in);
            return new Secure(challenge);
        }

        @Override
        public int id() {
            return Protocol.id(10, 20);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.writeLongString(out, challenge);
        }
    }

    record SecureOk(byte[] response) implements ConnectionMethod {
        static SecureOk read(ByteBuf in) {
            byte[] response = Wire.readLongString(in);
            return new SecureOk(response);
        }

        @Override
        public int id() {
            return Protocol.id(10, 21);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.writeLongString(out, response);
        }
    }

    record Tune(int channelMax, int frameMax, int heartbeat) implements ConnectionMethod {
        static Tune read(ByteBuf in) {
            int channelMax = in.readUnsignedShort();
            int frameMax = in.readInt();
            int heartbeat = in.readUnsignedShort();
            return new Tune(channelMax, frameMax, heartbeat);
        }

        @Override
        public int id() {
            return Protocol.id(10, 30);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(channelMax);
            out.writeInt(frameMax);
            out.writeShort(heartbeat);
        }
    }

    record TuneOk(int channelMax, int frameMax, int heartbeat) implements ConnectionMethod {
        static TuneOk read(ByteBuf in) {
            int channelMax = in.readUnsignedShort();
            int frameMax = in.readInt();
            int heartbeat = in.readUnsignedShort();
            return new TuneOk(channelMax, frameMax, heartbeat);
        }

        @Override
        public int id() {
            return Protocol.id(10, 31);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(channelMax);
            out.writeInt(frameMax);
            out.writeShort(heartbeat);
        }
    }

    record Open(String virtualHost) implements ConnectionMethod {
        static Open read(ByteBuf in) {
            String virtualHost = Wire.readShortString(in);
            in.skipBytes(in.readUnsignedByte());
            in.skipBytes(1);
            return new Open(virtualHost);
        }

        @Override
        public int id() {
            return Protocol.id(10, 40);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.writeShortString(out, virtualHost);
            out.writeByte(0);
            out.writeByte(0);
        }
    }

    record OpenOk() implements ConnectionMethod {
        static OpenOk read(ByteBuf in) {
            in.skipBytes(in.readUnsignedByte());
            return new OpenOk();
        }

        @Override
        public int id() {
            return Protocol.id(10, 41);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeByte(0);
        }
    }

    record Close(int replyCode, String replyText, int classId, int methodId) implements ConnectionMethod {
        static Close read(ByteBuf in) {
            int replyCode = in.readUnsignedShort();
            String replyText = Wire.readShortString(in);
            int classId = in.readUnsignedShort();
            int methodId = in.readUnsignedShort();
            return new Close(replyCode, replyText, classId, methodId);
        }

        @Override
        public int id() {
            return Protocol.id(10, 50);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(replyCode);
            Wire.writeShortString(out, replyText);
            out.writeShort(classId);
            out.writeShort(methodId);
        }
    }

    record CloseOk() implements ConnectionMethod {
        @Override
        public int id() {
            return Protocol.id(10, 51);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    record Blocked(String reason) implements ConnectionMethod {
        static Blocked read(ByteBuf in) {
            String reason = Wire.readShortString(in);
            return new Blocked(reason);
        }

        @Override
        public int id() {
            return Protocol.id(10, 60);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.writeShortString(out, reason);
        }
    }

    record Unblocked() implements ConnectionMethod {
        @Override
        public int id() {
            return Protocol.id(10, 61);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    record UpdateSecret(byte[] newSecret, String reason) implements ConnectionMethod {
        static UpdateSecret read(ByteBuf in) {
            byte[] newSecret = Wire.readLongString(in);
            String reason = Wire.readShortString(in);
            return new UpdateSecret(newSecret, reason);
        }

        @Override
        public int id() {
            return Protocol.id(10, 70);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.writeLongString(out, newSecret);
            Wire.writeShortString(out, reason);
        }
    }

    record UpdateSecretOk() implements ConnectionMethod {
        @Override
        public int id() {
            return Protocol.id(10, 71);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    /** Reads the arguments of method {@code method} of this class. */
    static ConnectionMethod decode(int method, ByteBuf in) {
        return switch (method) {
            case 10 -> Start.read(in);
            case 11 -> StartOk.read(in);
            case 20 -> Secure.read(in);
            case 21 -> SecureOk.read(in);
            case 30 -> Tune.read(in);
            case 31 -> TuneOk.read(in);
            case 40 -> Open.read(in);
            case 41 -> OpenOk.read(in);
            case 50 -> Close.read(in);
            case 51 -> new CloseOk();
            case 60 -> Blocked.read(in);
            case 61 -> new Unblocked();
            case 70 -> UpdateSecret.read(in);
            case 71 -> new UpdateSecretOk();
            default -> throw Method.unknown(Protocol.id(10, method));
        };
    }
}
