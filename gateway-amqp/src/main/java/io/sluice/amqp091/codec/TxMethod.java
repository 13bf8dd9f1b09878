package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;

/** Transactions (class 90): known so that they can be refused by name. No method has arguments. */
public sealed interface TxMethod extends Method {
    /** Any method of the class. */
    record Any(int method) implements TxMethod {
        @Override
        public int id() {
            return Protocol.id(Protocol.CLASS_TX, method);
        }

        @Override
        public void encode(ByteBuf out) {
            // no arguments
        }
    }

    /** The method with this number. */
    static TxMethod decode(int method) {
        return switch (method) {
            case 10, 11, 20, 21, 30, 31 -> new Any(method);
            default -> throw Method.unknown(Protocol.id(Protocol.CLASS_TX, method));
        };
    }
}
