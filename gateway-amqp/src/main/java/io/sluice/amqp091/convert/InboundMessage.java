package io.sluice.amqp091.convert;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.sluice.amqp091.codec.AmqpException;
import io.sluice.amqp091.codec.ContentHeader;
import io.sluice.amqp091.codec.FieldTable;
import io.sluice.amqp091.codec.ReplyCode;
import io.sluice.message.HeaderTypes;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RoutingKeys;
import io.sluice.routing.BindingArguments;
import io.sluice.shard.PublishBatch;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Writes a published message's properties as canonical record headers. Where these cannot rebuild the properties exactly
 * (nested or odd field types, names that mean something else in the canonical form, cluster-id), the property section is kept
 * whole in {@code sl.orig}. Reusable, one per channel; confined to its loop.
 *
 * <p>Use: {@link #inspect}, then key and value, then {@link #writeHeaders}.
 */
public final class InboundMessage {
    /** Largest property section kept in {@code sl.orig}, bytes. */
    public static final int MAX_ORIGINAL = 64 * 1024;

    /** Longest expiration, ten years in ms, as RabbitMQ has it. */
    private static final long MAX_EXPIRATION = 315_360_000_000L;

    private static final byte[] X_KEY = ascii("x-key");
    private static final byte[] CC = ascii("CC");
    private static final byte[] BCC = ascii("BCC");
    private static final byte[] X_DELAY = ascii("x-delay");
    private static final byte[] X_RETAIN = ascii("x-retain");
    private static final byte[] X_GROUP_SEQUENCE = ascii("x-group-seq");
    /** Headers for values that do not fit their property: property, header, canonical name. */
    private static final Overlong[] OVERLONG = {
        new Overlong(ContentHeader.CORRELATION_ID, ascii("x-correlation-id"), MessageHeaders.CORRELATION_ID),
        new Overlong(ContentHeader.MESSAGE_ID, ascii("x-message-id"), MessageHeaders.MESSAGE_ID),
        new Overlong(ContentHeader.REPLY_TO, ascii("x-reply-to"), MessageHeaders.REPLY_TO)
    };

    private static final byte[] AMQP_091 = ascii("amqp091");
    private static final byte[] ONE = ascii("1");
    private static final byte[] ZERO = ascii("0");

    @SuppressWarnings("ArrayRecordComponent") // compared by nobody
    private record Overlong(int property, byte[] header, byte[] canonical) {}

    private final ContentHeader header;
    private final StringBuilder types = new StringBuilder();
    private boolean original;
    private int keyStart;
    private int keyLength;
    private long delayMillis;
    private long expirationMillis;
    private long producerSeconds;
    private boolean retain;
    private List<String> copies = List.of();
    private List<String> blindCopies = List.of();

    public InboundMessage(ContentHeader header) {
        this.header = header;
    }

    /**
     * Checks the properties, and takes the blind copies out of them.
     *
     * @throws AmqpException PRECONDITION_FAILED for a bad expiration, delay, CC or BCC
     */
    public void inspect() {
        ContentHeader h = header;
        original = h.has(ContentHeader.CLUSTER_ID);
        keyLength = -1;
        retain = false;
        expirationMillis = -1;
        delayMillis = 0;
        producerSeconds = -1;
        copies = List.of();
        blindCopies = List.of();
        if (h.has(ContentHeader.HEADERS)) {
            inspectTable(h);
        }
        if (h.has(ContentHeader.EXPIRATION)) {
            expirationMillis = expiration(h.text(ContentHeader.EXPIRATION));
        }
        if (h.has(ContentHeader.TIMESTAMP)) {
            long seconds = h.buffer().getLong(h.start(ContentHeader.TIMESTAMP));
            if (seconds >= 0 && seconds <= MessageHeaders.MAX_SECONDS) {
                producerSeconds = seconds;
            }
        }
        if (original && h.buffer().readableBytes() > MAX_ORIGINAL) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED,
                    "properties of more than " + MAX_ORIGINAL + " bytes with nested fields");
        }
    }

    private void inspectTable(ContentHeader h) {
        int blind = -1;
        int blindEnd = -1;
        ByteBuf in = h.buffer();
        int end = h.start(ContentHeader.HEADERS) + h.length(ContentHeader.HEADERS);
        in.readerIndex(h.start(ContentHeader.HEADERS));
        int count = 0;
        while (in.readerIndex() < end) {
            int length = in.readUnsignedByte();
            int start = in.readerIndex();
            in.skipBytes(length);
            byte letter = in.readByte();
            int value = in.readerIndex();
            FieldTable.skipValue(in, letter);
            if (in.readerIndex() > end || ++count > FieldTable.MAX_FIELDS) {
                throw new AmqpException(ReplyCode.SYNTAX_ERROR, "malformed headers table");
            }
            // two names that are no text may read the same in the list of types
            original |= !HeaderValues.isExact(letter)
                    || isReserved(in, start, length)
                    || letter != 'S' && !ByteBufUtil.isText(in, start, length, UTF_8);
            if (is(in, start, length, X_KEY) && (letter == 'S' || letter == 'x')) {
                keyStart = value + 4;
                keyLength = in.readerIndex() - keyStart;
            } else if (is(in, start, length, X_RETAIN)) {
                retain =
                        letter == 't' ? in.getBoolean(value) : letter == 'S' && isTrue(in, value + 4, in.readerIndex());
            } else if (isGroupSequence(in, start, length, letter) || overlong(in, start, length, letter) != null) {
                original = true; // has a field of its own in the canonical form
            } else if (is(in, start, length, CC)) {
                copies = copies(in, "CC", letter, value);
            } else if (is(in, start, length, BCC)) {
                blindCopies = copies(in, "BCC", letter, value);
                blind = start - 1;
                blindEnd = in.readerIndex();
            }
            if (is(in, start, length, X_DELAY)) {
                delayMillis = delay(in, value, letter);
            }
            if (letter == 'S' && !ByteBufUtil.isText(in, value + 4, in.readerIndex() - value - 4, UTF_8)) {
                original = true;
            }
        }
        in.readerIndex(0);
        if (blind >= 0) {
            List<String> hidden = blindCopies;
            h.removeHeader(blind, blindEnd);
            inspectTable(h); // positions have moved
            blindCopies = hidden;
        }
    }

    /** Routing keys of a CC or BCC header: an array of text; what is no text in it is passed over, as in RabbitMQ. */
    private static List<String> copies(ByteBuf in, String name, byte letter, int value) {
        int end = in.readerIndex();
        in.readerIndex(value - 1);
        Object array = FieldTable.readValue(in);
        in.readerIndex(end);
        if (!(array instanceof List<?> values)) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED,
                    "invalid message: {unacceptable_type_in_header,\"" + name + "\","
                            + BindingArguments.typeName(HeaderValues.code(letter)) + '}');
        }
        List<String> keys = new ArrayList<>();
        for (Object key : values) {
            if (key instanceof String text) {
                keys.add(text);
            }
        }
        return keys;
    }

    /** True if the sender gave more routing keys than one. */
    public boolean hasCopies() {
        return !copies.isEmpty() || !blindCopies.isEmpty();
    }

    /** All routing keys of the message, {@code first} the one it was published with. */
    public List<String> routingKeys(String first) {
        List<String> keys = new ArrayList<>();
        keys.add(first);
        keys.addAll(copies);
        keys.addAll(blindCopies);
        return keys;
    }

    /** As RabbitMQ's delayed message exchange: any kind of integer, at once if not positive; text is not a delay there. */
    private static long delay(ByteBuf in, int value, byte letter) {
        long millis = switch (letter) {
            case 'b' -> in.getByte(value);
            case 'B' -> in.getUnsignedByte(value);
            case 's' -> in.getShort(value);
            case 'u' -> in.getUnsignedShort(value);
            case 'I' -> in.getInt(value);
            case 'i' -> in.getUnsignedInt(value);
            case 'l', 'L' -> in.getLong(value);
            default -> 0;
        };
        if (millis > MAX_EXPIRATION) {
            throw new AmqpException(
                    ReplyCode.PRECONDITION_FAILED, "header 'x-delay' of " + millis + " ms is above " + MAX_EXPIRATION);
        }
        return Math.max(0, millis);
    }

    private static boolean isReserved(ByteBuf in, int start, int length) {
        return CanonicalName.isInternal(in, start, length) || CanonicalName.find(in, start, length) >= 0;
    }

    private static boolean isTrue(ByteBuf in, int start, int end) {
        return "true".equals(in.toString(start, end - start, US_ASCII));
    }

    private static boolean isGroupSequence(ByteBuf in, int start, int length, byte letter) {
        return is(in, start, length, X_GROUP_SEQUENCE) && (letter == 'l' || letter == 'I' || letter == 's');
    }

    /** The field whose long form this header is, unless its property is there too. */
    private @Nullable Overlong overlong(ByteBuf in, int start, int length, byte letter) {
        if (letter == 'S' || letter == 'x') {
            for (Overlong candidate : OVERLONG) {
                if (is(in, start, length, candidate.header()) && !header.has(candidate.property())) {
                    return candidate;
                }
            }
        }
        return null;
    }

    /** Milliseconds in decimal, up to ten years; refused as RabbitMQ does (rabbit_basic:parse_expiration). */
    private static long expiration(String text) {
        int digits = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
        int end = digits;
        long millis = 0;
        while (end < text.length() && text.charAt(end) >= '0' && text.charAt(end) <= '9') {
            millis = Math.min(MAX_EXPIRATION + 1, millis * 10 + text.charAt(end) - '0');
            end++;
        }
        String why;
        if (end == digits) {
            why = "no_integer";
        } else if (end < text.length()) {
            why = "{leftover_string,\"" + text.substring(end) + "\"}";
        } else if (text.charAt(0) == '-' && millis > 0) {
            why = "{value_negative," + text + '}';
        } else if (millis > MAX_EXPIRATION) {
            why = "{value_too_large," + text + '}';
        } else {
            return millis;
        }
        throw new AmqpException(ReplyCode.PRECONDITION_FAILED, "invalid expiration '" + text + "': " + why);
    }

    /** Priority as published, 0 to 255; 0 if it does not say. */
    public int priority() {
        return header.has(ContentHeader.PRIORITY) ? header.octet(ContentHeader.PRIORITY) : 0;
    }

    /** Milliseconds that the message may wait in queues, {@link PublishBatch#FOREVER} if it does not say. */
    public long timeToLive() {
        return expirationMillis < 0 ? PublishBatch.FOREVER : expirationMillis;
    }

    /** Milliseconds after which the message is to be routed, by header {@code x-delay}; 0 = at once. */
    public long delay() {
        return delayMillis;
    }

    /** True if header {@code x-key} gives the record key. */
    public boolean hasKey() {
        return keyLength >= 0;
    }

    /** Position of {@code x-key} in the header's buffer. */
    public int keyStart() {
        return keyStart;
    }

    public int keyLength() {
        return keyLength;
    }

    /** True if header {@code x-retain} asks for the message to be kept as the retained one of its topic. */
    public boolean isRetained() {
        return retain;
    }

    /**
     * Record timestamp, epoch ms: the producer's, else {@code now}; always {@code now} with an expiration, which counts from the
     * publish and which readers take from the record's time.
     */
    public long timestamp(long now) {
        return producerSeconds >= 0 && expirationMillis < 0 ? producerSeconds * 1000 : now;
    }

    /**
     * Writes the headers.
     *
     * @param exchange name bytes; empty for the default exchange
     * @param routingKey routing key bytes
     * @param otherKey the record key is not the routing key
     * @param now epoch ms
     * @return number of headers written
     */
    public int writeHeaders(ByteBuf out, byte[] exchange, byte[] routingKey, boolean otherKey, long now) {
        ContentHeader h = header;
        int count = 0;
        types.setLength(0);
        if (h.has(ContentHeader.HEADERS)) {
            count += writeTable(out, h);
        }
        if (exchange.length > 0) {
            RecordFields.writeHeader(out, MessageHeaders.EXCHANGE, exchange);
            count++;
        }
        if (otherKey) {
            RecordFields.writeHeader(out, MessageHeaders.ROUTING_KEY, routingKey);
            count++;
        }
        if (retain) {
            RecordFields.writeHeader(out, MessageHeaders.RETAIN, ONE);
            count++;
        }
        if (h.has(ContentHeader.DELIVERY_MODE)) {
            RecordFields.writeHeader(
                    out, MessageHeaders.DURABLE, h.octet(ContentHeader.DELIVERY_MODE) == 2 ? ONE : ZERO);
            count++;
        }
        if (h.has(ContentHeader.PRIORITY)) {
            RecordFields.writeHeader(
                    out, MessageHeaders.PRIORITY, ascii(Integer.toString(h.octet(ContentHeader.PRIORITY))));
            count++;
        }
        if (expirationMillis >= 0) {
            RecordFields.writeHeader(out, MessageHeaders.EXPIRES_AT, ascii(Long.toString(now + expirationMillis)));
            count++;
        }
        if (h.has(ContentHeader.TIMESTAMP)) {
            long seconds = h.buffer().getLong(h.start(ContentHeader.TIMESTAMP));
            RecordFields.writeHeader(out, MessageHeaders.TIMESTAMP, ascii(Long.toString(seconds)));
            count++;
        }
        count += writeText(out, h, ContentHeader.CONTENT_TYPE, MessageHeaders.CONTENT_TYPE);
        count += writeText(out, h, ContentHeader.CONTENT_ENCODING, MessageHeaders.CONTENT_ENCODING);
        count += writeText(out, h, ContentHeader.CORRELATION_ID, MessageHeaders.CORRELATION_ID);
        count += writeText(out, h, ContentHeader.REPLY_TO, MessageHeaders.REPLY_TO);
        count += writeText(out, h, ContentHeader.MESSAGE_ID, MessageHeaders.MESSAGE_ID);
        count += writeText(out, h, ContentHeader.TYPE, MessageHeaders.TYPE);
        count += writeText(out, h, ContentHeader.USER_ID, MessageHeaders.USER);
        count += writeText(out, h, ContentHeader.APP_ID, MessageHeaders.APP_ID);
        if (!copies.isEmpty()) {
            RecordFields.writeHeader(out, MessageHeaders.COPIES, RoutingKeys.encode(copies));
            count++;
        }
        if (!blindCopies.isEmpty() && delayMillis > 0) {
            RecordFields.writeHeader(out, MessageHeaders.BLIND_COPIES, RoutingKeys.encode(blindCopies));
            count++;
        }
        if (types.length() > 0) {
            RecordFields.writeHeader(out, MessageHeaders.TYPES, types.toString().getBytes(UTF_8));
            count++;
        }
        if (original) {
            RecordFields.writeHeader(out, MessageHeaders.ORIGINAL, h.buffer());
            RecordFields.writeHeader(out, MessageHeaders.FROM, AMQP_091);
            count += 2;
        }
        return count;
    }

    private static int writeText(ByteBuf out, ContentHeader h, int property, byte[] name) {
        if (!h.has(property)) {
            return 0;
        }
        writeHeader(out, name, h.buffer(), h.start(property), h.length(property));
        return 1;
    }

    private int writeTable(ByteBuf out, ContentHeader h) {
        ByteBuf in = h.buffer();
        int end = h.start(ContentHeader.HEADERS) + h.length(ContentHeader.HEADERS);
        in.readerIndex(h.start(ContentHeader.HEADERS));
        int count = 0;
        while (in.readerIndex() < end) {
            int length = in.readUnsignedByte();
            int start = in.readerIndex();
            in.skipBytes(length);
            byte letter = in.getByte(in.readerIndex());
            int value = in.readerIndex() + 1;
            boolean shadowed = isReserved(in, start, length);
            if (shadowed && CanonicalName.isInternal(in, start, length)) {
                in.readerIndex(value);
                FieldTable.skipValue(in, letter);
                continue;
            }
            Overlong field = overlong(in, start, length, letter);
            boolean sequence = isGroupSequence(in, start, length, letter);
            if (field != null) {
                RecordFields.writeVarint(out, field.canonical().length);
                out.writeBytes(field.canonical());
            } else if (sequence) {
                RecordFields.writeVarint(out, MessageHeaders.GROUP_SEQUENCE.length);
                out.writeBytes(MessageHeaders.GROUP_SEQUENCE);
            } else {
                RecordFields.writeVarint(out, shadowed ? length + MessageHeaders.SHADOWED_PREFIX.length : length);
                if (shadowed) { // would be read as the property of this name
                    out.writeBytes(MessageHeaders.SHADOWED_PREFIX);
                }
                out.writeBytes(in, start, length);
            }
            if (letter == 'S' || letter == 'x') {
                int size = in.getInt(value);
                RecordFields.writeVarint(out, size);
                out.writeBytes(in, value + 4, size);
                in.readerIndex(value + 4 + size);
            } else {
                String text = HeaderValues.text(FieldTable.readValue(in));
                RecordFields.writeBytes(out, text == null ? null : text.getBytes(UTF_8));
            }
            char code = HeaderValues.code(letter);
            if (code != 0 && field == null && !sequence) {
                HeaderTypes.append(types, in.toString(start, length, UTF_8), code);
            }
            count++;
        }
        in.readerIndex(0);
        return count;
    }

    private static void writeHeader(ByteBuf out, byte[] name, ByteBuf source, int start, int length) {
        RecordFields.writeVarint(out, name.length);
        out.writeBytes(name);
        RecordFields.writeVarint(out, length);
        out.writeBytes(source, start, length);
    }

    private static boolean is(ByteBuf in, int start, int length, byte[] name) {
        return length == name.length && CanonicalName.equal(in, start, name);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(US_ASCII);
    }
}
