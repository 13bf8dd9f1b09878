package io.sluice.amqp091.publish;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * The addresses that a channel published to lately: a direct-mapped table, so that a message to a known address costs a comparison
 * of bytes and no allocation. Confined to the loop.
 */
final class PublishAddresses {
    private static final int SLOTS = 64;

    private @Nullable PublishAddress @Nullable [] slots;
    private PublishAddress last = PublishAddress.NONE;

    /** Reads exchange and routing key at the reader index. */
    PublishAddress read(ByteBuf in) {
        int at = in.readerIndex();
        int length = PublishAddress.length(in, at);
        PublishAddress address = last;
        if (!address.isAt(in, at, length)) {
            address = lookUp(in, at, length);
            last = address;
        }
        in.skipBytes(length);
        return address;
    }

    private PublishAddress lookUp(ByteBuf in, int at, int length) {
        if (at + length > in.writerIndex()) {
            throw new IndexOutOfBoundsException(length);
        }
        @Nullable PublishAddress[] table = slots;
        if (table == null) {
            table = new PublishAddress[SLOTS];
            slots = table;
        }
        int slot = PublishAddress.hash(in, at, length) & SLOTS - 1;
        PublishAddress found = table[slot];
        if (found == null || !found.isAt(in, at, length)) {
            found = PublishAddress.read(in, length);
            table[slot] = found;
        }
        return found;
    }
}
