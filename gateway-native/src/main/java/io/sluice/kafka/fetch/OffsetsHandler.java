package io.sluice.kafka.fetch;

import io.sluice.access.Operation;
import io.sluice.kafka.connection.Request;
import io.sluice.kafka.convert.KafkaErrors;
import io.sluice.kafka.convert.Topics;
import io.sluice.log.LogPartition;
import io.sluice.log.LogPartition.OffsetAndTimestamp;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.kafka.common.message.ListOffsetsResponseData;
import org.apache.kafka.common.message.ListOffsetsResponseData.ListOffsetsPartitionResponse;
import org.apache.kafka.common.message.ListOffsetsResponseData.ListOffsetsTopicResponse;
import org.apache.kafka.common.message.OffsetForLeaderEpochResponseData;
import org.apache.kafka.common.message.OffsetForLeaderEpochResponseData.EpochEndOffset;
import org.apache.kafka.common.message.OffsetForLeaderEpochResponseData.OffsetForLeaderTopicResult;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.ListOffsetsRequest;
import org.apache.kafka.common.requests.ListOffsetsResponse;
import org.apache.kafka.common.requests.OffsetsForLeaderEpochRequest;
import org.apache.kafka.common.requests.OffsetsForLeaderEpochResponse;
import org.jspecify.annotations.Nullable;

/** ListOffsets and OffsetForLeaderEpoch. */
public final class OffsetsHandler {
    private static final long LATEST = -1;
    private static final long EARLIEST = -2;
    private static final long MAX_TIMESTAMP = -3;
    private static final long EARLIEST_LOCAL = -4;
    private static final byte READ_COMMITTED = 1;
    private static final short LEADER_EPOCHS = 4;

    private final Topics topics;

    public OffsetsHandler(Topics topics) {
        this.topics = topics;
    }

    /** ListOffsets: the start, the end, the newest timestamp, or the first record at or after a timestamp. */
    public void listOffsets(Request request) {
        var data = request.body(ListOffsetsRequest.class).data();
        ListOffsetsResponseData response = new ListOffsetsResponseData();
        List<CompletableFuture<?>> open = new ArrayList<>();
        for (var topic : data.topics()) {
            ListOffsetsTopicResponse answers = new ListOffsetsTopicResponse().setName(topic.name());
            response.topics().add(answers);
            for (var asked : topic.partitions()) {
                ListOffsetsPartitionResponse answer =
                        new ListOffsetsPartitionResponse().setPartitionIndex(asked.partitionIndex());
                answers.partitions().add(answer);
                Topics.Lookup lookup =
                        topics.partition(request.caller(), Operation.READ, topic.name(), asked.partitionIndex());
                LogPartition partition = lookup.partition();
                Errors error =
                        partition == null ? lookup.error() : Topics.checkEpoch(partition, asked.currentLeaderEpoch());
                if (partition == null || error != Errors.NONE) {
                    answer.setErrorCode(error.code());
                    continue;
                }
                CompletionStage<?> found =
                        find(partition, asked.timestamp(), data.isolationLevel() == READ_COMMITTED, answer);
                if (found != null) {
                    open.add(found.toCompletableFuture());
                }
            }
        }
        if (open.isEmpty()) {
            respond(request, response);
        } else {
            CompletableFuture.allOf(open.toArray(CompletableFuture[]::new))
                    .whenComplete((ignored, error) -> respond(request, response));
        }
    }

    /** Leader epochs are part of the answer since version 4; the codec refuses them in older ones. */
    private static void respond(Request request, ListOffsetsResponseData response) {
        if (request.version() < LEADER_EPOCHS) {
            response.topics().forEach(topic -> topic.partitions().forEach(partition -> partition.setLeaderEpoch(-1)));
        }
        request.respond(new ListOffsetsResponse(response));
    }

    /** Fills in the answer at once, or later: then the stage completes normally when it has. */
    private static @Nullable CompletionStage<?> find(
            LogPartition partition, long timestamp, boolean committedOnly, ListOffsetsPartitionResponse answer) {
        if (timestamp == LATEST) {
            long end = committedOnly ? partition.lastStableOffset() : partition.highWatermark();
            answer.setOffset(end).setTimestamp(-1).setLeaderEpoch(partition.leaderEpoch());
            return null;
        }
        if (timestamp == EARLIEST || timestamp == EARLIEST_LOCAL) {
            answer.setOffset(partition.logStartOffset()).setTimestamp(-1).setLeaderEpoch(partition.leaderEpoch());
            return null;
        }
        if (timestamp < MAX_TIMESTAMP) {
            answer.setErrorCode(Errors.UNSUPPORTED_VERSION.code());
            return null;
        }
        CompletionStage<@Nullable OffsetAndTimestamp> stage =
                timestamp == MAX_TIMESTAMP ? partition.maxTimestamp() : partition.offsetForTimestamp(timestamp);
        return stage.handle((found, error) -> {
            if (error != null) {
                answer.setErrorCode(KafkaErrors.of(error).code());
            } else if (found != null && found.offset() < partition.highWatermark()) {
                answer.setOffset(found.offset()).setTimestamp(found.timestamp()).setLeaderEpoch(found.leaderEpoch());
            }
            return answer;
        });
    }

    /** OffsetForLeaderEpoch (KIP-101, KIP-320). */
    public void offsetForLeaderEpoch(Request request) {
        var data = request.body(OffsetsForLeaderEpochRequest.class).data();
        OffsetForLeaderEpochResponseData response = new OffsetForLeaderEpochResponseData();
        for (var topic : data.topics()) {
            OffsetForLeaderTopicResult answers = new OffsetForLeaderTopicResult().setTopic(topic.topic());
            response.topics().mustAdd(answers);
            for (var asked : topic.partitions()) {
                EpochEndOffset answer = new EpochEndOffset()
                        .setPartition(asked.partition())
                        .setEndOffset(-1)
                        .setLeaderEpoch(-1);
                answers.partitions().add(answer);
                Topics.Lookup lookup =
                        topics.partition(request.caller(), Operation.READ, topic.topic(), asked.partition());
                LogPartition partition = lookup.partition();
                if (partition == null) {
                    answer.setErrorCode(lookup.error().code());
                    continue;
                }
                Errors error = Topics.checkEpoch(partition, asked.currentLeaderEpoch());
                answer.setErrorCode(error.code());
                if (error == Errors.NONE) {
                    LogPartition.EpochEnd end = partition.endOffsetFor(asked.leaderEpoch());
                    answer.setLeaderEpoch(end.leaderEpoch()).setEndOffset(end.endOffset());
                }
            }
        }
        request.respond(new OffsetsForLeaderEpochResponse(response));
    }
}
