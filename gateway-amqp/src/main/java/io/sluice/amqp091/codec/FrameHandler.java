package io.sluice.amqp091.codec;

import io.netty.buffer.ByteBuf;

/** Takes frames on the connection's event loop. */
public interface FrameHandler {
    /**
     * Takes one frame.
     *
     * @param payload readable bytes are exactly the payload; valid for the call only
     */
    void frame(int type, int channel, ByteBuf payload);

    /** What one read brought is handed over. */
    void endOfRead();

    /** The byte stream is broken: nothing more is decoded. */
    void malformed(AmqpException error);
}
