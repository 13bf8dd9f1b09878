package io.sluice.mqtt.session;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.AbstractReferenceCounted;
import io.netty.util.ReferenceCounted;
import io.sluice.mqtt.codec.PacketWriter;
import io.sluice.routing.DirectRun;

/**
 * The PUBLISH packets of a {@link DirectRun} in the bytes that all subscribers of one kind get: encoded once, then sent as a
 * shared slice (QoS 0) or copied with the subscriber's own packet identifiers put in (QoS 1). A kind is protocol version,
 * effective QoS and whether RETAIN is passed on. Immutable once made; confined to a loop.
 */
final class EncodedRun extends AbstractReferenceCounted {
    private final ByteBuf packets;
    private final int[] packetIdAt;
    private final int size;
    private final int largest;
    private final int skipped;

    private EncodedRun(ByteBuf packets, int[] packetIdAt, int size, int largest, int skipped) {
        this.packets = packets;
        this.packetIdAt = packetIdAt;
        this.size = size;
        this.largest = largest;
        this.skipped = skipped;
    }

    /** Number of the kind, below {@link DirectRun#FORMS}. */
    static int kind(boolean mqtt5, int qos, boolean retainAsPublished) {
        return (mqtt5 ? 1 : 0) | (qos > 0 ? 2 : 0) | (retainAsPublished ? 4 : 0);
    }

    /** Encodes the messages of a run. */
    static EncodedRun encode(
            DirectRun run,
            boolean mqtt5,
            int qos,
            boolean retainAsPublished,
            PublishFields fields,
            long now,
            ByteBufAllocator allocator) {
        int[] ids = qos > 0 ? new int[run.size()] : Outbound.noIdentifiers();
        int size = 0;
        int skipped = 0;
        int largest = 0;
        ByteBuf out = allocator.buffer(256 * run.size());
        try {
            for (int i = 0; i < run.size(); i++) {
                int propertyBytes = 0;
                long remaining = -1;
                if (fields.read(run.message(i), mqtt5, now)) {
                    propertyBytes = fields.propertyBytes(mqtt5, Outbound.noIdentifiers());
                    remaining = fields.remaining(mqtt5, qos > 0, propertyBytes);
                }
                if (remaining < 0 || remaining > PacketWriter.MAX_REMAINING) {
                    skipped++;
                    continue;
                }
                int start = out.writerIndex();
                int flags = (qos << 1) | (retainAsPublished && fields.retained() ? 1 : 0);
                fields.writeHead(out, flags, (int) remaining, 0, mqtt5, propertyBytes, Outbound.noIdentifiers());
                fields.writePayload(out);
                if (qos > 0) {
                    ids[size] = start + 1 + PacketWriter.sizeOfVarint((int) remaining) + 2 + fields.topic().length;
                }
                size++;
                largest = Math.max(largest, out.writerIndex() - start);
            }
            return new EncodedRun(out, ids, size, largest, skipped);
        } catch (RuntimeException e) {
            out.release();
            throw e;
        }
    }

    /** All packets; borrowed, its indexes not to be moved. */
    ByteBuf packets() {
        return packets;
    }

    /** Number of packets. */
    int size() {
        return size;
    }

    /** Index in {@link #packets} of a packet's identifier, 2 bytes; QoS 1 only. */
    int packetIdAt(int i) {
        return packetIdAt[i];
    }

    /** Bytes of the largest packet. */
    int largest() {
        return largest;
    }

    /** Messages that are not in it: expired, or without a form in MQTT. */
    int skipped() {
        return skipped;
    }

    @Override
    protected void deallocate() {
        packets.release();
    }

    @Override
    public ReferenceCounted touch(Object hint) {
        return this;
    }
}
