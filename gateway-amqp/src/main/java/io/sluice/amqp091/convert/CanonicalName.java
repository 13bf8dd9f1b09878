package io.sluice.amqp091.convert;

import io.netty.buffer.ByteBuf;
import io.sluice.message.MessageHeaders;

/** The canonical record headers by number, so that one walk over a record's headers sorts them. */
@SuppressWarnings("ImmutableEnumChecker") // name bytes are private and never changed
enum CanonicalName {
    TOPIC(MessageHeaders.TOPIC),
    EXCHANGE(MessageHeaders.EXCHANGE),
    ROUTING_KEY(MessageHeaders.ROUTING_KEY),
    QOS(MessageHeaders.QOS),
    DURABLE(MessageHeaders.DURABLE),
    PRIORITY(MessageHeaders.PRIORITY),
    EXPIRES_AT(MessageHeaders.EXPIRES_AT),
    USER(MessageHeaders.USER),
    GROUP_SEQUENCE(MessageHeaders.GROUP_SEQUENCE),
    RETAIN(MessageHeaders.RETAIN),
    TYPES(MessageHeaders.TYPES),
    ORIGINAL(MessageHeaders.ORIGINAL),
    FROM(MessageHeaders.FROM),
    DEATH_REASON(MessageHeaders.DEATH_REASON),
    CONTENT_TYPE(MessageHeaders.CONTENT_TYPE),
    CONTENT_ENCODING(MessageHeaders.CONTENT_ENCODING),
    MESSAGE_ID(MessageHeaders.MESSAGE_ID),
    CORRELATION_ID(MessageHeaders.CORRELATION_ID),
    REPLY_TO(MessageHeaders.REPLY_TO),
    APP_ID(MessageHeaders.APP_ID),
    TYPE(MessageHeaders.TYPE),
    TIMESTAMP(MessageHeaders.TIMESTAMP);

    private static final CanonicalName[] ALL = values();

    private final byte[] name;

    CanonicalName(byte[] name) {
        this.name = name;
    }

    /** Ordinal of the name at this position, -1 if it is none of these. */
    static int find(ByteBuf buffer, int start, int length) {
        for (CanonicalName candidate : ALL) {
            if (candidate.name.length == length && equal(buffer, start, candidate.name)) {
                return candidate.ordinal();
            }
        }
        return -1;
    }

    /** True for names that the broker keeps to itself: {@code sl.} and {@code ~}. */
    static boolean isInternal(ByteBuf buffer, int start, int length) {
        return length > 0 && buffer.getByte(start) == '~'
                || length > 2
                        && buffer.getByte(start) == 's'
                        && buffer.getByte(start + 1) == 'l'
                        && buffer.getByte(start + 2) == '.';
    }

    static boolean equal(ByteBuf buffer, int start, byte[] name) {
        for (int i = 0; i < name.length; i++) {
            if (buffer.getByte(start + i) != name[i]) {
                return false;
            }
        }
        return true;
    }
}
