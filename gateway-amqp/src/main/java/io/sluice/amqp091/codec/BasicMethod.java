package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Messages (class 60). */
public sealed interface BasicMethod extends Method {
    record Qos(int prefetchSize, int prefetchCount, boolean global) implements BasicMethod {
        static Qos read(ByteBuf in) {
            int prefetchSize = in.readInt();
            int prefetchCount = in.readUnsignedShort();
            int bits = in.readByte();
            return new Qos(prefetchSize, prefetchCount, (bits & 1) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(60, 10);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeInt(prefetchSize);
            out.writeShort(prefetchCount);
            out.writeByte((global ? 1 : 0));
        }
    }

    record QosOk() implements BasicMethod {
        @Override
        public int id() {
            return Protocol.id(60, 11);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    record Consume(
            String queue,
            String consumerTag,
            boolean noLocal,
            boolean noAck,
            boolean exclusive,
            boolean noWait,
            Map<String, @Nullable Object> arguments)
            implements BasicMethod {
        static Consume read(ByteBuf in) {
            in.skipBytes(2);
            String queue = Wire.readShortString(in);
            String consumerTag = Wire.readShortString(in);
            int bits = in.readByte();
            Map<String, @Nullable Object> arguments = FieldTable.read(in);
            return new Consume(
                    queue, consumerTag, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, arguments);
        }

        @Override
        public int id() {
            return Protocol.id(60, 20);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, queue);
            Wire.writeShortString(out, consumerTag);
            out.writeByte((noLocal ? 1 : 0) | (noAck ? 2 : 0) | (exclusive ? 4 : 0) | (noWait ? 8 : 0));
            FieldTable.write(out, arguments);
        }
    }

    record ConsumeOk(String consumerTag) implements BasicMethod {
        static ConsumeOk read(ByteBuf in) {
            String consumerTag = Wire.readShortString(in);
            return new ConsumeOk(consumerTag);
        }

        @Override
        public int id() {
            return Protocol.id(60, 21);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.writeShortString(out, consumerTag);
        }
    }

    record Cancel(String consumerTag, boolean noWait) implements BasicMethod {
        static Cancel read(ByteBuf in) {
            String consumerTag = Wire.readShortString(in);
            int bits = in.readByte();
            return new Cancel(consumerTag, (bits & 1) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(60, 30);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.writeShortString(out, consumerTag);
            out.writeByte((noWait ? 1 : 0));
        }
    }

    record CancelOk(String consumerTag) implements BasicMethod {
        static CancelOk read(ByteBuf in) {
            String consumerTag = Wire.readShortString(in);
            return new CancelOk(consumerTag);
        }

        @Override
        public int id() {
            return Protocol.id(60, 31);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.writeShortString(out, consumerTag);
        }
    }

    record Publish(String exchange, String routingKey, boolean mandatory, boolean immediate) implements BasicMethod {
        static Publish read(ByteBuf in) {
            in.skipBytes(2);
            String exchange = Wire.readShortString(in);
            String routingKey = Wire.readShortString(in);
            int bits = in.readByte();
            return new Publish(exchange, routingKey, (bits & 1) != 0, (bits & 2) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(60, 40);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, exchange);
            Wire.writeShortString(out, routingKey);
            out.writeByte((mandatory ? 1 : 0) | (immediate ? 2 : 0));
        }
    }

    record Return(int replyCode, String replyText, String exchange, String routingKey) implements BasicMethod {
        static Return read(ByteBuf in) {
            int replyCode = in.readUnsignedShort();
            String replyText = Wire.readShortString(in);
            String exchange = Wire.readShortString(in);
            String routingKey = Wire.readShortString(in);
            return new Return(replyCode, replyText, exchange, routingKey);
        }

        @Override
        public int id() {
            return Protocol.id(60, 50);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(replyCode);
            Wire.writeShortString(out, replyText);
            Wire.writeShortString(out, exchange);
            Wire.writeShortString(out, routingKey);
        }
    }

    record Deliver(String consumerTag, long deliveryTag, boolean redelivered, String exchange, String routingKey)
            implements BasicMethod {
        static Deliver read(ByteBuf in) {
            String consumerTag = Wire.readShortString(in);
            long deliveryTag = in.readLong();
            int bits = in.readByte();
            String exchange = Wire.readShortString(in);
            String routingKey = Wire.readShortString(in);
            return new Deliver(consumerTag, deliveryTag, (bits & 1) != 0, exchange, routingKey);
        }

        @Override
        public int id() {
            return Protocol.id(60, 60);
        }

        @Override
        public void encode(ByteBuf out) {
            Wire.writeShortString(out, consumerTag);
            out.writeLong(deliveryTag);
            out.writeByte((redelivered ? 1 : 0));
            Wire.writeShortString(out, exchange);
            Wire.writeShortString(out, routingKey);
        }
    }

    record Get(String queue, boolean noAck) implements BasicMethod {
        static Get read(ByteBuf in) {
            in.skipBytes(2);
            String queue = Wire.readShortString(in);
            int bits = in.readByte();
            return new Get(queue, (bits & 1) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(60, 70);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeShort(0);
            Wire.writeShortString(out, queue);
            out.writeByte((noAck ? 1 : 0));
        }
    }

    record GetOk(long deliveryTag, boolean redelivered, String exchange, String routingKey, int messageCount)
            implements BasicMethod {
        static GetOk read(ByteBuf in) {
            long deliveryTag = in.readLong();
            int bits = in.readByte();
            String exchange = Wire.readShortString(in);
            String routingKey = Wire.readShortString(in);
            int messageCount = in.readInt();
            return new GetOk(deliveryTag, (bits & 1) != 0, exchange, routingKey, messageCount);
        }

        @Override
        public int id() {
            return Protocol.id(60, 71);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeLong(deliveryTag);
            out.writeByte((redelivered ? 1 : 0));
            Wire.writeShortString(out, exchange);
            Wire.writeShortString(out, routingKey);
            out.writeInt(messageCount);
        }
    }

    record GetEmpty() implements BasicMethod {
        static GetEmpty read(ByteBuf in) {
            in.skipBytes(in.readUnsignedByte());
            return new GetEmpty();
        }

        @Override
        public int id() {
            return Protocol.id(60, 72);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeByte(0);
        }
    }

    record Ack(long deliveryTag, boolean multiple) implements BasicMethod {
        static Ack read(ByteBuf in) {
            long deliveryTag = in.readLong();
            int bits = in.readByte();
            return new Ack(deliveryTag, (bits & 1) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(60, 80);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeLong(deliveryTag);
            out.writeByte((multiple ? 1 : 0));
        }
    }

    record Reject(long deliveryTag, boolean requeue) implements BasicMethod {
        static Reject read(ByteBuf in) {
            long deliveryTag = in.readLong();
            int bits = in.readByte();
            return new Reject(deliveryTag, (bits & 1) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(60, 90);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeLong(deliveryTag);
            out.writeByte((requeue ? 1 : 0));
        }
    }

    record RecoverAsync(boolean requeue) implements BasicMethod {
        static RecoverAsync read(ByteBuf in) {
            int bits = in.readByte();
            return new RecoverAsync((bits & 1) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(60, 100);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeByte((requeue ? 1 : 0));
        }
    }

    record Recover(boolean requeue) implements BasicMethod {
        static Recover read(ByteBuf in) {
            int bits = in.readByte();
            return new Recover((bits & 1) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(60, 110);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeByte((requeue ? 1 : 0));
        }
    }

    record RecoverOk() implements BasicMethod {
        @Override
        public int id() {
            return Protocol.id(60, 111);
        }

        @Override
        public void encode(ByteBuf out) {}
    }

    record Nack(long deliveryTag, boolean multiple, boolean requeue) implements BasicMethod {
        static Nack read(ByteBuf in) {
            long deliveryTag = in.readLong();
            int bits = in.readByte();
            return new Nack(deliveryTag, (bits & 1) != 0, (bits & 2) != 0);
        }

        @Override
        public int id() {
            return Protocol.id(60, 120);
        }

        @Override
        public void encode(ByteBuf out) {
            out.writeLong(deliveryTag);
            out.writeByte((multiple ? 1 : 0) | (requeue ? 2 : 0));
        }
    }

    /** Reads the arguments of method {@code method} of this class. */
    static BasicMethod decode(int method, ByteBuf in) {
        return switch (method) {
            case 10 -> Qos.read(in);
            case 11 -> new QosOk();
            case 20 -> Consume.read(in);
            case 21 -> ConsumeOk.read(in);
            case 30 -> Cancel.read(in);
            case 31 -> CancelOk.read(in);
            case 40 -> Publish.read(in);
            case 50 -> Return.read(in);
            case 60 -> Deliver.read(in);
            case 70 -> Get.read(in);
            case 71 -> GetOk.read(in);
            case 72 -> GetEmpty.read(in);
            case 80 -> Ack.read(in);
            case 90 -> Reject.read(in);
            case 100 -> RecoverAsync.read(in);
            case 110 -> Recover.read(in);
            case 111 -> new RecoverOk();
            case 120 -> Nack.read(in);
            default -> throw Method.unknown(Protocol.id(60, method));
        };
    }
}
