package io.sluice.amqp.fuzz;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.ChannelMethod;
import io.sluice.amqp091.codec.ConfirmMethod;
import io.sluice.amqp091.codec.ConnectionMethod;
import io.sluice.amqp091.codec.ExchangeMethod;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.Protocol;
import io.sluice.amqp091.codec.QueueMethod;
import io.sluice.amqp091.codec.TxMethod;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Frames that a client may send without waiting for any answer, and that are all in order; channel 1 is open. */
final class Conversation {
    static final int FRAME_MAX = 4096;

    private static final int HEADERS_FLAG = 1 << 13;

    private final Random random;
    private final List<byte[]> frames = new ArrayList<>();

    private Conversation(Random random) {
        this.random = random;
    }

    /** Protocol header and login, then some frames by chance. */
    static List<byte[]> random(Random random) {
        Conversation conversation = new Conversation(random);
        conversation.frames.add(Protocol.header());
        conversation.method(
                0,
                new ConnectionMethod.StartOk(
                        RandomTables.table(random, 2),
                        "PLAIN",
                        "\0guest\0guest".getBytes(StandardCharsets.UTF_8),
                        "en_US"));
        conversation.method(0, new ConnectionMethod.TuneOk(10, FRAME_MAX, 0));
        conversation.method(0, new ConnectionMethod.Open("/"));
        conversation.method(1, new ChannelMethod.Open());
        for (int i = random.nextInt(6); i >= 0; i--) {
            conversation.some();
        }
        return conversation.frames;
    }

    private void method(int channel, Method method) {
        ByteBuf out = Unpooled.buffer();
        FrameWriter.method(out, channel, method);
        add(out);
    }

    private void add(ByteBuf out) {
        byte[] frame = new byte[out.readableBytes()];
        out.readBytes(frame);
        frames.add(frame);
    }

    private void some() {
        String exclusive = "fuzz" + random.nextLong();
        switch (random.nextInt(9)) {
            case 0 ->
                method(
                        1,
                        new QueueMethod.Declare(
                                exclusive, false, false, true, false, false, RandomTables.table(random, 3)));
            case 1 -> {
                method(
                        1,
                        new QueueMethod.Declare(exclusive, false, false, true, true, true, Map.of("x-max-length", 9)));
                method(1, new QueueMethod.Bind(exclusive, "amq.topic", "a.#", false, RandomTables.table(random, 1)));
                method(1, new BasicMethod.Consume(exclusive, "", false, true, false, false, Map.of("x-priority", 3)));
            }
            case 2 -> publish(random.nextInt(3000));
            case 3 -> publish(0);
            case 4 -> method(1, new BasicMethod.Qos(0, random.nextInt(100), random.nextBoolean()));
            case 5 -> method(1, new ConfirmMethod.Select(random.nextBoolean()));
            case 6 -> {
                method(2, new ChannelMethod.Open());
                method(2, new TxMethod.Select());
                method(2, new TxMethod.Commit());
                method(2, new ChannelMethod.Close(200, "bye", 0, 0));
            }
            case 7 ->
                method(
                        1,
                        new ExchangeMethod.Declare("amq.direct", "direct", false, true, false, false, false, Map.of()));
            default -> {
                ByteBuf out = Unpooled.buffer();
                FrameWriter.heartbeat(out);
                add(out);
            }
        }
    }

    private void publish(int length) {
        method(1, new BasicMethod.Publish("amq.topic", "a.b", random.nextBoolean(), false));
        ByteBuf out = Unpooled.buffer();
        int start = FrameWriter.begin(out, Protocol.FRAME_HEADER, 1);
        out.writeShort(Protocol.CLASS_BASIC).writeShort(0).writeLong(length).writeShort(HEADERS_FLAG);
        io.sluice.amqp091.codec.FieldTable.write(out, RandomTables.table(random, 3));
        FrameWriter.end(out, start);
        add(out);
        int left = length;
        while (left > 0) {
            int part = Math.min(left, 1 + random.nextInt(1000));
            ByteBuf body = Unpooled.buffer();
            int frame = FrameWriter.begin(body, Protocol.FRAME_BODY, 1);
            body.writeZero(part);
            FrameWriter.end(body, frame);
            add(body);
            left -= part;
        }
    }
}
