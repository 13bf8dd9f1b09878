package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Queues (class 50). */
public sealed interface QueueMethod extends Method {
    record Declare(
            String queue,
            boolean passive,
            boolean durable,
            boolean exclusive,
            boolean autoDelete,
            boolean noWait,
            Map<String, @Nullable Object> arguments)
            implements QueueMethod {
        static Declare read(ByteBuf in) {
            in.skipBytes(2);
            String queue = Wire.readShortString(in);
            int bits = in.readByte();
            Map<String, @Nullable Object> arguments = FieldTable.read(in);
            return new Declare(
                    queue,
                    (bits & 1) != 0,
                    (bits & 2) != 0,
                    (bits & 4) != 0,
                    (bits & 8) != 0,
                    (bits & 16) != 0,
                    arguments);
        }

        @Override
        public int id() {
            return Protocol.id(50, 10);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, queue);
            out.writeByte((passive ? 1 : 0)
                    | (durable ? 2 : 0)
                    | (exclusive ? 4 : 0)
                    | (autoDelete ? 8 : 0)
                    | (noWait ? 16 : 0));
            FieldTable.write(out, arguments);
        }
    }

    record DeclareOk(String queue, int messageCount, int consumerCount) implements QueueMethod {
        static DeclareOk read(ByteBuf in) {
            String queue = Wire.readShortString(in);
            int messageCount = in.readInt();
            int consumerCount = in.readInt();
            return new DeclareOk(queue, messageCount, consumerCount);
        }

        @Override
        public int id() {
            return Protocol.id(50, 11);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.writeShortString(out, queue);
            out.writeInt(messageCount);
            out.writeInt(consumerCount);
        }
    }

    record Bind(
            String queue, String exchange, String routingKey, boolean noWait, Map<String, @Nullable Object> arguments)
            implements QueueMethod {
        static Bind read(ByteBuf in) {
            in.skipBytes(2);
            String queue = Wire.readShortString(in);
            String exchange = Wire.readShortString(in);
            String routingKey = Wire.readShortString(in);
            int bits = in.readByte();
            Map<String, @Nullable Object> arguments = FieldTable.read(in);
            return new Bind(queue, exchange, routingKey, (bits & 1) != 0, arguments);
        }

        @Override
        public int id() {
            return Protocol.id(50, 20);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, queue);
            Wire.writeShortString(out, exchange);
            Wire.writeShortString(out, routingKey);
            out.writeByte((noWait ? 1 : 0));
            FieldTable.write(out, arguments);
        }
    }

    record BindOk() implements QueueMethod {
        @Override
        public int id() {
            return Protocol.id(50, 21);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    record Purge(String queue, boolean noWait) implements QueueMethod {
        static Purge read(ByteBuf in) {
            in.skipBytes(2);
            String queue = Wire.readShortString(in);
            int bits = in.readByte();
            return new Purge(queue, (bits & 1) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(50, 30);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, queue);
            out.writeByte((noWait ? 1 : 0));
        }
    }

    record PurgeOk(int messageCount) implements QueueMethod {
        static PurgeOk read(ByteBuf in) {
            int messageCount = in.readInt();
            return new PurgeOk(messageCount);
        }

        @Override
        public int id() {
            return Protocol.id(50, 31);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeInt(messageCount);
        }
    }

    record Delete(String queue, boolean ifUnused, boolean ifEmpty, boolean noWait) implements QueueMethod {
        static Delete read(ByteBuf in) {
            in.skipBytes(2);
            String queue = Wire.readShortString(in);
            int bits = in.readByte();
            return new Delete(queue, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(50, 40);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, queue);
            out.writeByte((ifUnused ? 1 : 0) | (ifEmpty ? 2 : 0) | (noWait ? 4 : 0));
        }
    }

    record DeleteOk(int messageCount) implements QueueMethod {
        static DeleteOk read(ByteBuf in) {
            int messageCount = in.readInt();
            return new DeleteOk(messageCount);
        }

        @Override
        public int id() {
            return Protocol.id(50, 41);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeInt(messageCount);
        }
    }

    record Unbind(String queue, String exchange, String routingKey, Map<String, @Nullable Object> arguments)
            implements QueueMethod {
        static Unbind read(ByteBuf in) {
            in.skipBytes(2);
            String queue = Wire.readShortString(in);
            String exchange = Wire.readShortString(in);
            String routingKey = Wire.readShortString(in);
            Map<String, @Nullable Object> arguments = FieldTable.read(in);
            return new Unbind(queue, exchange, routingKey, arguments);
        }

        @Override
        public int id() {
            return Protocol.id(50, 50);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, queue);
            Wire.writeShortString(out, exchange);
            Wire.writeShortString(out, routingKey);
            FieldTable.write(out, arguments);
        }
    }

    record UnbindOk() implements QueueMethod {
        @Override
        public int id() {
            return Protocol.id(50, 51);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    /** Reads the arguments of method {@code method} of this class. */
    static QueueMethod decode(int method, ByteBuf in) {
        return switch (method) {
            case 10 -> Declare.read(in);
            case 11 -> DeclareOk.read(in);
            case 20 -> Bind.read(in);
            case 21 -> new BindOk();
            case 30 -> Purge.read(in);
            case 31 -> PurgeOk.read(in);
            case 40 -> Delete.read(in);
            case 41 -> DeleteOk.read(in);
            case 50 -> Unbind.read(in);
            case 51 -> new UnbindOk();
            default -> throw Method.unknown(Protocol.id(50, method));
        };
    }
}
