package io.sluice.kafka.produce;

import io.sluice.kafka.convert.KafkaErrors;
import io.sluice.log.LogException;
import io.sluice.log.LogPartition;
import io.sluice.shard.ShardProxy;
import java.util.concurrent.Executor;
import org.apache.kafka.common.message.ProduceResponseData.PartitionProduceResponse;
import org.jspecify.annotations.Nullable;

/** What the shard answers for one partition of a produce request. */
final class PartitionAppend implements ShardProxy.ProduceCompletion {
    private final PendingProduce pending;
    private final Executor loop;
    private final PartitionProduceResponse answer;
    private final LogPartition partition;

    PartitionAppend(PendingProduce pending, Executor loop, PartitionProduceResponse answer, LogPartition partition) {
        this.pending = pending;
        this.loop = loop;
        this.answer = answer;
        this.partition = partition;
    }

    /** True if the producer has been told that its time is up. */
    boolean isExpired() {
        return pending.isExpired();
    }

    @Override
    public Executor executor() {
        return loop;
    }

    @Override
    public void completed(LogPartition.@Nullable Appended appended, @Nullable LogException error) {
        if (pending.isExpired()) {
            return;
        }
        if (appended != null) {
            answer.setBaseOffset(appended.baseOffset())
                    .setLogAppendTimeMs(appended.appendTime())
                    .setLogStartOffset(partition.logStartOffset());
            pending.answered();
        } else {
            LogException refusal =
                    error == null ? new LogException(LogException.Reason.CLOSED, "no answer from the shard") : error;
            pending.refuse(answer, KafkaErrors.of(refusal), KafkaErrors.message(refusal));
        }
    }
}
