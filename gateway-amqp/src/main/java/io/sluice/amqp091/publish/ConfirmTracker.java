package io.sluice.amqp091.publish;

import io.netty.buffer.ByteBuf;
import io.sluice.amqp091.codec.FrameWriter;
import java.util.TreeMap;

/**
 * Confirms of one channel: ranges of publish numbers complete, mostly in order, and each completion that closes the gap to the
 * oldest open number is one {@code basic.ack} with {@code multiple}. A range that completes early waits for those before it.
 * Confined to the loop.
 */
final class ConfirmTracker {
    private record Range(long last, boolean stored) {}

    private final TreeMap<Long, Range> early = new TreeMap<>();
    private long confirmed;

    /**
     * Numbers {@code first} to {@code last} are stored, or refused.
     *
     * @return true if something was written
     */
    boolean complete(ByteBuf out, int channel, long first, long last, boolean stored) {
        if (first != confirmed + 1) {
            early.put(first, new Range(last, stored));
            return false;
        }
        long from = first;
        long to = last;
        boolean outcome = stored;
        while (!early.isEmpty() && early.firstKey() == to + 1) {
            Range next = early.pollFirstEntry().getValue();
            if (next.stored() != outcome) {
                write(out, channel, from, to, outcome);
                from = to + 1;
                outcome = next.stored();
            }
            to = next.last();
        }
        write(out, channel, from, to, outcome);
        confirmed = to;
        return true;
    }

    private static void write(ByteBuf out, int channel, long from, long to, boolean stored) {
        FrameWriter.confirm(out, channel, stored, to, to > from);
    }
}
