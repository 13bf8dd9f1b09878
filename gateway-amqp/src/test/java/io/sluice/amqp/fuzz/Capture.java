package io.sluice.amqp.fuzz;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.sluice.amqp091.codec.Protocol;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * Both sides of one conversation as the broker saw it: what the client sent in one go, and how many frames it had been sent before. Written on
 * the connection's loop; to be read when the connection is closed.
 */
final class Capture extends ChannelDuplexHandler {
    /** Bytes that the client sent once it could have seen {@code answers} frames. */
    record Said(byte[] bytes, int answers) {}

    private final List<Said> said = new ArrayList<>();
    private final ByteBuf answers = Unpooled.buffer();
    private int answered;

    List<Said> said() {
        return said;
    }

    /** The largest number of bytes said in one go. */
    int longest() {
        return said.stream().mapToInt(one -> one.bytes().length).max().orElse(0);
    }

    /** All that the client said. */
    byte[] all() {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        said.forEach(one -> all.writeBytes(one.bytes()));
        return all.toByteArray();
    }

    /** What the broker answered, frame by frame. */
    List<String> answers() {
        return frames(answers.duplicate());
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        said.add(new Said(ByteBufUtil.getBytes((ByteBuf) message), answered));
        ctx.fireChannelRead(message);
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
        answers.writeBytes(((ByteBuf) message).duplicate());
        answered = frames(answers.duplicate()).size();
        ctx.write(message, promise);
    }

    /** Whole frames as text, without heartbeats. */
    static List<String> frames(ByteBuf in) {
        List<String> frames = new ArrayList<>();
        while (in.readableBytes() >= Protocol.FRAME_OVERHEAD) {
            int length = in.getInt(in.readerIndex() + 3) + Protocol.FRAME_OVERHEAD;
            if (in.readableBytes() < length) {
                break;
            }
            ByteBuf frame = in.readSlice(length);
            if (frame.getByte(0) != Protocol.FRAME_HEARTBEAT) {
                frames.add(ByteBufUtil.hexDump(frame));
            }
        }
        return frames;
    }
}
