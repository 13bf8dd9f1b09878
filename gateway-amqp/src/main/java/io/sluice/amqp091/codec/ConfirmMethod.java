package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;

/** Publisher confirms (class 85, a RabbitMQ extension). */
public sealed interface ConfirmMethod extends Method {
    record Select(boolean noWait) implements ConfirmMethod {
        static Select read(ByteBuf in) {
            int bits = in.readByte();
            return new Select((bits & 1) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(85, 10);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeByte((noWait ? 1 : 0));
        }
    }

    record SelectOk() implements ConfirmMethod {
        @Override
        public int id() {
            return Protocol.id(85, 11);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    /** Reads the arguments of method {@code method} of this class. */
    static ConfirmMethod decode(int method, ByteBuf in) {
        return switch (method) {
            case 10 -> Select.read(in);
            case 11 -> new SelectOk();
            default -> throw Method.unknown(Protocol.id(85, method));
        };
    }
}
