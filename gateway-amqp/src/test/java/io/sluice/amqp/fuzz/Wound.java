package io.sluice.amqp.fuzz;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.Protocol;
import java.util.Random;

/** One frame that breaks one rule, and the code of the {@code connection.close} that must follow (AMQP 0-9-1, RabbitMQ's codes). */
enum Wound {
    END_MARK(501) {
        @Override
        byte[] frame(Random random) {
            byte[] frame = method(1, Protocol.id(60, 110), 1);
            frame[frame.length - 1] ^= (byte) (1 + random.nextInt(255));
            return frame;
        }
    },
    FRAME_TYPE(501) {
        @Override
        byte[] frame(Random random) {
            byte[] frame = method(random.nextInt(3), Protocol.id(60, 110), 1);
            frame[0] = (byte) (random.nextBoolean() ? 4 + random.nextInt(4) : 9 + random.nextInt(247));
            return frame;
        }
    },
    FRAME_SIZE(501) {
        @Override
        byte[] frame(Random random) {
            ByteBuf frame = Unpooled.wrappedBuffer(method(1, Protocol.id(60, 110), 1));
            frame.setInt(3, Conversation.FRAME_MAX + 1 + (random.nextInt() & 0xFFFFFFF));
            return frame.array();
        }
    },
    HEARTBEAT_ON_A_CHANNEL(505) {
        @Override
        byte[] frame(Random random) {
            return raw(Protocol.FRAME_HEARTBEAT, 1 + random.nextInt(10), new byte[0]);
        }
    },
    NAME_NOT_TEXT(501) {
        @Override
        byte[] frame(Random random) {
            return method(1, Protocol.id(50, 10), 0, 0, 2, 'a', 0x80 + random.nextInt(0x40), 0, 0, 0, 0, 0);
        }
    },
    ARGUMENTS_CUT_OFF(502) {
        @Override
        byte[] frame(Random random) {
            // queue.declare with a table of 8 bytes
            int[] whole = {0, 0, 1, 'q', 8, 0, 0, 0, 8, 1, 'a', 'I', 0, 0, 0, 1, 'x'};
            int[] cut = new int[random.nextInt(whole.length)];
            System.arraycopy(whole, 0, cut, 0, cut.length);
            return method(1, Protocol.id(50, 10), cut);
        }
    },
    ARGUMENTS_TOO_LONG(502) {
        @Override
        byte[] frame(Random random) {
            int[][] methods = {
                {110, 1}, {80, 0, 0, 0, 0, 0, 0, 0, 0, 1}, {120, 0, 0, 0, 0, 0, 0, 0, 0, 3}, {10, 0, 0, 0, 0, 0, 1, 0}
            };
            int[] chosen = methods[random.nextInt(methods.length)];
            int[] longer = new int[chosen.length + random.nextInt(20)];
            System.arraycopy(chosen, 1, longer, 0, chosen.length - 1);
            return method(1, Protocol.id(60, chosen[0]), longer);
        }
    },
    FIELD_TYPE(502) {
        @Override
        byte[] frame(Random random) {
            String known = "tbBsuIilLfdDSATFVx";
            int type = random.nextInt(256);
            while (known.indexOf(type) >= 0) {
                type = random.nextInt(256);
            }
            return method(1, Protocol.id(50, 10), 0, 0, 1, 'q', 8, 0, 0, 0, 4, 1, 'a', type, 0);
        }
    },
    DEEP_TABLE(502) {
        @Override
        byte[] frame(Random random) {
            int depth = 17 + random.nextInt(40);
            ByteBuf table = Unpooled.buffer();
            for (int i = 0; i < depth; i++) {
                table.writeInt(7 * (depth - i)).writeByte(1).writeByte('n').writeByte('F');
            }
            table.writeInt(0);
            ByteBuf arguments = Unpooled.buffer().writeInt(Protocol.id(50, 10)).writeShort(0);
            arguments.writeByte(1).writeByte('q').writeByte(8).writeBytes(table);
            byte[] payload = new byte[arguments.readableBytes()];
            arguments.readBytes(payload);
            return raw(Protocol.FRAME_METHOD, 1, payload);
        }
    },
    METHOD_UNKNOWN(503) {
        @Override
        byte[] frame(Random random) {
            int[] ids = {
                Protocol.id(60, 130), Protocol.id(50, 60), Protocol.id(85, 13), Protocol.id(99, 10), Protocol.id(0, 0)
            };
            return method(1, ids[random.nextInt(ids.length)]);
        }
    },
    BROKERS_METHOD(503) {
        @Override
        byte[] frame(Random random) {
            return random.nextBoolean() ? method(1, Protocol.id(60, 11)) : method(1, Protocol.id(50, 31), 0, 0, 0, 1);
        }
    },
    CHANNEL_NOT_OPEN(504) {
        @Override
        byte[] frame(Random random) {
            return method(3 + random.nextInt(7), Protocol.id(60, 110), 1);
        }
    },
    OPENED_TWICE(504) {
        @Override
        byte[] frame(Random random) {
            return method(1, Protocol.id(20, 10), 0);
        }
    },
    HEADER_OUT_OF_THE_BLUE(505) {
        @Override
        byte[] frame(Random random) {
            return raw(Protocol.FRAME_HEADER, 1, new byte[] {0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0});
        }
    },
    BODY_OUT_OF_THE_BLUE(505) {
        @Override
        byte[] frame(Random random) {
            return raw(Protocol.FRAME_BODY, 1, new byte[random.nextInt(100)]);
        }
    },
    CONTENT_ON_CHANNEL_0(505) {
        @Override
        byte[] frame(Random random) {
            return raw(2 + random.nextInt(2), 0, new byte[random.nextInt(100)]);
        }
    },
    CHANNEL_TOO_HIGH(530) {
        @Override
        byte[] frame(Random random) {
            return method(11 + random.nextInt(60_000), Protocol.id(20, 10), 0);
        }
    };

    private final int code;

    Wound(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }

    /** A frame with this fault; channel 1 is open and not within a message, channels 3 to 10 are not open, 10 is the highest. */
    abstract byte[] frame(Random random);

    private static byte[] method(int channel, int id, int... arguments) {
        byte[] payload = new byte[4 + arguments.length];
        Unpooled.wrappedBuffer(payload).setInt(0, id);
        for (int i = 0; i < arguments.length; i++) {
            payload[4 + i] = (byte) arguments[i];
        }
        return raw(Protocol.FRAME_METHOD, channel, payload);
    }

    private static byte[] raw(int type, int channel, byte[] payload) {
        ByteBuf frame =
                Unpooled.buffer(payload.length + Protocol.FRAME_OVERHEAD, payload.length + Protocol.FRAME_OVERHEAD);
        frame.writeByte(type)
                .writeShort(channel)
                .writeInt(payload.length)
                .writeBytes(payload)
                .writeByte(Protocol.FRAME_END);
        return frame.array();
    }
}
