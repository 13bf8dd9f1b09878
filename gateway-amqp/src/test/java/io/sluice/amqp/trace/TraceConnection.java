package io.sluice.amqp.trace;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.amqp091.codec.BasicMethod;
import io.sluice.amqp091.codec.ChannelMethod;
import io.sluice.amqp091.codec.ConnectionMethod;
import io.sluice.amqp091.codec.FieldTable;
import io.sluice.amqp091.codec.FrameWriter;
import io.sluice.amqp091.codec.Method;
import io.sluice.amqp091.codec.Protocol;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A blocking connection with one channel, number 1, that sees every frame in its order on the wire. */
final class TraceConnection implements AutoCloseable {
    static final int CHANNEL = 1;

    private static final int TIMEOUT_MILLIS = 30_000;

    private static final int HEADERS_FLAG = 1 << 13;
    private static final int DELIVERY_MODE_FLAG = 1 << 12;

    /**
     * A message to this client.
     *
     * @param consumer its consumer's tag, null for {@code basic.get}
     * @param failures the header {@code x-delivery-count}, 0 without
     */
    record Delivery(@Nullable String consumer, long tag, boolean redelivered, long failures, byte[] body) {}

    private final Socket socket;
    private final BufferedInputStream buffered;
    private final DataInputStream in;
    private final ByteBuf out = Unpooled.buffer(4096);

    TraceConnection(int port) throws IOException {
        socket = new Socket("127.0.0.1", port);
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(TIMEOUT_MILLIS);
        buffered = new BufferedInputStream(socket.getInputStream(), 64 * 1024);
        in = new DataInputStream(buffered);
        out.writeBytes(Protocol.header());
        flush();
        expect(ConnectionMethod.Start.class);
        FrameWriter.method(
                out,
                0,
                new ConnectionMethod.StartOk(
                        Map.of(), "PLAIN", "\0guest\0guest".getBytes(StandardCharsets.UTF_8), "en_US"));
        flush();
        expect(ConnectionMethod.Tune.class);
        FrameWriter.method(out, 0, new ConnectionMethod.TuneOk(10, 0x2000, 0));
        FrameWriter.method(out, 0, new ConnectionMethod.Open("/"));
        flush();
        expect(ConnectionMethod.OpenOk.class);
        openChannel();
    }

    void openChannel() throws IOException {
        call(new ChannelMethod.Open(), ChannelMethod.OpenOk.class);
    }

    /** Sends what is kept and this method. */
    void send(Method method) throws IOException {
        FrameWriter.method(out, CHANNEL, method);
        flush();
    }

    /** Sends and waits for the answer; no delivery may come before it. */
    <T extends Method> T call(Method method, Class<T> answer) throws IOException {
        send(method);
        return expect(answer);
    }

    <T extends Method> T expect(Class<T> answer) throws IOException {
        Object next = next();
        if (!answer.isInstance(next)) {
            throw new AssertionError("expected " + answer.getSimpleName() + ", got " + next);
        }
        return answer.cast(next);
    }

    /** Keeps a message to the default exchange for the next {@link #flush}. */
    void publish(String queue, byte[] body, boolean persistent) {
        FrameWriter.method(out, CHANNEL, new BasicMethod.Publish("", queue, false, false));
        ByteBuf content = Unpooled.wrappedBuffer(body);
        FrameWriter.content(
                out,
                CHANNEL,
                to -> to.writeShort(DELIVERY_MODE_FLAG).writeByte(persistent ? 2 : 1),
                content,
                0,
                body.length,
                0x2000);
    }

    void flush() throws IOException {
        out.readBytes(socket.getOutputStream(), out.readableBytes());
        out.clear();
    }

    /** True if something can be read at once. */
    boolean isReadable() throws IOException {
        return buffered.available() > 0;
    }

    /** Waits until something can be read, {@code millis} at most. */
    boolean awaitReadable(int millis) throws IOException {
        socket.setSoTimeout(millis);
        buffered.mark(1);
        try {
            buffered.read();
            buffered.reset();
            return true;
        } catch (SocketTimeoutException e) {
            return false;
        } finally {
            socket.setSoTimeout(TIMEOUT_MILLIS);
        }
    }

    /** The next {@link Delivery} or {@link Method}. */
    Object next() throws IOException {
        ByteBuf frame = frame(Protocol.FRAME_METHOD);
        int id = frame.readInt();
        Method method = Method.decode(id, frame);
        if (method instanceof BasicMethod.Deliver deliver) {
            return content(deliver.consumerTag(), deliver.deliveryTag(), deliver.redelivered());
        } else if (method instanceof BasicMethod.GetOk got) {
            return content(null, got.deliveryTag(), got.redelivered());
        }
        return method;
    }

    private Delivery content(@Nullable String consumer, long tag, boolean redelivered) throws IOException {
        ByteBuf header = frame(Protocol.FRAME_HEADER);
        header.skipBytes(4);
        long size = header.readLong();
        int flags = header.readUnsignedShort();
        long failures = 0;
        if ((flags & HEADERS_FLAG) != 0 && FieldTable.read(header).get("x-delivery-count") instanceof Number count) {
            failures = count.longValue();
        }
        byte[] body = new byte[(int) size];
        int read = 0;
        while (read < body.length) {
            ByteBuf part = frame(Protocol.FRAME_BODY);
            int length = part.readableBytes();
            part.readBytes(body, read, length);
            read += length;
        }
        return new Delivery(consumer, tag, redelivered, failures, body);
    }

    private ByteBuf frame(int type) throws IOException {
        int found = in.readUnsignedByte();
        in.readUnsignedShort();
        byte[] payload = new byte[in.readInt()];
        in.readFully(payload);
        if (in.readUnsignedByte() != Protocol.FRAME_END || found != type) {
            throw new AssertionError("frame of type " + found + " instead of " + type);
        }
        return Unpooled.wrappedBuffer(payload);
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
