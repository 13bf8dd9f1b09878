package io.sluice.amqp091.publish;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ConfirmTrackerTest {
    private final ConfirmTracker tracker = new ConfirmTracker();
    private final ByteBuf out = Unpooled.buffer();

    private List<String> written() {
        List<String> confirms = new ArrayList<>();
        while (out.isReadable()) {
            out.skipBytes(9);
            int method = out.readUnsignedShort();
            confirms.add((method == 80 ? "ack " : "nack ") + out.readLong() + (out.readBoolean() ? " multiple" : ""));
            out.skipBytes(1);
        }
        return confirms;
    }

    @Test
    void oneConfirmPerCompletedRange() {
        tracker.complete(out, 1, 1, 1, true);
        tracker.complete(out, 1, 2, 9, true);
        assertThat(written()).containsExactly("ack 1", "ack 9 multiple");
    }

    @Test
    void anEarlyRangeWaitsForThoseBeforeIt() {
        assertThat(tracker.complete(out, 1, 4, 6, true)).isFalse();
        assertThat(out.isReadable()).isFalse();
        tracker.complete(out, 1, 1, 3, true);
        assertThat(written()).containsExactly("ack 6 multiple");
    }

    @Test
    void refusedRangesAreNotAcknowledgedWithTheirNeighbours() {
        tracker.complete(out, 1, 3, 4, false);
        tracker.complete(out, 1, 5, 5, true);
        tracker.complete(out, 1, 1, 2, true);
        assertThat(written()).containsExactly("ack 2 multiple", "nack 4 multiple", "ack 5");
    }
}
