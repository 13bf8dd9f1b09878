package io.sluice.routing.republish;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.routing.replay.RecordAddress;
import java.util.Arrays;

/** Writes a copy of a canonical record under a new address: key, value and all other headers stay as they are. */
final class RecordCopy {
    private static final byte[] DEATH_PREFIX = "sl.death.".getBytes(UTF_8);

    private RecordCopy() {}

    /** Writes key and value. */
    static void fields(ByteBuf out, RecordView record) {
        nullable(out, record, record.keyStart(), record.keyLength());
        nullable(out, record, record.valueStart(), record.valueLength());
    }

    /**
     * Writes the record's headers but those that name its old address, its routing record, when it expires and its deaths.
     *
     * @return headers written
     */
    static int headers(ByteBuf out, RecordView record) {
        int written = 0;
        record.rewindHeaders();
        while (record.nextHeader()) {
            if (!isOldAddress(record) && !isDeath(record) && !record.headerNameIs(MessageHeaders.EXPIRES_AT)) {
                copy(out, record);
                written++;
            }
        }
        return written;
    }

    /**
     * As {@link #headers}, deaths included, for a record that any Kafka producer may have written: headers that other doors take at
     * their word (the original form of properties, a topic that is none) are left out.
     *
     * @return headers written
     */
    static int checkedHeaders(ByteBuf out, RecordView record) {
        boolean topic = RecordAddress.hasTopic(record);
        int written = 0;
        record.rewindHeaders();
        while (record.nextHeader()) {
            boolean names = record.headerNameIs(MessageHeaders.TOPIC) || record.headerNameIs(MessageHeaders.QOS);
            if (!isOldAddress(record)
                    && !record.headerNameIs(MessageHeaders.ORIGINAL)
                    && !record.headerNameIs(MessageHeaders.FROM)
                    && (topic || !names)) {
                copy(out, record);
                written++;
            }
        }
        return written;
    }

    /** Priority that the record's publisher asked for, 0 to 255; 0 if it did not. Moves the header cursor. */
    static int priority(RecordView record) {
        long priority = record.findHeader(MessageHeaders.PRIORITY) ? record.headerAsLong(0) : 0;
        return (int) Math.max(0, Math.min(255, priority));
    }

    /** When the record expires, epoch ms; -1 if never. Moves the header cursor. */
    static long expiresAt(RecordView record) {
        return record.findHeader(MessageHeaders.EXPIRES_AT) ? record.headerAsLong(-1) : -1;
    }

    /**
     * When a record of a stream asks to be delivered, epoch ms; 0 = at once. A delay counts from the time of the record. Moves the
     * header cursor.
     */
    static long dueAt(RecordView record, long now) {
        if (record.findHeader(MessageHeaders.DELIVER_AT)) {
            return Math.max(0, record.headerAsLong(0));
        }
        long delay = record.findHeader(MessageHeaders.DELAY) ? record.headerAsLong(0) : 0;
        long from = record.timestamp() < 0 ? now : record.timestamp();
        return delay <= 0 ? 0 : delay > Long.MAX_VALUE - from ? Long.MAX_VALUE : from + delay;
    }

    /**
     * Writes the record's headers but its routing record and the time at which it was due.
     *
     * @return headers written
     */
    static int dueHeaders(ByteBuf out, RecordView record) {
        int written = 0;
        record.rewindHeaders();
        while (record.nextHeader()) {
            if (!record.headerNameIs(MessageHeaders.ROUTING)
                    && !record.headerNameIs(MessageHeaders.DELIVER_AT)
                    && !record.headerNameIs(MessageHeaders.DELAY)
                    && !record.headerNameIs(MessageHeaders.BLIND_COPIES)) {
                copy(out, record);
                written++;
            }
        }
        return written;
    }

    private static boolean isOldAddress(RecordView record) {
        return record.headerNameIs(MessageHeaders.ROUTING)
                || record.headerNameIs(MessageHeaders.EXCHANGE)
                || record.headerNameIs(MessageHeaders.ROUTING_KEY);
    }

    private static void copy(ByteBuf out, RecordView record) {
        RecordFields.writeVarint(out, record.headerNameLength());
        out.writeBytes(record.buffer(), record.headerNameStart(), record.headerNameLength());
        nullable(out, record, record.headerValueStart(), record.headerValueLength());
    }

    /**
     * Writes the new address: the exchange unless it is the default one, the routing key unless the record key says it.
     *
     * @return headers written
     */
    static int address(ByteBuf out, RecordView record, String exchange, String routingKey) {
        int written = 0;
        if (!exchange.isEmpty()) {
            RecordFields.writeHeader(out, MessageHeaders.EXCHANGE, exchange.getBytes(UTF_8));
            written++;
        }
        byte[] key = routingKey.getBytes(UTF_8);
        boolean mqtt = record.findHeader(MessageHeaders.TOPIC) || record.findHeader(MessageHeaders.QOS);
        if (mqtt || !Arrays.equals(key, record.keyBytes())) {
            RecordFields.writeHeader(out, MessageHeaders.ROUTING_KEY, key);
            written++;
        }
        return written;
    }

    private static boolean isDeath(RecordView record) {
        if (record.headerNameLength() < DEATH_PREFIX.length) {
            return false;
        }
        ByteBuf in = record.buffer();
        for (int i = 0; i < DEATH_PREFIX.length; i++) {
            if (in.getByte(record.headerNameStart() + i) != DEATH_PREFIX[i]) {
                return false;
            }
        }
        return true;
    }

    private static void nullable(ByteBuf out, RecordView record, int start, int length) {
        RecordFields.writeVarint(out, length);
        if (length > 0) {
            out.writeBytes(record.buffer(), start, length);
        }
    }
}
