package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;

/** Life cycle and flow of a channel (class 20). */
public sealed interface ChannelMethod extends Method {
    record Open() implements ChannelMethod {
        static Open read(ByteBuf in) {
            in.skipBytes(in.readUnsignedByte());
            return new Open();
        }

        @Override
        public int id() {
            return Protocol.id(20, 10);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeByte(0);
        }
    }

    record OpenOk() implements ChannelMethod {
        static OpenOk read(ByteBuf in) {
            in.skipBytes(Wire.lengthWithin(in));
            return new OpenOk();
        }

        @Override
        public int id() {
            return Protocol.id(20, 11);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeInt(0);
        }
    }

    record Flow(boolean active) implements ChannelMethod {
        static Flow read(ByteBuf in) {
            int bits = in.readByte();
            return new Flow((bits & 1) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(20, 20);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeByte((active ? 1 : 0));
        }
    }

    record FlowOk(boolean active) implements ChannelMethod {
        static FlowOk read(ByteBuf in) {
            int bits = in.readByte();
            return new FlowOk((bits & 1) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(20, 21);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeByte((active ? 1 : 0));
        }
    }

    record Close(int replyCode, String replyText, int classId, int methodId) implements ChannelMethod {
        static Close read(ByteBuf in) {
            int replyCode = in.readUnsignedShort();
            String replyText = Wire.readShortString(in);
            int classId = in.readUnsignedShort();
            int methodId = in.readUnsignedShort();
            return new Close(replyCode, replyText, classId, methodId);
        }

        @Override
        public int id() {
            return Protocol.id(20, 40);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(replyCode);
            Wire.writeShortString(out, replyText);
            out.writeShort(classId);
            out.writeShort(methodId);
        }
    }

    record CloseOk() implements ChannelMethod {
        @Override
        public int id() {
            return Protocol.id(20, 41);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    /** Reads the arguments of method {@code method} of this class. */
    static ChannelMethod decode(int method, ByteBuf in) {
        return switch (method) {
            case 10 -> Open.read(in);
            case 11 -> OpenOk.read(in);
            case 20 -> Flow.read(in);
            case 21 -> FlowOk.read(in);
            case 40 -> Close.read(in);
            case 41 -> new CloseOk();
            default -> throw Method.unknown(Protocol.id(20, method));
        };
    }
}
