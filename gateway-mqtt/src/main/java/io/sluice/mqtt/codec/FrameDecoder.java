package io.sluice.mqtt.codec;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.mqtt.MqttDecoder;
import org.jspecify.annotations.Nullable;

/**
 * Cuts the byte stream into control packets (MQTT 5.0 section 2.1) within a size limit. PUBLISH, PUBACK and PINGREQ go
 * straight to the {@link Sink} without an object per packet; every other packet goes through {@link PacketCheck} and netty's
 * {@code MqttDecoder}, which is in the pipeline only meanwhile: a connection that just listens does not hold one. After a
 * malformed packet it discards all input.
 *
 * <pre>
 *  byte 1        bytes 2..5               remaining length bytes
 *  type | flags  remaining length varint  variable header, payload
 * </pre>
 */
public final class FrameDecoder extends ChannelInboundHandlerAdapter {
    /** Takes the packets that are decoded here. Calls happen on the event loop while input is held by the decoder. */
    public interface Sink {
        /**
         * A PUBLISH.
         *
         * @param flags low four bits of the first byte: DUP, QoS, RETAIN
         * @param in buffer that holds it; retain it to keep its bytes
         * @param start index of the topic length
         * @param end index after the payload
         */
        void publish(int flags, ByteBuf in, int start, int end);

        /** A PUBACK; {@code reason} is 0 unless MQTT 5.0 gave one. */
        void puback(int packetId, int reason);

        void pingRequest();

        /** The input is not MQTT or breaks a limit; nothing else is decoded. */
        void malformed(int reason, String message);
    }

    private static final byte[] PROTOCOL_NAME = "MQTT".getBytes(US_ASCII);
    private static final int MQTT_3_1_NAME_LENGTH = 6; // MQIsdp
    private static final int CONNECT = 1;
    private static final int PUBLISH = 3;
    private static final int PUBACK = 4;
    private static final int SUBSCRIBE = 8;
    private static final int UNSUBSCRIBE = 10;
    private static final int PINGREQ = 12;
    private static final int DISCONNECT = 14;
    private static final int AUTH = 15;
    private static final int MIN_COPY = 256;

    private static final String CODEC = "mqtt-codec";

    private final Sink sink;
    private final int maxClientId;
    private int maxPacketBytes;
    private boolean connected;
    private boolean version5;
    private boolean paused;
    private boolean discarding;
    private boolean decoding;
    private boolean decoded;
    private boolean cutShort;
    private int connectLevel;
    private @Nullable ByteBuf input;

    /**
     * Creates a decoder.
     *
     * @param maxConnectBytes largest first packet in bytes, fixed header included
     * @param maxClientId longest client identifier, characters
     */
    public FrameDecoder(Sink sink, int maxConnectBytes, int maxClientId) {
        this.sink = sink;
        this.maxClientId = maxClientId;
        this.maxPacketBytes = maxConnectBytes;
    }

    /** The client is connected: any packet may follow. */
    public void connected(boolean mqtt5, int maxBytes) {
        connected = true;
        version5 = mqtt5;
        maxPacketBytes = maxBytes;
    }

    /** Protocol level of the CONNECT, known as soon as its first bytes are; 0 if there is none or it is not MQTT. */
    public int connectLevel() {
        return connectLevel;
    }

    /** True if the channel closed while input was held that was not worked on. */
    public boolean cutShort() {
        return cutShort;
    }

    /** The codec made a message of the packet it was given. */
    public void decoded() {
        decoded = true;
    }

    /** Stops decoding after the current packet; what was read stays here. The caller also stops reading the channel. */
    public void pause() {
        paused = true;
    }

    /** Goes on after {@link #pause} with what was read meanwhile. */
    public void resume(ChannelHandlerContext ctx) {
        paused = false;
        if (!decoding) {
            decodeInput(ctx);
        }
    }

    /** Drops all input from now on. */
    public void discard() {
        discarding = true;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ByteBuf read = (ByteBuf) msg;
        if (discarding) {
            read.release();
            return;
        }
        ByteBuf held = input;
        input = held == null ? read : ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(ctx.alloc(), held, read);
        if (!paused && !decoding) {
            decodeInput(ctx);
        }
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        releaseInput();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        ByteBuf in = input;
        cutShort = in != null && in.isReadable();
        discarding = true;
        releaseInput();
        ctx.fireChannelInactive();
    }

    private void decodeInput(ChannelHandlerContext ctx) {
        decoding = true;
        try {
            boolean more = true;
            while (more && !paused && !discarding) {
                ByteBuf in = input;
                more = in != null && decodeOne(ctx, in);
            }
        } catch (ProtocolViolation e) {
            fail(e.reason(), e.getMessage() == null ? "malformed packet" : e.getMessage());
        } finally {
            decoding = false;
        }
        ByteBuf in = input;
        if (in != null && (discarding || !in.isReadable())) {
            releaseInput();
        } else if (in != null
                && in.readerIndex() > 0
                && in.readableBytes() < MIN_COPY
                && in.capacity() > 4 * MIN_COPY) {
            // A few left-over bytes must not hold a whole read buffer.
            ByteBuf small = ctx.alloc().buffer(in.readableBytes());
            small.writeBytes(in);
            in.release();
            input = small;
        }
    }

    private boolean decodeOne(ChannelHandlerContext ctx, ByteBuf in) {
        int start = in.readerIndex();
        int readable = in.readableBytes();
        if (readable < 2) {
            return false;
        }
        int remaining = 0;
        int at = start + 1;
        int shift = 0;
        int b;
        do {
            if (at - start > 4) {
                throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "remaining length is longer than 4 bytes");
            }
            if (at - start >= readable) {
                return false;
            }
            b = in.getByte(at++);
            remaining |= (b & 0x7F) << shift;
            shift += 7;
        } while (b < 0);
        int first = in.getUnsignedByte(start);
        int type = first >>> 4;
        int total = at - start + remaining;
        if (!connected && type != CONNECT) {
            throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "first packet is not CONNECT");
        }
        if (total > maxPacketBytes) {
            throw new ProtocolViolation(
                    ReasonCode.PACKET_TOO_LARGE, "packet of " + total + " bytes, limit is " + maxPacketBytes);
        }
        if (readable < total) {
            return false;
        }
        int end = start + total;
        switch (type) {
            case PUBLISH -> {
                in.readerIndex(end);
                sink.publish(first & 0x0F, in, at, end);
            }
            case PUBACK -> {
                in.readerIndex(end);
                puback(first, in, at, remaining);
            }
            case PINGREQ -> {
                in.readerIndex(end);
                if (first != 0xC0 || remaining != 0) {
                    throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "malformed PINGREQ");
                }
                sink.pingRequest();
            }
            default -> {
                check(type, first & 0x0F, in, at, end);
                decodeByCodec(ctx, in.readRetainedSlice(total));
            }
        }
        return true;
    }

    private void decodeByCodec(ChannelHandlerContext ctx, ByteBuf packet) {
        // The limits are checked above: what reaches the codec has passed them.
        MqttDecoder codec = new MqttDecoder(Integer.MAX_VALUE, maxClientId);
        ctx.pipeline().addAfter(ctx.name(), CODEC, codec);
        ChannelHandlerContext added = ctx.pipeline().context(codec);
        decoded = false;
        ctx.fireChannelRead(packet);
        if (!added.isRemoved()) {
            ctx.pipeline().remove(codec);
        }
        if (!decoded && !discarding) {
            // A length within it points behind its end, and the codec waits for bytes that are not its.
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "malformed packet: it ends early");
        }
    }

    private void check(int type, int flags, ByteBuf in, int at, int end) {
        switch (type) {
            case CONNECT -> {
                if (connected) {
                    throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "second CONNECT");
                }
                requireFlags(type, flags, 0);
                checkConnect(in, at, end);
            }
            case SUBSCRIBE -> {
                requireFlags(type, flags, 2);
                PacketCheck.subscribe(in, at, end, version5);
            }
            case UNSUBSCRIBE -> {
                requireFlags(type, flags, 2);
                PacketCheck.unsubscribe(in, at, end, version5);
            }
            case DISCONNECT -> {
                requireFlags(type, flags, 0);
                PacketCheck.disconnect(in, at, end, version5);
            }
            case AUTH -> {
                if (!version5) {
                    throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "packet type 15 in MQTT 3.1.1");
                }
                requireFlags(type, flags, 0);
            }
            case 5, 6, 7 ->
                throw new ProtocolViolation(ReasonCode.QOS_NOT_SUPPORTED, "packet type " + type + " belongs to QoS 2");
            default -> throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "packet type " + type + " from a client");
        }
    }

    private static void requireFlags(int type, int flags, int required) {
        if (flags != required) {
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "reserved flags of packet type " + type);
        }
    }

    /** Protocol name and level (section 3.1.2.1, 3.1.2.2): only levels 4 and 5 of MQTT reach the codec; then the rest. */
    private void checkConnect(ByteBuf in, int at, int end) {
        if (end - at < 2) {
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "CONNECT without protocol name");
        }
        int length = in.getUnsignedShort(at);
        if (at + 2 + length + 1 > end) {
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "CONNECT without protocol level");
        }
        boolean mqtt = length == PROTOCOL_NAME.length;
        for (int i = 0; mqtt && i < length; i++) {
            mqtt = in.getByte(at + 2 + i) == PROTOCOL_NAME[i];
        }
        int level = in.getUnsignedByte(at + 2 + length);
        boolean mqtt31 = length == MQTT_3_1_NAME_LENGTH && in.getByte(at + 2) == 'M' && level == 3;
        connectLevel = mqtt || mqtt31 ? level : 0;
        if (!mqtt || (level != 4 && level != 5)) {
            throw new ProtocolViolation(
                    ReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
                    mqtt ? "protocol level " + level + " is not supported" : "protocol name is not MQTT");
        }
        PacketCheck.connect(in, at + 2 + length + 1, end, level == 5);
    }

    private void puback(int first, ByteBuf in, int at, int remaining) {
        if (first != 0x40 || remaining < 2 || (!version5 && remaining != 2)) {
            throw new ProtocolViolation(ReasonCode.MALFORMED_PACKET, "malformed PUBACK");
        }
        int packetId = in.getUnsignedShort(at);
        if (packetId == 0) {
            throw new ProtocolViolation(ReasonCode.PROTOCOL_ERROR, "PUBACK with packet identifier 0");
        }
        if (remaining > 3) {
            PacketCheck.pubackProperties(in, at + 3, at + remaining);
        }
        sink.puback(packetId, remaining > 2 ? in.getUnsignedByte(at + 2) : 0);
    }

    private void fail(int reason, String message) {
        discarding = true;
        sink.malformed(reason, message);
    }

    private void releaseInput() {
        ByteBuf in = input;
        if (in != null) {
            input = null;
            in.release();
        }
    }
}
