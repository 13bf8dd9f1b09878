package io.sluice.amqp091.convert;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.sluice.amqp091.codec.FieldTable;
import io.sluice.amqp091.codec.Wire;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordView;
import io.sluice.message.RoutingKeys;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * {@code sl.death.*} as RabbitMQ's {@code x-death} array and {@code x-first-death-*}, {@code x-last-death-*}. The headers repeat per
 * entry, the most recent death first, as the array has them. Stateless.
 */
final class DeathHistory {
    private DeathHistory() {}

    static void write(ByteBuf out, RecordView record) {
        List<String> reasons = values(record, MessageHeaders.DEATH_REASON);
        List<String> queues = values(record, MessageHeaders.DEATH_QUEUE);
        List<String> times = values(record, MessageHeaders.DEATH_TIME);
        List<String> counts = values(record, MessageHeaders.DEATH_COUNT);
        List<String> exchanges = values(record, MessageHeaders.DEATH_EXCHANGE);
        List<String> keys = values(record, MessageHeaders.DEATH_KEY);
        List<@Nullable Object> deaths = new ArrayList<>();
        String[] expirations = expirations(record, reasons.size());
        List<List<String>> copies = copies(record, reasons.size());
        for (int i = 0; i < reasons.size(); i++) {
            Map<String, @Nullable Object> death = new LinkedHashMap<>();
            death.put("count", number(at(counts, i), 1));
            death.put("reason", at(reasons, i));
            death.put("queue", at(queues, i));
            death.put("time", Instant.ofEpochMilli(number(at(times, i), record.timestamp())));
            death.put("exchange", at(exchanges, i));
            List<String> routingKeys = new ArrayList<>();
            routingKeys.add(at(keys, i));
            routingKeys.addAll(copies.get(i));
            death.put("routing-keys", routingKeys);
            if (expirations[i] != null) {
                death.put("original-expiration", expirations[i]);
            }
            deaths.add(death);
        }
        Wire.writeShortString(out, "x-death");
        FieldTable.writeValue(out, deaths);
        int oldest = reasons.size() - 1;
        int first = record.findHeader(MessageHeaders.DEATH_FIRST)
                ? (int) Math.max(0, Math.min(oldest, record.headerAsLong(oldest)))
                : oldest;
        writeEnds(out, "x-first-death-", at(reasons, first), at(queues, first), at(exchanges, first));
        writeEnds(out, "x-last-death-", at(reasons, 0), at(queues, 0), at(exchanges, 0));
    }

    private static void writeEnds(ByteBuf out, String prefix, String reason, String queue, String exchange) {
        HeaderValues.writeText(out, prefix + "reason", reason);
        HeaderValues.writeText(out, prefix + "queue", queue);
        HeaderValues.writeText(out, prefix + "exchange", exchange);
    }

    private static String at(List<String> values, int index) {
        return index < values.size() ? values.get(index) : "";
    }

    private static long number(String text, long fallback) {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            return fallback;
        }
    }

    /** Per entry the time to live that follows it, which not every entry has. */
    private static @Nullable String[] expirations(RecordView record, int entries) {
        @Nullable String[] expirations = new String[entries];
        int entry = -1;
        record.rewindHeaders();
        while (record.nextHeader()) {
            if (record.headerNameIs(MessageHeaders.DEATH_REASON)) {
                entry++;
            } else if (entry >= 0 && record.headerNameIs(MessageHeaders.DEATH_EXPIRATION)) {
                expirations[entry] = text(record);
            }
        }
        return expirations;
    }

    /** Per entry the further routing keys that follow it. */
    private static List<List<String>> copies(RecordView record, int entries) {
        List<List<String>> copies = new ArrayList<>();
        for (int i = 0; i < entries; i++) {
            copies.add(new ArrayList<>(0));
        }
        int entry = -1;
        record.rewindHeaders();
        while (record.nextHeader()) {
            if (record.headerNameIs(MessageHeaders.DEATH_REASON)) {
                entry++;
            } else if (entry >= 0 && record.headerNameIs(MessageHeaders.DEATH_COPIES)) {
                RoutingKeys.readValue(record, copies.get(entry));
            }
        }
        return copies;
    }

    private static String text(RecordView record) {
        return record.buffer().toString(record.headerValueStart(), Math.max(0, record.headerValueLength()), UTF_8);
    }

    private static List<String> values(RecordView record, byte[] name) {
        List<String> values = new ArrayList<>(2);
        record.rewindHeaders();
        while (record.nextHeader()) {
            if (record.headerNameIs(name)) {
                values.add(text(record));
            }
        }
        return values;
    }
}
