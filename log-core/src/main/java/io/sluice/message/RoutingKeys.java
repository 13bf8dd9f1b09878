package io.sluice.message;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;

/** Values of the headers {@code sl.cc} and {@code sl.bcc}: routing keys, each with its length before it. Stateless. */
public final class RoutingKeys {
    private RoutingKeys() {}

    /** The header's value. */
    public static byte[] encode(List<String> keys) {
        ByteBuf out = Unpooled.buffer();
        for (String key : keys) {
            RecordFields.writeBytes(out, key.getBytes(UTF_8));
        }
        return ByteBufUtil.getBytes(out);
    }

    /** Adds the keys under a header to {@code keys}; a value that is none, set by another producer, adds nothing. */
    public static void read(RecordView record, byte[] header, List<String> keys) {
        if (record.findHeader(header)) {
            readValue(record, keys);
        }
    }

    /** As {@link #read}, of the header that the record's cursor is at. */
    public static void readValue(RecordView record, List<String> keys) {
        List<String> found = new ArrayList<>();
        int at = record.headerValueStart();
        int end = at + Math.max(0, record.headerValueLength());
        while (at < end) {
            int length = 0;
            int shift = 0;
            byte read;
            do {
                read = record.buffer().getByte(at++);
                length |= (read & 0x7F) << shift;
                shift += 7;
            } while (read < 0 && shift < 28 && at < end);
            length >>>= 1; // lengths are not negative
            if (length > end - at) {
                return;
            }
            found.add(record.buffer().toString(at, length, UTF_8));
            at += length;
        }
        keys.addAll(found);
    }
}
