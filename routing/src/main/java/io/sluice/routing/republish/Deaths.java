package io.sluice.routing.republish;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import io.sluice.message.RoutingKeys;
import io.sluice.queue.DeathReason;
import java.util.ArrayList;
import java.util.List;

/**
 * The dead-letter history of a message as one list, the most recent death first: per entry the headers {@code sl.death.reason},
 * {@code .queue}, {@code .count}, {@code .time}, {@code .exchange}, {@code .key}, always all six in this order, then {@code
 * .expiration} if the message had a time to live, and {@code .copies} if it had further routing keys. A further death in the same queue for the same reason counts its entry up and
 * moves it to the front; all else stays that of the entry's first death, as in RabbitMQ's {@code x-death}. {@code sl.death.first} keeps which entry was the very first.
 *
 * @param entries most recent death first
 * @param first index of the entry that was made first, -1 in an empty history
 */
record Deaths(List<Death> entries, int first) {
    /** Entries kept; the oldest are dropped, so that a message cannot grow without end. */
    static final int MAX = 64;

    /**
     * One line of the history.
     *
     * @param time epoch ms
     * @param expiration time to live that the publisher gave the message, ms; -1 = none
     * @param copies further routing keys of the message that its readers may see
     */
    record Death(
            String reason,
            String queue,
            long count,
            long time,
            String exchange,
            String key,
            long expiration,
            List<String> copies) {
        boolean isLike(Death other) {
            return reason.equals(other.reason) && queue.equals(other.queue);
        }

        Death again() {
            return new Death(reason, queue, count + 1, time, exchange, key, expiration, copies);
        }

        private Death expiring(long millis) {
            return new Death(reason, queue, count, time, exchange, key, millis, copies);
        }

        private Death copied(List<String> keys) {
            return new Death(reason, queue, count, time, exchange, key, expiration, keys);
        }
    }

    /** The history of a record. Moves the header cursor. */
    static Deaths read(RecordView record) {
        List<Death> deaths = new ArrayList<>();
        long first = -1;
        record.rewindHeaders();
        while (record.nextHeader()) {
            if (record.headerNameIs(MessageHeaders.DEATH_FIRST)) {
                first = record.headerAsLong(-1);
            } else if (record.headerNameIs(MessageHeaders.DEATH_REASON)) {
                String reason = text(record);
                String queue = next(record);
                String count = next(record);
                String time = next(record);
                deaths.add(new Death(
                        reason, queue, number(count), number(time), next(record), next(record), -1, List.of()));
            } else if (record.headerNameIs(MessageHeaders.DEATH_EXPIRATION) && !deaths.isEmpty()) {
                deaths.add(deaths.remove(deaths.size() - 1).expiring(record.headerAsLong(-1)));
            } else if (record.headerNameIs(MessageHeaders.DEATH_COPIES) && !deaths.isEmpty()) {
                List<String> keys = new ArrayList<>();
                RoutingKeys.readValue(record, keys);
                deaths.add(deaths.remove(deaths.size() - 1).copied(keys));
            }
        }
        int last = deaths.size() - 1;
        return new Deaths(deaths, first >= 0 && first < last ? (int) first : last);
    }

    /** The history with a further death, whose count is worked out. */
    Deaths with(Death death) {
        Death firstEver = first < 0 ? death : entries.get(first);
        List<Death> deaths = new ArrayList<>(entries.size() + 1);
        deaths.add(death);
        for (Death earlier : entries) {
            if (earlier.isLike(death)) {
                deaths.set(0, earlier.again());
            } else if (deaths.size() < MAX) {
                deaths.add(earlier);
            }
        }
        int at = deaths.size() - 1;
        for (int i = 0; i < at; i++) {
            if (deaths.get(i).isLike(firstEver)) {
                at = i;
            }
        }
        return new Deaths(deaths, at);
    }

    /** Writes the history; answers the number of headers. */
    int write(ByteBuf out) {
        int written = entries.size() * 6;
        for (Death death : entries) {
            header(out, MessageHeaders.DEATH_REASON, death.reason());
            header(out, MessageHeaders.DEATH_QUEUE, death.queue());
            header(out, MessageHeaders.DEATH_COUNT, Long.toString(death.count()));
            header(out, MessageHeaders.DEATH_TIME, Long.toString(death.time()));
            header(out, MessageHeaders.DEATH_EXCHANGE, death.exchange());
            header(out, MessageHeaders.DEATH_KEY, death.key());
            if (death.expiration() >= 0) {
                header(out, MessageHeaders.DEATH_EXPIRATION, Long.toString(death.expiration()));
                written++;
            }
            if (!death.copies().isEmpty()) {
                RecordFields.writeHeader(out, MessageHeaders.DEATH_COPIES, RoutingKeys.encode(death.copies()));
                written++;
            }
        }
        if (first == entries.size() - 1) {
            return written;
        }
        header(out, MessageHeaders.DEATH_FIRST, Integer.toString(first));
        return written + 1;
    }

    /**
     * True if the message has died in this queue, and since then nowhere because a consumer rejected it: back there it would go
     * round without anybody taking part (RabbitMQ's mc:is_death_cycle).
     */
    boolean isCycle(String queue) {
        for (Death death : entries) {
            if (death.reason().equals(DeathReason.REJECTED.text())) {
                return false;
            }
            if (death.queue().equals(queue)) {
                return true;
            }
        }
        return false;
    }

    /** Names of the queues it died in, the most recent first. */
    List<String> queues() {
        return entries.stream().map(Death::queue).toList();
    }

    private static void header(ByteBuf out, byte[] name, String value) {
        RecordFields.writeHeader(out, name, value.getBytes(UTF_8));
    }

    private static String next(RecordView record) {
        return record.nextHeader() ? text(record) : "";
    }

    private static String text(RecordView record) {
        byte[] value = record.headerValue();
        return value == null ? "" : new String(value, UTF_8);
    }

    private static long number(String text) {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            return 0; // set by a client, not by a broker
        }
    }
}
