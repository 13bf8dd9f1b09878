package io.sluice.engine.local;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.log.PartitionId;
import io.sluice.log.StreamId;
import io.sluice.log.record.BatchFormat;
import io.sluice.log.record.GroupMark;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class RecoveredGroupsTest {
    private static final PartitionId A = partition(1);
    private static final PartitionId B = partition(2);
    private static final PartitionId C = partition(3);

    private final RecoveredGroups groups = new RecoveredGroups();

    @Test
    void wholeGroupsStay() {
        found(A, 10, 1, 3);
        found(A, 11, 1, 3);
        found(B, 5, 1, 3);
        single(B, 6);
        assertThat(groups.areWhole()).isTrue();
        assertThat(groups.cuts()).isEmpty();
    }

    @Test
    void whatTheLogHasStays() {
        found(A, 10, 1, 2);
        logged(1, 2);
        assertThat(groups.areWhole()).isFalse();
        assertThat(groups.cuts()).isEmpty();
    }

    @Test
    void aTornGroupGoesAndSoDoesWhatItsCutTears() {
        found(A, 10, 1, 2);
        found(B, 20, 1, 2);
        // the part in C is missing
        found(B, 21, 2, 2);
        // torn by the cut of B at 21: A at 12 goes
        found(B, 22, 3, 2);
        found(A, 12, 3, 2);
        // behind the cut of A, but in the log
        found(A, 13, 4, 2);
        found(C, 30, 4, 2);
        logged(4, 2);
        assertThat(groups.cuts()).isEqualTo(Map.of(A, 12L, B, 21L));
    }

    @Test
    void twoBatchesInOnePartitionAreAGroup() {
        found(A, 10, 7, 2);
        assertThat(groups.cuts()).isEqualTo(Map.of(A, 10L));
    }

    private void found(PartitionId partition, long offset, long pass, int parts) {
        groups.inSegment(partition, header(offset, GroupMark.of(pass, parts)), 0);
    }

    private void single(PartitionId partition, long offset) {
        groups.inSegment(partition, header(offset, GroupMark.NONE), 0);
    }

    private void logged(long pass, int parts) {
        groups.inLog(header(0, GroupMark.of(pass, parts)), 0);
    }

    private static ByteBuf header(long offset, long mark) {
        ByteBuf batch = Unpooled.buffer(BatchFormat.HEADER_BYTES).writeZero(BatchFormat.HEADER_BYTES);
        batch.setLong(0, offset);
        batch.setLong(BatchFormat.PRODUCER_ID, mark);
        return batch;
    }

    private static PartitionId partition(int index) {
        return new PartitionId(new StreamId(new UUID(1, 1)), index);
    }
}
