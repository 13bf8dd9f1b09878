package io.sluice.routing.republish;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.message.RecordFields;
import io.sluice.message.RecordView;
import java.util.List;
import org.junit.jupiter.api.Test;

class DeathsTest {
    private static final Deaths NONE = new Deaths(List.of(), -1);

    private static Deaths.Death death(String queue, String reason, long expiration) {
        return new Deaths.Death(reason, queue, 1, 1000, "ex", "key", expiration, List.of());
    }

    private static Deaths history(String... queueAndReason) {
        Deaths deaths = NONE;
        for (String entry : queueAndReason) {
            String[] parts = entry.split(" ");
            deaths = deaths.with(death(parts[0], parts[1], -1));
        }
        return deaths;
    }

    private static RecordView written(Deaths deaths) {
        ByteBuf headers = Unpooled.buffer();
        int count = deaths.write(headers);
        ByteBuf record = Unpooled.buffer();
        RecordFields.writeVarint(record, -1);
        RecordFields.writeVarint(record, -1);
        RecordFields.writeVarint(record, count);
        record.writeBytes(headers);
        return new RecordView().wrap(record, 0, 0, 0);
    }

    @Test
    void aTimeToLiveStandsWithItsEntryOnly() {
        Deaths deaths = NONE.with(death("a", "expired", 500))
                .with(death("b", "maxlen", -1))
                .with(death("c", "expired", 0));
        Deaths read = Deaths.read(written(deaths));
        assertThat(read).isEqualTo(deaths);
        assertThat(read.entries()).extracting(Deaths.Death::expiration).containsExactly(0L, -1L, 500L);
    }

    @Test
    void furtherRoutingKeysStandWithTheirEntryOnly() {
        Deaths deaths = NONE.with(new Deaths.Death("expired", "a", 1, 1000, "ex", "key", 7, List.of("b", "ü")))
                .with(death("b", "maxlen", -1));
        Deaths read = Deaths.read(written(deaths));
        assertThat(read).isEqualTo(deaths);
        assertThat(read.entries()).extracting(Deaths.Death::copies).containsExactly(List.of(), List.of("b", "ü"));
    }

    @Test
    void aFurtherDeathCountsUpAndKeepsTheRest() {
        Deaths deaths = NONE.with(death("a", "expired", 500))
                .with(death("b", "expired", -1))
                .with(death("a", "expired", -1));
        assertThat(deaths.entries()).extracting(Deaths.Death::queue).containsExactly("a", "b");
        assertThat(deaths.entries().get(0).count()).isEqualTo(2);
        assertThat(deaths.entries().get(0).expiration()).isEqualTo(500);
        assertThat(Deaths.read(written(deaths))).isEqualTo(deaths);
    }

    @Test
    void aCycleIsOneThatNobodyRejectedIn() {
        assertThat(history("a expired").isCycle("a")).isTrue();
        assertThat(history("a expired").isCycle("b")).isFalse();
        assertThat(history("a expired", "b maxlen").isCycle("a")).isTrue();
        assertThat(history("a expired", "b rejected").isCycle("a")).isFalse();
        assertThat(history("a rejected").isCycle("a")).isFalse();
        assertThat(history("a rejected", "b expired").isCycle("a")).isFalse();
        assertThat(history("a rejected", "b expired").isCycle("b")).isTrue();
        assertThat(history("a delivery_limit").isCycle("a")).isTrue();
        assertThat(NONE.isCycle("a")).isFalse();
    }
}
