package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;

/** Access tickets (class 30 of AMQP 0-8), which old clients still ask for; RabbitMQ grants ticket 1 and looks at none. */
public sealed interface AccessMethod extends Method {
    record Request(String realm) implements AccessMethod {
        static Request read(ByteBuf in) {
            String realm = Wire.readShortString(in);
            in.skipBytes(1);
            return new Request(realm);
        }

        @Override
        public int id() {
            return Protocol.id(Protocol.CLASS_ACCESS, 10);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.writeShortString(out, realm);
            out.writeByte(0);
        }
    }

    record RequestOk(int ticket) implements AccessMethod {
        static RequestOk read(ByteBuf in) {
            return new RequestOk(in.readUnsignedShort());
        }

        @Override
        public int id() {
            return Protocol.id(Protocol.CLASS_ACCESS, 11);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(ticket);
        }
    }

    /** Reads the arguments of method {@code method} of this class. */
    static AccessMethod decode(int method, ByteBuf in) {
        return switch (method) {
            case 10 -> Request.read(in);
            case 11 -> RequestOk.read(in);
            default -> throw Method.unknown(Protocol.id(Protocol.CLASS_ACCESS, method));
        };
    }
}
