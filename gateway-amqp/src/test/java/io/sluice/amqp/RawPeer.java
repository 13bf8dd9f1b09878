package io.sluice.amqp;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.ChannelMethod;
import io.sluice.amqp091.codec.ConnectionMethod;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.Protocol;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;

/** A client that sends what it is told, right or wrong. */
public final class RawPeer implements AutoCloseable {
    final Socket socket;
    final DataInputStream in;

    RawPeer(int port) throws IOException {
        socket = new Socket("127.0.0.1", port);
        socket.setSoTimeout(10_000);
        in = new DataInputStream(socket.getInputStream());
    }

    void send(byte[] bytes) throws IOException {
        socket.getOutputStream().write(bytes);
    }

    void sendHex(String hex) throws IOException {
        send(HexFormat.of().parseHex(hex.replace(" ", "")));
    }

    void send(int channel, Method... methods) throws IOException {
        ByteBuf out = Unpooled.buffer();
        for (Method method : methods) {
            FrameWriter.method(out, channel, method);
        }
        send(out);
    }

    void send(ByteBuf out) throws IOException {
        byte[] bytes = new byte[out.readableBytes()];
        out.readBytes(bytes);
        send(bytes);
    }

    static void frame(ByteBuf out, int type, int channel, byte[] payload) {
        int start = FrameWriter.begin(out, type, channel);
        out.writeBytes(payload);
        FrameWriter.end(out, start);
    }

    /** A content header of class basic without properties. */
    static void header(ByteBuf out, int channel, long size) {
        int start = FrameWriter.begin(out, Protocol.FRAME_HEADER, channel);
        out.writeShort(60).writeShort(0).writeLong(size).writeShort(0);
        FrameWriter.end(out, start);
    }

    /** A whole message to the default exchange. */
    static void publish(ByteBuf out, int channel, String queue, byte[] body) {
        FrameWriter.method(out, channel, new BasicMethod.Publish("", queue, false, false));
        header(out, channel, body.length);
        frame(out, Protocol.FRAME_BODY, channel, body);
    }

    /** Next method; heartbeats are skipped. */
    Method receive() throws IOException {
        while (true) {
            int type = in.readUnsignedByte();
            in.readUnsignedShort();
            byte[] payload = in.readNBytes(in.readInt());
            assertThat(in.readUnsignedByte()).isEqualTo(Protocol.FRAME_END);
            if (type == Protocol.FRAME_METHOD) {
                ByteBuf bytes = Unpooled.wrappedBuffer(payload);
                return Method.decode(bytes.readInt(), bytes);
            }
            assertThat(type).isEqualTo(Protocol.FRAME_HEARTBEAT);
        }
    }

    /** Next delivery's body. */
    byte[] receiveContent() throws IOException {
        assertThat(receive()).isInstanceOf(BasicMethod.Deliver.class);
        assertThat(in.readUnsignedByte()).isEqualTo(Protocol.FRAME_HEADER);
        in.readUnsignedShort();
        byte[] header = in.readNBytes(in.readInt());
        in.readUnsignedByte();
        long size = Unpooled.wrappedBuffer(header).getLong(4);
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        while (body.size() < size) {
            assertThat(in.readUnsignedByte()).isEqualTo(Protocol.FRAME_BODY);
            in.readUnsignedShort();
            body.write(in.readNBytes(in.readInt()));
            in.readUnsignedByte();
        }
        return body.toByteArray();
    }

    /** Up to the tuning, where the broker's proposal is awaited. */
    void authenticate() throws IOException {
        send(Protocol.header());
        assertThat(receive()).isInstanceOf(ConnectionMethod.Start.class);
        send(
                0,
                new ConnectionMethod.StartOk(
                        Map.of(), "PLAIN", "\0guest\0guest".getBytes(StandardCharsets.UTF_8), "en_US"));
        assertThat(receive()).isInstanceOf(ConnectionMethod.Tune.class);
    }

    /** With a heartbeat interval of 1 s and 10 channels at most. */
    void login(int frameMax) throws IOException {
        login(frameMax, 1);
    }

    /** With a heartbeat interval in seconds, 0 = none. */
    void login(int frameMax, int heartbeat) throws IOException {
        authenticate();
        send(0, new ConnectionMethod.TuneOk(10, frameMax, heartbeat), new ConnectionMethod.Open("/"));
        assertThat(receive()).isInstanceOf(ConnectionMethod.OpenOk.class);
    }

    void openChannel(int channel) throws IOException {
        send(channel, new ChannelMethod.Open());
        assertThat(receive()).isInstanceOf(ChannelMethod.OpenOk.class);
    }

    void consume(int channel, String queue) throws IOException {
        send(channel, new BasicMethod.Consume(queue, "", false, true, false, false, Map.of()));
        assertThat(receive()).isInstanceOf(BasicMethod.ConsumeOk.class);
    }

    /** The code of the {@code connection.close} that comes next; then the broker must close the socket. */
    int closedWith() throws IOException {
        int code = ((ConnectionMethod.Close) receive()).replyCode();
        send(0, new ConnectionMethod.CloseOk());
        assertThat(in.read()).isEqualTo(-1);
        return code;
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
