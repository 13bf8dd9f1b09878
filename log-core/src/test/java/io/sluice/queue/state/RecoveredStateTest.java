package io.sluice.queue.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.sluice.log.LogException;
import io.sluice.queue.index.MemoryBlocks;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The journal starts where its oldest segment does, which may be in the middle of a checkpoint. */
class RecoveredStateTest {
    private final RecoveredState recovered = new RecoveredState(1, new MemoryBlocks());

    @Test
    void restOfAnOlderCheckpointIsPassedOver() {
        recovered.apply(end());
        recovered.apply(created(7));
        checkpoint().forEach(recovered::apply);
        assertThatCode(() -> recovered.finish(new long[1], new long[1])).doesNotThrowAnyException();
        assertThat(recovered.contains(7)).as("the newer checkpoint counts").isFalse();
    }

    @Test
    void restOfTheOnlyCheckpointIsCorrupt() {
        recovered.apply(end());
        assertThatThrownBy(() -> recovered.finish(new long[1], new long[1]))
                .isInstanceOf(LogException.class)
                .hasMessageContaining("end of a checkpoint");
    }

    private static ByteBuf created(long queueId) {
        ByteBuf value = Unpooled.buffer();
        StateCodec.writeCreated(value, queueId);
        return value;
    }

    private static ByteBuf end() {
        List<ByteBuf> records = checkpoint();
        return records.get(records.size() - 1);
    }

    private static List<ByteBuf> checkpoint() {
        List<ByteBuf> records = new ArrayList<>();
        CheckpointWriter writer =
                new CheckpointWriter(new long[1], 0, List.of(), new RecoveredState(1, new MemoryBlocks()), id -> null);
        boolean last = false;
        while (!last) {
            last = writer.write(16, value -> records.add(Unpooled.copiedBuffer(value)));
        }
        writer.close();
        return records;
    }
}
