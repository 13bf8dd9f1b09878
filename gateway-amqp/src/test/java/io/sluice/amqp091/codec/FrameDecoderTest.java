package io.sluice.amqp091.codec;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FrameDecoderTest {
    private static final class Collector implements FrameHandler {
        final List<String> frames = new ArrayList<>();
        AmqpException error;

        @Override
        public void frame(int type, int channel, ByteBuf payload) {
            frames.add(type + "/" + channel + "/" + payload.readableBytes());
        }

        @Override
        public void endOfRead() {}

        @Override
        public void malformed(AmqpException failure) {
            error = failure;
        }
    }

    private final Collector collector = new Collector();
    private final FrameDecoder decoder = new FrameDecoder(collector, 4096);
    private final EmbeddedChannel channel = new EmbeddedChannel(decoder);

    private static ByteBuf twoFrames() {
        ByteBuf out = Unpooled.buffer();
        FrameWriter.method(out, 5, new QueueMethod.Purge("q", true));
        FrameWriter.heartbeat(out);
        return out;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7, 8, 1000})
    void framesAreCutWhateverTheReadsAre(int bytesPerRead) {
        ByteBuf all = twoFrames();
        while (all.isReadable()) {
            channel.writeInbound(all.readBytes(Math.min(bytesPerRead, all.readableBytes())));
        }
        all.release();
        assertThat(collector.frames).containsExactly("1/5/9", "8/0/0");
        assertThat(channel.finish()).isFalse();
    }

    @Test
    void nothingIsDecodedWhileSuspended() {
        decoder.suspend();
        channel.writeInbound(twoFrames());
        assertThat(collector.frames).isEmpty();
        decoder.resume();
        assertThat(collector.frames).hasSize(2);
        channel.finish();
    }

    @ParameterizedTest
    @CsvSource({
        "09 0000 00000000 CE, unknown frame type",
        "01 0001 00001001 00, exceeds frame-max",
        "01 0001 FFFFFFFF 00, exceeds frame-max",
        "08 0000 00000000 CD, frame ends with 0xcd",
    })
    void malformedFramesEndDecoding(String hex, String reason) {
        channel.writeInbound(Unpooled.wrappedBuffer(io.netty.buffer.ByteBufUtil.decodeHexDump(hex.replace(" ", ""))));
        assertThat(collector.error.code()).isEqualTo(ReplyCode.FRAME_ERROR);
        assertThat(collector.error).hasMessageContaining(reason);
        channel.writeInbound(twoFrames());
        assertThat(collector.frames).isEmpty();
        channel.finish();
    }
}
