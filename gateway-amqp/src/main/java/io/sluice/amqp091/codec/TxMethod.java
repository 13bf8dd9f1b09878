package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;

/** Transactions (class 90; AMQP 0-9-1, section 1.9). No method has arguments. */
public sealed interface TxMethod extends Method {
    record Select() implements TxMethod {
        @Override
        public int id() {
            return Protocol.id(Protocol.CLASS_TX, 10);
        }
    }

    record SelectOk() implements TxMethod {
        @Override
        public int id() {
            return Protocol.id(Protocol.CLASS_TX, 11);
        }
    }

    record Commit() implements TxMethod {
        @Override
        public int id() {
            return Protocol.id(Protocol.CLASS_TX, 20);
        }
    }

    record CommitOk() implements TxMethod {
        @Override
        public int id() {
            return Protocol.id(Protocol.CLASS_TX, 21);
        }
    }

    record Rollback() implements TxMethod {
        @Override
        public int id() {
            return Protocol.id(Protocol.CLASS_TX, 30);
        }
    }

    record RollbackOk() implements TxMethod {
        @Override
        public int id() {
            return Protocol.id(Protocol.CLASS_TX, 31);
        }
    }

    @Override
    default void encode(ByteBuf out) {
        // no arguments
    }

    /** The method with this number. */
    static TxMethod decode(int method) {
        return switch (method) {
            case 10 -> new Select();
            case 11 -> new SelectOk();
            case 20 -> new Commit();
            case 21 -> new CommitOk();
            case 30 -> new Rollback();
            case 31 -> new RollbackOk();
            default -> throw Method.unknown(Protocol.id(Protocol.CLASS_TX, method));
        };
    }
}
