package io.sluice.routing.republish;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.sluice.message.MessageHeaders;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import java.util.ArrayList;
import java.util.List;

/**
 * The dead-letter history of a message as one list: per entry the headers {@code sl.death.reason}, {@code .queue}, {@code
 * .count}, {@code .time}, {@code .exchange}, {@code .key}, always all six in this order, newest entry first. A further death in
 * the same queue for the same reason counts its entry up and moves it to the front.
 */
final class Deaths {
    /** Entries kept; the oldest are dropped, so that a message cannot grow without end. */
    static final int MAX = 64;

    /** One line of the history; time in epoch ms. */
    record Death(String reason, String queue, long count, long time, String exchange, String key) {}

    private Deaths() {}

    /** The history of a record, newest first. Moves the header cursor. */
    static List<Death> read(RecordView record) {
        List<Death> deaths = new ArrayList<>();
        record.rewindHeaders();
        while (record.nextHeader()) {
            if (!record.headerNameIs(MessageHeaders.DEATH_REASON)) {
                continue;
            }
            String reason = text(record);
            String queue = next(record);
            String count = next(record);
            String time = next(record);
            deaths.add(new Death(reason, queue, number(count), number(time), next(record), next(record)));
        }
        return deaths;
    }

    /** The history with a further death, whose count is worked out. */
    static List<Death> with(List<Death> history, Death death) {
        List<Death> deaths = new ArrayList<>(history.size() + 1);
        long count = 1;
        for (Death earlier : history) {
            if (earlier.reason().equals(death.reason()) && earlier.queue().equals(death.queue())) {
                count = earlier.count() + 1;
            } else if (deaths.size() < MAX - 1) {
                deaths.add(earlier);
            }
        }
        deaths.add(0, new Death(death.reason(), death.queue(), count, death.time(), death.exchange(), death.key()));
        return deaths;
    }

    /** Writes the history; answers the number of headers. */
    static int write(ByteBuf out, List<Death> deaths) {
        for (Death death : deaths) {
            header(out, MessageHeaders.DEATH_REASON, death.reason());
            header(out, MessageHeaders.DEATH_QUEUE, death.queue());
            header(out, MessageHeaders.DEATH_COUNT, Long.toString(death.count()));
            header(out, MessageHeaders.DEATH_TIME, Long.toString(death.time()));
            header(out, MessageHeaders.DEATH_EXCHANGE, death.exchange());
            header(out, MessageHeaders.DEATH_KEY, death.key());
        }
        return deaths.size() * 6;
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
