package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Exchanges (class 40). */
public sealed interface ExchangeMethod extends Method {
    record Declare(
            String exchange,
            String type,
            boolean passive,
            boolean durable,
            boolean autoDelete,
            boolean internal,
            boolean noWait,
            Map<String, @Nullable Object> arguments)
            implements ExchangeMethod {
        static Declare read(ByteBuf in) {
            in.skipBytes(2);
            String exchange = Wire.readShortString(in);
            String type = Wire.readShortString(in);
            int bits = in.readByte();
            Map<String, @Nullable Object> arguments = FieldTable.read(in);
            return new Declare(
                    exchange,
                    type,
                    (bits & 1) != 0,
                    (bits & 2) != 0,
                    (bits & 4) != 0,
                    (bits & 8) != 0,
                    (bits & 16) != 0,
                    arguments);
        }

        @Override
        public int id() {
            return Protocol.id(40, 10);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, exchange);
            Wire.writeShortString(out, type);
            out.writeByte((passive ? 1 : 0)
                    | (durable ? 2 : 0)
                    | (autoDelete ? 4 : 0)
                    | (internal ? 8 : 0)
                    | (noWait ? 16 : 0));
            FieldTable.write(out, arguments);
        }
    }

    record DeclareOk() implements ExchangeMethod {
        @Override
        public int id() {
            return Protocol.id(40, 11);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    record Delete(String exchange, boolean ifUnused, boolean noWait) implements ExchangeMethod {
        static Delete read(ByteBuf in) {
            in.skipBytes(2);
            String exchange = Wire.readShortString(in);
            int bits = in.readByte();
            return new Delete(exchange, (bits & 1) != 0, (bits & 2) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(40, 20);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, exchange);
            out.writeByte((ifUnused ? 1 : 0) | (noWait ? 2 : 0));
        }
    }

    record DeleteOk() implements ExchangeMethod {
        @Override
        public int id() {
            return Protocol.id(40, 21);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    record Bind(
            String destination,
            String source,
            String routingKey,
            boolean noWait,
            Map<String, @Nullable Object> arguments)
            implements ExchangeMethod {
        static Bind read(ByteBuf in) {
            in.skipBytes(2);
            String destination = Wire.readShortString(in);
            String source = Wire.readShortString(in);
            String routingKey = Wire.readShortString(in);
            int bits = in.readByte();
            Map<String, @Nullable Object> arguments = FieldTable.read(in);
            return new Bind(destination, source, routingKey, (bits & 1) != 0, arguments);
        }

        @Override
        public int id() {
            return Protocol.id(40, 30);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, destination);
            Wire.writeShortString(out, source);
            Wire.writeShortString(out, routingKey);
            out.writeByte((noWait ? 1 : 0));
            FieldTable.write(out, arguments);
        }
    }

    record BindOk() implements ExchangeMethod {
        @Override
        public int id() {
            return Protocol.id(40, 31);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    record Unbind(
            String destination,
            String source,
            String routingKey,
            boolean noWait,
            Map<String, @Nullable Object> arguments)
            implements ExchangeMethod {
        static Unbind read(ByteBuf in) {
            in.skipBytes(2);
            String destination = Wire.readShortString(in);
            String source = Wire.readShortString(in);
            String routingKey = Wire.readShortString(in);
            int bits = in.readByte();
            Map<String, @Nullable Object> arguments = FieldTable.read(in);
            return new Unbind(destination, source, routingKey, (bits & 1) != 0, arguments);
        }

        @Override
        public int id() {
            return Protocol.id(40, 40);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, destination);
            Wire.writeShortString(out, source);
            Wire.writeShortString(out, routingKey);
            out.writeByte((noWait ? 1 : 0));
            FieldTable.write(out, arguments);
        }
    }

    record UnbindOk() implements ExchangeMethod {
        @Override
        public int id() {
            return Protocol.id(40, 51);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    /** Reads the arguments of method {@code method} of this class. */
    static ExchangeMethod decode(int method, ByteBuf in) {
        return switch (method) {
            case 10 -> Declare.read(in);
            case 11 -> new DeclareOk();
            case 20 -> Delete.read(in);
            case 21 -> new DeleteOk();
            case 30 -> Bind.read(in);
            case 31 -> new BindOk();
            case 40 -> Unbind.read(in);
            case 51 -> new UnbindOk();
            default -> throw Method.unknown(Protocol.id(40, method));
        };
    }
}
