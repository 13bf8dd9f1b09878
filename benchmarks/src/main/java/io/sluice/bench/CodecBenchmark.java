package io.sluice.bench;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.FrameHandler;
import io.sluice.log.record.BuiltBatch;
import io.sluice.message.RecordView;
import io.sluice.mqtt.codec.FrameDecoder;
import io.sluice.mqtt.codec.PacketWriter;
import io.sluice.mqtt.codec.PublishReader;
import io.sluice.mqtt.convert.PublishToRecord;
import io.sluice.mqtt.convert.RecordToPublish;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.Blackhole;

/** Decoding of what one read of a connection brought: 100 messages of 100 B. One operation is one message. */
@State(Scope.Thread)
@Fork(jvmArgsAppend = {BrokerThreads.CUSTOM, BrokerThreads.CLASS})
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class CodecBenchmark {
    private static final int MESSAGES = 100;
    private static final int BYTES = 100;
    private static final byte[] TOPIC = "site/17/line/4/temperature".getBytes(US_ASCII);

    private final RecordToPublish converter = new RecordToPublish();
    private final RecordView view = new RecordView();
    private ByteBuf mqttBytes;
    private ByteBuf amqpBytes;
    private ByteBuf headers;
    private EmbeddedChannel mqtt;
    private EmbeddedChannel amqp;
    private Publishes publishes;
    private Frames frames;
    private BuiltBatch records;

    /** Encodes what is read, and sets connections up as after their handshake. */
    @Setup
    public void setUp(Blackhole into) {
        mqttBytes = mqttPublishes();
        amqpBytes = amqpPublishes();
        headers = Unpooled.directBuffer(256);
        publishes = new Publishes(headers, into);
        FrameDecoder decoder = new FrameDecoder(publishes, 1 << 20, 256);
        decoder.connected(true, 1 << 20);
        mqtt = new EmbeddedChannel(decoder);
        frames = new Frames(into);
        amqp = new EmbeddedChannel(new io.sluice.amqp091.codec.FrameDecoder(frames, 128 << 10));
        records = Records.batch(MESSAGES, BYTES);
    }

    @TearDown
    public void tearDown() {
        mqtt.finishAndReleaseAll();
        amqp.finishAndReleaseAll();
        mqttBytes.release();
        amqpBytes.release();
        headers.release();
        records.release();
    }

    /** MQTT 5.0 PUBLISH of QoS 1: cut from the stream, checked, its canonical headers written. */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public int mqttPublish() {
        int before = publishes.count;
        mqtt.writeInbound(mqttBytes.retainedDuplicate());
        return check(publishes.count - before, MESSAGES);
    }

    /** AMQP 0-9-1 basic.publish: its three frames cut from the stream. */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public int amqpFrames() {
        int before = frames.count;
        amqp.writeInbound(amqpBytes.retainedDuplicate());
        return check(frames.count - before, 3 * MESSAGES);
    }

    /** A record as MQTT 5.0 subscribers get it: topic, flags and properties read out. */
    @Benchmark
    @OperationsPerInvocation(MESSAGES)
    public void recordToPublish(Blackhole into) {
        for (int i = 0; i < MESSAGES; i++) {
            records.recordAt(i, view);
            converter.read(view, true, null);
            into.consume(converter.topic());
            into.consume(converter.retain());
        }
    }

    private static int check(int count, int expected) {
        if (count != expected) {
            throw new IllegalStateException(count + " decoded of " + expected);
        }
        return count;
    }

    private static ByteBuf mqttPublishes() {
        ByteBuf out = PooledByteBufAllocator.DEFAULT.directBuffer();
        for (int i = 1; i <= MESSAGES; i++) {
            out.writeByte(0x32);
            PacketWriter.writeVarint(out, 2 + TOPIC.length + 2 + 1 + BYTES);
            out.writeShort(TOPIC.length).writeBytes(TOPIC).writeShort(i).writeByte(0);
            out.writeZero(BYTES);
        }
        return out;
    }

    private static ByteBuf amqpPublishes() {
        ByteBuf out = PooledByteBufAllocator.DEFAULT.directBuffer();
        for (int i = 0; i < MESSAGES; i++) {
            // basic.publish (60, 40): reserved, exchange, routing key, bits
            out.writeByte(1).writeShort(1).writeInt(4 + 2 + 1 + 1 + TOPIC.length + 1);
            out.writeShort(60).writeShort(40).writeShort(0).writeByte(0);
            out.writeByte(TOPIC.length).writeBytes(TOPIC).writeByte(0).writeByte(0xCE);
            // content header: class, weight, body size, flags, delivery mode
            out.writeByte(2).writeShort(1).writeInt(2 + 2 + 8 + 2 + 1);
            out.writeShort(60)
                    .writeShort(0)
                    .writeLong(BYTES)
                    .writeShort(1 << 12)
                    .writeByte(2)
                    .writeByte(0xCE);
            out.writeByte(3).writeShort(1).writeInt(BYTES);
            out.writeZero(BYTES).writeByte(0xCE);
        }
        return out;
    }

    private static final class Publishes implements FrameDecoder.Sink {
        private final PublishReader reader = new PublishReader();
        private final ByteBuf headers;
        private final Blackhole into;
        private int count;

        Publishes(ByteBuf headers, Blackhole into) {
            this.headers = headers;
            this.into = into;
        }

        @Override
        public void publish(int flags, ByteBuf in, int start, int end) {
            reader.read(flags, in, start, end, true);
            headers.clear();
            into.consume(PublishToRecord.headers(headers, reader.qos(), reader.retain(), 0, in, end, end));
            into.consume(reader.packetId());
            into.consume(reader.payloadStart());
            count++;
        }

        @Override
        public void puback(int packetId, int reason) {
            throw new IllegalStateException("no PUBACK was sent");
        }

        @Override
        public void pingRequest() {
            throw new IllegalStateException("no PINGREQ was sent");
        }

        @Override
        public void malformed(int reason, String message) {
            throw new IllegalStateException(message);
        }
    }

    private static final class Frames implements FrameHandler {
        private final Blackhole into;
        private int count;

        Frames(Blackhole into) {
            this.into = into;
        }

        @Override
        public void frame(int type, int channel, ByteBuf payload) {
            into.consume(type + channel);
            into.consume(payload.getByte(payload.writerIndex() - 1));
            count++;
        }

        @Override
        public void endOfRead() {
            into.consume(count);
        }

        @Override
        public void malformed(AmqpException error) {
            throw error;
        }
    }
}
