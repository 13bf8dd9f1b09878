package io.sluice.amqp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.concurrent.Future;
import io.sluice.amqp091.codec.Protocol;
import io.sluice.amqp091.connection.Amqp091;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the first eight octets of a connection. The header of AMQP 0-9-1 hands the socket to {@link Amqp091}; anything else, AMQP
 * 1.0 included, is answered with that header and the socket is closed (AMQP 0-9-1, section 4.2.2). Confined to the loop.
 */
final class ProtocolHeaderHandler extends ByteToMessageDecoder {
    private static final Logger LOG = LoggerFactory.getLogger(ProtocolHeaderHandler.class);
    private static final byte[] HEADER = Protocol.header();

    private final Amqp091 amqp091;
    private final int timeoutSeconds;
    private @Nullable Future<?> timeout;
    private boolean refused;

    ProtocolHeaderHandler(Amqp091 amqp091, int timeoutSeconds) {
        this.amqp091 = amqp091;
        this.timeoutSeconds = timeoutSeconds;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        timeout = ctx.executor()
                .schedule(
                        () -> {
                            LOG.info(
                                    "amqp {}: no protocol header, closed",
                                    ctx.channel().remoteAddress());
                            ctx.close();
                        },
                        timeoutSeconds,
                        TimeUnit.SECONDS);
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
        if (refused) {
            in.skipBytes(in.readableBytes());
            return;
        }
        int known = Math.min(HEADER.length, in.readableBytes());
        for (int i = 0; i < known; i++) {
            if (in.getByte(in.readerIndex() + i) != HEADER[i]) {
                refuse(ctx, in);
                return;
            }
        }
        if (known < HEADER.length) {
            return;
        }
        in.skipBytes(HEADER.length);
        amqp091.accept(ctx.pipeline());
        ctx.pipeline().remove(this); // what follows the header goes on to the new handlers
    }

    private void refuse(ChannelHandlerContext ctx, ByteBuf in) {
        LOG.info(
                "amqp {}: unsupported protocol header {}, closed",
                ctx.channel().remoteAddress(),
                ByteBufUtil.hexDump(in, in.readerIndex(), Math.min(8, in.readableBytes())));
        refused = true;
        in.skipBytes(in.readableBytes());
        ctx.writeAndFlush(Unpooled.wrappedBuffer(HEADER)).addListener(done -> ctx.close());
    }

    @Override
    protected void handlerRemoved0(ChannelHandlerContext ctx) {
        cancelTimeout();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) throws Exception {
        cancelTimeout();
        int begun = actualReadableBytes();
        if (begun > 0 && !refused) {
            LOG.info(
                    "amqp {}: peer closed the socket after {} of {} bytes of the protocol header",
                    ctx.channel().remoteAddress(),
                    begun,
                    HEADER.length);
        }
        super.channelInactive(ctx);
    }

    private void cancelTimeout() {
        if (timeout != null) {
            timeout.cancel(false);
        }
    }
}
